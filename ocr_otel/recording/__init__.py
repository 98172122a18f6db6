"""The batch record, which batches become spans, and the spans and instruments made from records."""

from ocr_otel.recording.batch_path import BatchPath
from ocr_otel.recording.judgement import Judge, Judgement
from ocr_otel.recording.recorder import Recorder, recorder_for
from ocr_otel.recording.summaries import EntrySummary, LoopSummary

__all__ = ["BatchPath", "EntrySummary", "Judge", "Judgement", "LoopSummary", "Recorder", "recorder_for"]
