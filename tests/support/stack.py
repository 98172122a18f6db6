"""The real servers for tests: started on free ports from the shipped configuration, asked, broken and stopped."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from ocr_otel.cli.checks.places import Stations, find_stations
from ocr_otel.cli.checks.stations import Sample, parse
from ocr_otel.stack import (
    BINARIES,
    Layout,
    Plan,
    Server,
    cached,
    configuration_directory,
    down,
    make_plan,
    processes,
    up,
)
from tests.support.ports import free_offset

CONFIGURATION = configuration_directory()

T = TypeVar("T")


def wait_for(look: Callable[[], T], seconds: float, what: str) -> T:
    """Look again and again until something is there; fails with what was seen last.

    Args:
        look: Returns something true once it is there.
        seconds: How long to look.
        what: Says in the failure what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s, last seen: {found!r}"
        time.sleep(0.25)


def get(url: str, **parameters: Any) -> Any:
    """Ask a server on this machine for JSON; None for what it does not have."""
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    try:
        with processes.DIRECT.open(url + query, timeout=20) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise AssertionError(f"{url}{query}: {error.code} {error.read().decode(errors='replace')[:500]}") from error


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that runs."""

    plan: Plan
    layout: Layout
    secrets: Mapping[str, str]

    @property
    def stations(self) -> Stations:
        """What `ocr-otel doctor --stack` finds of it."""
        return find_stations(self.layout.root)

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of a training that sends here, and whatever is added."""
        return self.plan.training_environment() | more

    def server(self, name: str) -> Server:
        """A server by its name."""
        return next(server for server in self.plan.servers if server.name == name)

    def process(self, name: str) -> psutil.Process:
        """The process of a server that runs."""
        found = processes.find(self.layout.process(name))
        assert found is not None, f"{name} does not run: {processes.last_lines(self.layout.log(name), 20)}"
        return found

    def stop(self, name: str) -> None:
        """Stop one server."""
        processes.stop(self.layout.process(name), 15)

    def start(self, name: str, **environment: str) -> None:
        """Start one server that was stopped, and wait until it is ready."""
        server = self.server(name)
        processes.start(
            [str(cached(BINARIES[server.binary], CONFIGURATION)), *server.arguments],
            {**server.environment, **self.secrets, **environment},
            server.directory,
            self.layout.log(name),
            self.layout.process(name),
        )
        wait_for(lambda: processes.answers(server.ready_url), 60, f"{name} is ready")

    def collector(self, name: str) -> list[Sample]:
        """The own metrics of a Collector, `_total` left off; empty while it is down."""
        try:
            with processes.DIRECT.open(self.stations.collectors[name], timeout=5) as response:
                return parse(response.read().decode())
        except OSError:
            return []

    def counted(self, name: str, metric: str, **labels: str) -> float:
        """The sum of a Collector's own metric over all series with these labels."""
        return sum(
            sample.value
            for sample in self.collector(name)
            if sample.name == metric and labels.items() <= sample.labels.items()
        )

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace by Jaeger's query API v3, in OTLP JSON, each with its resource's `attributes`."""
        found = get(f"{self.plan.url('STACK_JAEGER_QUERY_PORT')}/api/v3/traces/{trace_id}")
        return [
            {**span, "resource": resource["resource"].get("attributes", [])}
            for resource in (found or {}).get("result", {}).get("resourceSpans", [])
            for scope in resource.get("scopeSpans", [])
            for span in scope.get("spans", [])
        ]

    def ui_trace(self, trace_id: str) -> dict[str, Any] | None:
        """A trace by the API that Jaeger's page reads."""
        found = get(f"{self.plan.url('STACK_JAEGER_QUERY_PORT')}/api/traces/{trace_id}")
        return found["data"][0] if found and found["data"] else None

    def search(self, **parameters: Any) -> list[dict[str, Any]]:
        """Traces that Jaeger's page would list: `service`, `operation`, `tags`, `minDuration`, `limit`, ..."""
        return get(f"{self.plan.url('STACK_JAEGER_QUERY_PORT')}/api/traces", **parameters)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query of Prometheus."""
        return get(f"{self.plan.url('PROMETHEUS')}/api/v1/query", query=expression)["data"]["result"]

    def value(self, expression: str) -> float | None:
        """The one value of an instant query; None when it has no result."""
        found = self.query(expression)
        assert len(found) <= 1, f"{expression} has {len(found)} results"
        return float(found[0]["value"][1]) if found else None

    def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """The exemplars of the last hour, with the labels of their series."""
        now = time.time()
        url = f"{self.plan.url('PROMETHEUS')}/api/v1/query_exemplars"
        series = get(url, query=expression, start=now - 3600, end=now + 60)["data"]
        return [exemplar | {"series": each["seriesLabels"]} for each in series for exemplar in each["exemplars"]]


@contextmanager
def running_stack(folder: Path, team: bool = True) -> Iterator[RunningStack]:
    """Start the real servers on free ports, with data in `folder`, and stop them at the end."""
    names = sorted({server.binary for server in make_plan(Layout(folder), CONFIGURATION, team).servers})
    missing = [name for name in names if not cached(BINARIES[name], CONFIGURATION).is_file()]
    assert not missing, f"{', '.join(missing)} not built: run `ocr-otel stack build` first, as `make test-stack` does"
    layout = Layout(folder.absolute())
    plan = make_plan(layout, CONFIGURATION, team, free_offset())
    try:
        up(plan, layout, CONFIGURATION, {name: cached(BINARIES[name], CONFIGURATION) for name in names})
        secrets = {"STACK_GATEWAY_TOKEN": layout.token.read_text()} if team else {}
        yield RunningStack(plan, layout, secrets)
    finally:
        down(layout)
