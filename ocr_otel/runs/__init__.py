"""The one reader of a run directory: OTLP-JSON lines into typed tables; damaged lines are counted, not fatal."""

from ocr_otel.runs.limits import Limits
from ocr_otel.runs.locate import RunError, find, inside, last_written, newest, rank_directories
from ocr_otel.runs.model import Batch, Entry, Epoch, MetricPoint, RankRecord, Run, SpanEvent, SpanRecord, Window, finite
from ocr_otel.runs.reader import RunReader, load

__all__ = [
    "Batch",
    "Entry",
    "Epoch",
    "Limits",
    "MetricPoint",
    "RankRecord",
    "Run",
    "RunError",
    "RunReader",
    "SpanEvent",
    "SpanRecord",
    "Window",
    "find",
    "finite",
    "inside",
    "last_written",
    "load",
    "newest",
    "rank_directories",
]
