"""Exporters that write first and send later: what an OTLP endpoint does not take now waits on disk."""

from ocr_otel.telemetry.spooling.spool import Spool

__all__ = ["Spool"]
