"""Where the training is when something is logged: the span that a record belongs to, and the batch."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context

from ocr_otel import semconv
from ocr_otel.recording.batch_trace import root_context, span_context
from ocr_otel.recording.recorder import Recorder
from ocr_otel.watchdog.cells import Cell


def place_of(recorder: Recorder) -> tuple[Context | None, dict[str, Any]]:
    """Return where the training of a recorder is; any thread may ask.

    Returns:
        The context that a record is to be sent in, None for the one that is current; and its attributes. Inside a span
        of the application, and inside a batch that is kept for its index, it is that one. Whether another batch will
        be found slow is not known yet: there it is the epoch, and the attributes name the batch.
    """
    root, path = recorder.root, recorder.path
    loop = path.loop
    if root is None:
        return None, {}
    if loop is None:
        return _of(span_context(root)), {}
    attributes: dict[str, Any] = {semconv.STAGE: str(loop.stage), semconv.EPOCH: loop.epoch}
    batch_idx = path.cells[Cell.BATCH_IDX] if path.cells[Cell.BATCH_BEGAN] else None
    if batch_idx is None:
        return _of(span_context(loop.span)), attributes
    attributes[semconv.BATCH_IDX] = batch_idx
    if loop.planned(batch_idx) is not None:
        return _of(root_context(*path.ids_at(loop, batch_idx), sampled=True)), attributes
    return _of(span_context(loop.span)), attributes


def _of(context: Context) -> Context | None:
    """Return a context, or None where the current one says more: a span that is recorded."""
    return None if trace.get_current_span().get_span_context().trace_flags.sampled else context
