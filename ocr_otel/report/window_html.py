"""A single trace of the profiler as one HTML file that needs no network: verdict, time line and tables."""

from __future__ import annotations

from pathlib import Path

from ocr_otel.diagnosis import Diagnosis
from ocr_otel.diagnosis.words import duration
from ocr_otel.private import write_private
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.span_events import events_of
from ocr_otel.report.drawn import drawn_line
from ocr_otel.report.page import rendered
from ocr_otel.report.tables import tables
from ocr_otel.report.window_line import window_line


def render(
    profile: WindowProfile,
    diagnosis: Diagnosis | None,
    path: Path,
    title: str = "Profiler trace",
    beside: bool = False,
) -> None:
    """Write the page of a trace.

    Args:
        profile: What the trace showed.
        diagnosis: What was found in it; None where it holds too little for that.
        path: The file to write.
        title: What the page is called: the name of the trace file.
        beside: Whether the file is one beside the trace, and none that a person named: it is then for its owner alone,
            and a link of its name is replaced and not followed.

    Raises:
        OSError: The file cannot be written.
    """
    line = window_line(profile)
    page = rendered(
        "window.html.j2",
        {"windows": {"0": drawn_line(line)} if line is not None else {}},
        ("plots.js", "window.js", "start.js"),
        title=title,
        diagnosis=diagnosis,
        chips=_chips(profile),
        notes=profile.notes,
        line=line,
        found=tables(events_of(profile)),
    )
    if beside:
        write_private(path, page, errors="replace")
    else:
        path.write_text(page, encoding="utf-8", errors="replace")


def _chips(profile: WindowProfile) -> list[tuple[str, str]]:
    found = [(duration(profile.seconds), "recorded")]
    if profile.batches:
        mean = sum(profile.batches) / len(profile.batches)
        found.append((f"{len(profile.batches):,}", f"batches of {duration(mean)} in the mean"))
    if profile.device is not None and profile.seconds > 0:
        found.append((f"{profile.device.busy / profile.seconds:.0%}", f"{profile.device.name or 'device'} busy"))
        found.append((f"{profile.device.kernels:,}", f"kernels of {duration(profile.device.kernel_mean)} in the mean"))
    if profile.seconds > 0:
        found.append((f"{profile.host.operators / profile.seconds:.0%}", "in operators on the host"))
    found.append((f"{profile.events:,}", "events read"))
    return found
