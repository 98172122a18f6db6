"""A trace in, a `WindowProfile` out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ocr_otel.profiling.kineto.communication import communication
from ocr_otel.profiling.kineto.context import Activity, Context
from ocr_otel.profiling.kineto.device import device, kernels, transfers
from ocr_otel.profiling.kineto.gaps import gaps
from ocr_otel.profiling.kineto.host import host
from ocr_otel.profiling.kineto.operators import operators
from ocr_otel.profiling.kineto.phases import phases
from ocr_otel.profiling.kineto.ranges import Ranges
from ocr_otel.profiling.kineto.reader import Trace, read
from ocr_otel.profiling.kineto.sites import Sites
from ocr_otel.profiling.kineto.source import Progress
from ocr_otel.profiling.kineto.timeline import timeline
from ocr_otel.profiling.kineto.waits import synchronizations
from ocr_otel.profiling.kineto.window import SECOND, Window, window
from ocr_otel.profiling.profile import WindowProfile


def profile_of(path: Path, progress: Progress | None = None) -> WindowProfile:
    """Read a trace file and return what it shows.

    Raises:
        TraceError: It is no trace of PyTorch's profiler, or nothing of it could be read.
    """
    return analyze(read(path, progress))


def analyze(trace: Trace) -> WindowProfile:
    """Return what a trace shows."""
    found = window(trace)
    parts = phases(found)
    sites, context, ranges = Sites(found), Context(found, parts), Ranges(found)
    batches = (found.host.end - found.host.start)[found.batches] / SECOND
    return WindowProfile(
        seconds=found.seconds,
        batches=tuple(np.asarray(batches, np.float64).tolist()),
        host=host(found, parts),
        device=device(found),
        operators=operators(found, sites),
        kernels=kernels(found),
        transfers=transfers(found),
        synchronizations=synchronizations(found, context, sites),
        gaps=gaps(found, Activity(found, context)),
        communication=communication(found),
        ranges=ranges.with_phases(parts),
        phases=ranges.of_phases(parts),
        slices=timeline(found, parts),
        events=trace.events,
        complete=trace.complete,
        notes=_notes(found),
    )


def _notes(found: Window) -> tuple[str, ...]:
    trace = found.trace
    notes = []
    if not trace.complete:
        notes.append("The file is cut off: what is told is of the events before that.")
    if trace.unreadable:
        notes.append(f"{trace.unreadable} events could not be read.")
    if not len(found.batches):
        notes.append("No batches are marked: call `prof.step()` after each batch, or record with ocr_otel.")
    if not len(found.device):
        notes.append("There are no events of a device: it ran on the CPU, or without ProfilerActivity.CUDA.")
    if not len(found.operators):
        notes.append("There are no operators: it was recorded without ProfilerActivity.CPU.")
    if not len(found.python):
        notes.append("Without stacks (with_stack=True), call sites are operators and ranges, not lines of code.")
    return tuple(notes)
