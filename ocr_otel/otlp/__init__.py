"""OTLP in its two encodings, JSON and protobuf."""

from typing import Final

from ocr_otel.spool import Signal

ITEMS: Final[dict[Signal, str]] = {"traces": "spans", "metrics": "metric points", "logs": "log records"}
"""What the items of each signal are called."""

JSON_CONSTANTS: Final = {"NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity"}
"""Python writes and reads these bare, which is not JSON: the protobuf mapping has them as strings."""

__all__ = ["ITEMS", "JSON_CONSTANTS", "Signal"]
