"""Where between a Collector's door and a backend something was lost: read from the Collector's own metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ocr_otel.telemetry.exporting import Signal

_LINE: Final = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ITEMS: Final[dict[Signal, str]] = {"traces": "spans", "metrics": "metric_points"}
"""How the Collector calls what it counts of a signal."""
_GRPC_CALLS: Final = "rpc_server_call_duration_seconds_count"
_HTTP_CALLS: Final = "http_server_request_duration_seconds_count"
"""Who is turned away at the door for want of a token is counted here only, and only at the level `detailed`."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a Prometheus text page."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Counted:
    """What a Collector counted between two looks at its metrics.

    Attributes:
        accepted: Items that its receivers took.
        refused: Items that its receivers turned away, such as for want of memory.
        failed: Items that were given up, by exporter.
        waiting: Exporters whose queue is not empty at the second look.
        unauthorized: Requests without a right token, of any signal.
    """

    accepted: float
    refused: float
    failed: Mapping[str, float]
    waiting: tuple[str, ...]
    unauthorized: float = 0.0


@dataclass(frozen=True, slots=True)
class Loss:
    """Where an item got to, and what kept it there.

    Attributes:
        station: The server that had it last: `agent` or `gateway`.
        towards: The exporter that did not deliver it, such as `otlp_grpc/jaeger`; empty where it was not let in.
        is_given_up: Whether it is gone; else it waits and is sent again.
    """

    station: str
    towards: str
    is_given_up: bool

    @property
    def target(self) -> str:
        """The next station, by the name that the configuration gives the exporter."""
        return self.towards.rpartition("/")[2]


def parse(page: str) -> list[Sample]:
    """Read a page in Prometheus's text format; lines that are none are left out."""
    found = []
    for line in page.splitlines():
        matched = _LINE.match(line)
        if matched is None:
            continue
        try:
            value = float(matched["value"])
        except ValueError:
            continue
        # A counter's name ends in `_total` or not, as the Collector is configured.
        name = matched["name"].removesuffix("_total")
        found.append(Sample(name, dict(_LABEL.findall(matched["labels"] or "")), value))
    return found


def count(signal: Signal, before: list[Sample], after: list[Sample]) -> Counted:
    """Return what a Collector counted of a signal between two pages of its metrics."""
    items = _ITEMS[signal]
    failed = {
        exporter: grown
        for prefix in ("send_failed", "enqueue_failed")
        for exporter, grown in _grown(f"otelcol_exporter_{prefix}_{items}", "exporter", before, after).items()
        if grown > 0
    }
    waiting = {
        sample.labels.get("exporter", "")
        for sample in after
        if sample.name == "otelcol_exporter_queue_size"
        and sample.value > 0
        and sample.labels.get("data_type", signal) == signal
    }
    return Counted(
        sum(_grown(f"otelcol_receiver_accepted_{items}", "receiver", before, after).values()),
        sum(_grown(f"otelcol_receiver_refused_{items}", "receiver", before, after).values()),
        failed,
        tuple(sorted(waiting)),
        _unauthorized(after) - _unauthorized(before),
    )


def where_lost(backend: str, counted: Mapping[str, Counted]) -> Loss | None:
    """Decide where an item that did not arrive got stuck.

    Args:
        backend: Where it should be: `jaeger` or `prometheus`.
        counted: By station, in the order in which the item passes them; only those that could be asked.

    Returns:
        None when every Collector delivered what it had.
    """
    for station, seen in counted.items():
        if not seen.accepted and seen.refused:
            return Loss(station, "", True)
        for exporter in (*seen.failed, *seen.waiting):
            # An exporter to the other backend says nothing of this one.
            if Loss(station, exporter, False).target in {"gateway", backend}:
                return Loss(station, exporter, exporter in seen.failed)
    return None


def _unauthorized(samples: list[Sample]) -> float:
    return sum(
        sample.value
        for sample in samples
        if (sample.name, sample.labels.get("rpc_response_status_code")) == (_GRPC_CALLS, "UNAUTHENTICATED")
        or (sample.name, sample.labels.get("http_response_status_code")) == (_HTTP_CALLS, "401")
    )


def _grown(name: str, label: str, before: list[Sample], after: list[Sample]) -> dict[str, float]:
    def sums(samples: list[Sample]) -> dict[str, float]:
        found: dict[str, float] = {}
        for sample in samples:
            if sample.name == name:
                key = sample.labels.get(label, "")
                found[key] = found.get(key, 0.0) + sample.value
        return found

    first = sums(before)
    return {key: value - first.get(key, 0.0) for key, value in sums(after).items()}
