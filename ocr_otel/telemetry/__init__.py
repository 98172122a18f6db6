"""The only room that knows the OpenTelemetry SDK: resource, providers, exporters, flush and shutdown."""

from ocr_otel.telemetry.children import ChildSpan
from ocr_otel.telemetry.exporting import Destination, destination, load_exporter
from ocr_otel.telemetry.histograms import DurationHistogram, ExemplarPoint
from ocr_otel.telemetry.ids import PrivateRandomIds
from ocr_otel.telemetry.session import RunIdentity, Session, new_run_id, rank_directory, session_for_process

__all__ = [
    "ChildSpan",
    "Destination",
    "DurationHistogram",
    "ExemplarPoint",
    "PrivateRandomIds",
    "RunIdentity",
    "Session",
    "destination",
    "load_exporter",
    "new_run_id",
    "rank_directory",
    "session_for_process",
]
