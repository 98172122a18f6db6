"""The profiler's windows as the report shows them: from their spans, and from the profiles that lie beside the run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import Diagnosis, Verdict
from ocr_otel.profiling import serial
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.windows.files import DIRECTORY, PROFILE_SUFFIX, TRACE_SUFFIX
from ocr_otel.report import causes
from ocr_otel.report.tables import Table, tables
from ocr_otel.report.window_line import WindowLine, window_line
from ocr_otel.runs import Batch, SpanRecord, Window, inside
from ocr_otel.semconv import Bottleneck, Stage

MAX_WINDOWS: Final = 40
"""Windows that are shown; the tables of each cost about 20 kB of the page."""
MAX_DRAWN: Final = 12
"""Windows whose time line is drawn; each costs up to 100 kB of the page."""


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A window of the profiler; times are seconds, `start` counts from the beginning of the run.

    Attributes:
        mode: Why it opened.
        stage: Stage of its batches; empty where that was not recorded.
        epoch: Epoch that it was in; -1 where unknown.
        first_batch: Index of its first batch; -1 where unknown.
        batches: Batches recorded.
        rank: Whose it is.
        start: When it began.
        seconds: How long it was open.
        overhead: Time that the training stood still for it; None where that was not recorded.
        slowdown: Mean time of its batches over the usual one: what recording them cost; None where that is unknown.
        file: Name of the trace file; empty without one.
        file_size: Its size in bytes; 0 where unknown.
        present: Whether the file is still there: the oldest are removed where they become too large.
        failed: Why there is no trace, or no reading of it; empty otherwise.
        traces: Traces of its batches, as far as they were kept.
        diagnosis: What was found in it; None without a verdict.
        tables: What it showed.
        notes: What a reader should know of it.
        line: Its time line; None where there is none to be drawn.
    """

    mode: str
    stage: str
    epoch: int
    first_batch: int
    batches: int
    rank: int
    start: float
    seconds: float
    overhead: float | None
    slowdown: float | None
    file: str
    file_size: int
    present: bool
    failed: str
    traces: list[str]
    diagnosis: Diagnosis | None
    tables: list[Table]
    notes: list[str]
    line: WindowLine | None

    @property
    def kind(self) -> Bottleneck | None:
        """Its verdict's; None without one."""
        return self.diagnosis.verdict.kind if self.diagnosis is not None else None

    @property
    def title(self) -> str:
        """What it is called: `periodic, epoch 1, batches 12 to 14`."""
        parts = [self.mode or "window"]
        if self.stage not in ("", Stage.TRAIN):
            parts[0] += f" ({self.stage})"
        if self.epoch >= 0:
            parts.append(f"epoch {self.epoch}")
        if self.batches and self.first_batch >= 0:
            last = self.first_batch + self.batches - 1
            parts.append(f"batch {self.first_batch}" if self.batches == 1 else f"batches {self.first_batch} to {last}")
        elif self.batches:
            parts.append(f"{self.batches} batches")
        return ", ".join(parts)


def rows(windows: list[Window], batches: list[Batch], began: int) -> list[WindowRow]:
    """Return the newest windows, in order of time."""
    shown = windows[-MAX_WINDOWS:]
    undrawn = len(shown) - MAX_DRAWN
    return [_row(window, batches, began, index >= undrawn) for index, window in enumerate(shown)]


def telling(found: list[WindowRow], verdict: Verdict | None) -> int | None:
    """Return the index of the window that shows the verdict best; None where none can be drawn.

    It is the last one that came to the same verdict, else the last one.
    """
    drawn = [index for index, row in enumerate(found) if row.line is not None]
    same = [index for index in drawn if verdict is not None and found[index].kind is verdict.kind]
    best = same or drawn
    return best[-1] if best else None


def _row(window: Window, batches: list[Batch], began: int, drawn: bool) -> WindowRow:
    span = window.span
    # Only the file's name counts: what a run says must not lead out of its directory.
    file = Path(span.text(semconv.PROFILE_FILE)).name
    folder = Path(window.directory) / DIRECTORY
    read = folder / (file.removesuffix(TRACE_SUFFIX) + PROFILE_SUFFIX)
    profile = _profile(read) if file and drawn and inside(read, Path(window.directory)) else None
    first_batch = int(span.number(semconv.PROFILE_FIRST_BATCH, -1))
    of_rank = [batch for batch in batches if batch.rank == window.rank]
    return WindowRow(
        mode=span.text(semconv.PROFILE_MODE),
        stage=span.text(semconv.STAGE),
        epoch=window.epoch,
        first_batch=first_batch,
        batches=int(span.number(semconv.PROFILE_BATCHES)),
        rank=window.rank,
        start=(span.start - began) / 1e9,
        seconds=span.seconds,
        overhead=_optional(span, semconv.PROFILE_OVERHEAD),
        slowdown=_optional(span, semconv.PROFILE_SLOWDOWN),
        file=file,
        file_size=int(span.number(semconv.PROFILE_FILE_SIZE)),
        present=bool(file) and inside(folder / file, Path(window.directory)),
        failed=span.text(semconv.PROFILE_FAILED) or span.exception,
        traces=[batch.span.trace_id for batch in of_rank if batch.span.span_id in span.links],
        diagnosis=causes.of_span(span),
        tables=tables((event.name, event.attributes) for event in span.events),
        notes=list(profile.notes) if profile is not None else [],
        line=window_line(profile, of_rank, window.epoch, first_batch) if profile is not None else None,
    )


def _optional(span: SpanRecord, name: str) -> float | None:
    return span.number(name) if name in span.attributes else None


def _profile(path: Path) -> WindowProfile | None:
    """Return a profile; None where it is not there or is not one: the span still says what the window showed."""
    try:
        return serial.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
