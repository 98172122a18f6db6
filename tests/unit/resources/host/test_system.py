"""What the system-metrics instrumentation makes for us, once, and nothing that we make."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from ocr_otel import semconv
from ocr_otel.resources.host import host_sources, instrument_system
from ocr_otel.resources.host.system import MAX_INTERFACES

OF_PROCESS = {
    "process.memory.virtual",
    "cpython.gc.collections",
    "cpython.gc.collected_objects",
    "cpython.gc.uncollectable_objects",
}


def made(local_rank: int, times: int = 1) -> dict[str, int]:
    """Return the number of points by metric."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    for _ in range(times):
        instrument_system(provider, local_rank)
    data = reader.get_metrics_data()
    found: dict[str, int] = {}
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                assert metric.name not in found
                found[metric.name] = len(metric.data.data_points)
    provider.shutdown()
    return found


def test_a_later_rank_makes_only_what_is_its_own() -> None:
    assert made(1).keys() == OF_PROCESS


def test_the_first_rank_makes_the_hosts_too_in_bounds() -> None:
    found = made(0)
    assert found.keys() >= OF_PROCESS | {"system.memory.usage", "system.memory.utilization"}
    assert sum(found.values()) <= 4 * 3 + 6 + 4 * MAX_INTERFACES


def test_a_second_call_changes_nothing() -> None:
    assert made(0, times=2) == made(0)


def test_each_provider_gets_its_own() -> None:
    assert made(1) == made(1)


def test_nothing_is_made_twice() -> None:
    sources = host_sources(dict, lambda: [Path.cwd()])
    ours = set()
    for source in sources:
        source.open()
        ours |= {series.metric for series, _ in source.read()}
    assert ours
    assert not ours & made(0).keys()
    assert not semconv.RESOURCE_METRICS.keys() & made(0).keys()


def test_a_host_of_containers_has_no_series_for_each_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    one = next(iter(psutil.net_io_counters(pernic=True).values()))
    many = {f"veth{number}": one for number in range(MAX_INTERFACES + 1)}
    monkeypatch.setattr(psutil, "net_io_counters", lambda pernic=False: many)
    assert not [name for name in made(0) if name.startswith("system.network")]


def test_a_users_own_instrumentor_keeps_its_configuration() -> None:
    own = SystemMetricsInstrumentor(config={"process.thread.count": None})
    made(0)
    assert SystemMetricsInstrumentor._instance is own
    assert own._config == {"process.thread.count": None}


def test_what_the_program_has_set_up_itself_is_not_made_again() -> None:
    own = SystemMetricsInstrumentor(config={"process.memory.virtual": None})
    own.instrument(meter_provider=MeterProvider([InMemoryMetricReader()]))
    try:
        assert made(0) == {}
    finally:
        own.uninstrument()
    assert made(0)


def test_only_the_first_rank_reads_the_host() -> None:
    for rank, expected in ((0, True), (1, False)):
        names = {source.name for source in host_sources(dict, list, rank)}
        assert ("host" in names) is expected
