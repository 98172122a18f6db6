"""Readings of this machine by the package's own monitor, which simulated ranks share as those of their host."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any, Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, ScopeMetrics

from ocr_otel import semconv
from ocr_otel.resources.monitor import Monitor
from ocr_otel.settings import Settings
from ocr_otel.telemetry import RunIdentity
from ocr_otel.telemetry.patience import Patience

READING_SECONDS: Final = 4.0
"""Readings are waited for so long: rates need two."""
_FRESH_SECONDS: Final = 5.0


class Host:
    """What every rank of this machine is told of it; made by `reading`."""

    def __init__(self, monitor: Monitor, reader: InMemoryMetricReader) -> None:
        self._monitor = monitor
        self._reader = reader
        self._asked = 0.0
        self._of_loop: Mapping[str, Any] = {}
        self._of_slow_batch: Mapping[str, Any] = {}

    def scopes(self) -> list[ScopeMetrics]:
        """Collect the resource metrics of the first rank of a host."""
        data = self._reader.get_metrics_data()
        assert data is not None
        return list(data.resource_metrics[0].scope_metrics)

    def of_loop(self, samples: int) -> Mapping[str, Any]:
        """See `rank.Around`."""
        self._ask(samples)
        return self._of_loop

    def of_slow_batch(self) -> Mapping[str, Any]:
        """See `rank.Around`."""
        self._ask(1)
        return self._of_slow_batch

    def _ask(self, samples: int) -> None:
        # What simulated epochs were like is what this machine is like now; asked anew for each rank it would take most
        # of the simulation.
        if time.monotonic() - self._asked < _FRESH_SECONDS:
            return
        now = perf_counter_ns()
        self._of_loop = self._monitor.of_loop(now - int(READING_SECONDS * 1e9), now, samples)
        self._of_slow_batch = self._monitor.of_slow_batch(
            now - 1_500_000_000, now - 500_000_000, now - int(READING_SECONDS * 1e9)
        )
        self._asked = time.monotonic()


def of_further_rank(scopes: list[ScopeMetrics]) -> list[ScopeMetrics]:
    """Return what another than the first rank of a host sends: nothing of the host itself."""
    found = []
    for scope in scopes:
        metrics = [metric for metric in scope.metrics if not metric.name.startswith("system.")]
        if metrics:
            found.append(ScopeMetrics(scope.scope, metrics, scope.schema_url))
    return found


@contextmanager
def reading(settings: Settings) -> Iterator[Host]:
    """Read this machine meanwhile."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    session: Any = SimpleNamespace(
        identity=RunIdentity("host"),
        meter=provider.get_meter(semconv.SCOPE),
        meter_provider=provider,
        events=SimpleNamespace(emit=lambda *_, **__: None),
        patience=Patience(settings.flush_timeout),
    )

    def failed(cause: str, error: Exception) -> None:
        raise AssertionError(cause) from error

    monitor = Monitor(session, settings, dict, failed)
    monitor.start([Path.cwd()])
    try:
        time.sleep(READING_SECONDS)
        yield Host(monitor, reader)
    finally:
        monitor.stop()
        provider.shutdown()
