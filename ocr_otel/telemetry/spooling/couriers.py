"""Sends one export request through the SDK's own OTLP exporter, once, and says what became of it.

The exporters' `export` tells success from failure and no more, and retries by itself within a deadline. Below it lie
the places where they post what is encoded: these are used here, so that endpoint, headers, certificates, compression
and timeout are those that the SDK reads from its variables.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ocr_otel.spool import Signal


@dataclass(frozen=True, slots=True)
class Taken:
    """The receiver took it.

    Attributes:
        rejected: Items that it did not keep all the same.
        reason: Why.
    """

    rejected: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """The receiver is not there, or asks to try again.

    Attributes:
        reason: What is wrong.
        wait: Seconds that it asks to wait; None where it asks for nothing.
    """

    reason: str
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver does not take it, and would not take it later.

    Attributes:
        reason: Why.
    """

    reason: str


Answer = Taken | Later | Refused


class Courier(Protocol):
    """Sends requests."""

    def send(self, request: Any) -> Answer:
        """Send a protobuf export request, once."""

    def close(self) -> None:
        """Give up what is under way, and close the connection."""


_ROOMS: Final = {
    "opentelemetry.exporter.otlp.proto.grpc": "ocr_otel.telemetry.spooling.over_grpc",
    "opentelemetry.exporter.otlp.proto.http": "ocr_otel.telemetry.spooling.over_http",
}
"""Packages of the SDK's exporters, and where theirs are used. A process needs one of them alone."""


def courier(exporter: Any, signal: Signal) -> Courier | None:
    """Return what sends as an exporter does; None where it is not one of the SDK's, or its inside is another one."""
    for kind in type(exporter).__mro__:
        for package, room in _ROOMS.items():
            if kind.__module__.startswith(package):
                found: Courier | None = importlib.import_module(room).courier(exporter, signal)
                return found
    return None
