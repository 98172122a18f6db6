"""Times in which the device had nothing to do, with what the host did then."""

from __future__ import annotations

from typing import Final

import numpy as np

from ocr_otel.profiling.kineto.context import Activity
from ocr_otel.profiling.kineto.window import SECOND, Window
from ocr_otel.profiling.profile import Gap

_TOP: Final = 12


def gaps(window: Window, activity: Activity) -> tuple[Gap, ...]:
    """Return the longest of them, the longest first."""
    if not len(window.device):
        return ()
    idle = window.busy().free(window.begin, window.end)
    longest = np.argsort(idle.starts - idle.ends, kind="stable")[:_TOP].tolist()
    return tuple(
        Gap(
            start=(int(idle.starts[place]) - window.begin) / SECOND,
            seconds=int(idle.ends[place] - idle.starts[place]) / SECOND,
            host=activity.during(int(idle.starts[place]), int(idle.ends[place])),
        )
        for place in longest
    )
