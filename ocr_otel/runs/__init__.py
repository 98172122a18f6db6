"""The one reader of a run directory: OTLP-JSON lines into typed tables; damaged lines are counted, not fatal."""

from ocr_otel.runs.locate import RunError, find, newest
from ocr_otel.runs.model import Batch, Entry, Epoch, MetricPoint, Run, SpanEvent, SpanRecord, Window, finite
from ocr_otel.runs.reader import RunReader, load

__all__ = [
    "Batch",
    "Entry",
    "Epoch",
    "MetricPoint",
    "Run",
    "RunError",
    "RunReader",
    "SpanEvent",
    "SpanRecord",
    "Window",
    "find",
    "finite",
    "load",
    "newest",
]
