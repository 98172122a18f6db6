"""What is handed in to a recording, because training knows neither diagnosis nor the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.windows.results import JudgeWindow
from ocr_otel.recording import EntrySummary, Judgement, LoopSummary

Present = Callable[[EntrySummary], None]
"""Shows a person what a finished entry was like."""


class Verdicts(NamedTuple):
    """Where verdicts come from.

    Attributes:
        of_epochs: Judges epochs: their summaries, their wall time in seconds, what else is known as attributes, and
            what the last window of the profiler showed.
        of_window: Judges a window of the profiler.
    """

    of_epochs: Callable[[tuple[LoopSummary, ...], float, Mapping[str, Any], WindowProfile | None], Judgement]
    of_window: JudgeWindow
