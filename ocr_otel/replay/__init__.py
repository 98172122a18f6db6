"""Sends the telemetry files of a run directory to an OTLP/HTTP receiver, resumably and nothing twice."""

from ocr_otel.replay.endpoint import base_url, without_credentials
from ocr_otel.replay.engine import Outcome, replay
from ocr_otel.replay.lines import SIGNALS, Damage, ReplayError, Signal, telemetry_files
from ocr_otel.replay.sending import Patience

__all__ = [
    "SIGNALS",
    "Damage",
    "Outcome",
    "Patience",
    "ReplayError",
    "Signal",
    "base_url",
    "replay",
    "telemetry_files",
    "without_credentials",
]
