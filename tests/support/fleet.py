"""A real fleet on this machine for tests: an agent, a balancer, several gateways, Jaeger and Prometheus."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import psutil
import yaml

from ocr_otel.cli.checks.stations import Sample, parse
from ocr_otel.stack import BINARIES, Layout, Plan, Server, cached, make_plan, processes
from ocr_otel.stack.preparing import prepare
from tests.support.ports import free_offset, free_ports
from tests.support.stack import CONFIGURATION, RunningStack, wait_for

COMPOSE: Final = CONFIGURATION.parent / "docker-compose.yml"
KINDS: Final = ("GRPC", "HTTP", "METRICS", "HEALTH")
READY_SECONDS: Final = 90.0
STOP_SECONDS: Final = 20.0
_UNITS: Final = {"m": 1, "g": 1024}


def limits() -> dict[str, int]:
    """Return the memory that the compose file gives each server, MiB."""
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    found = {}
    for name, service in services.items():
        number, unit = re.fullmatch(r"(\d+)([mg])", service["mem_limit"]).groups()  # type: ignore[union-attr]
        found[name] = int(number) * _UNITS[unit]
    return found


def go_limits() -> dict[str, str]:
    """Return what the compose file tells Go's garbage collector in each server."""
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    told = {name: service.get("environment", {}).get("GOMEMLIMIT") for name, service in services.items()}
    return {name: value for name, value in told.items() if value}


@dataclass(slots=True)
class Usage:
    """What a server has taken.

    Attributes:
        peak_mib: Most resident memory.
        cpu_seconds: CPU since its start.
    """

    peak_mib: float = 0.0
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunningFleet:
    """A fleet that runs.

    Attributes:
        stack: The same for what it has in common with the team's form: Jaeger, Prometheus and the agent.
        servers: Every server by name.
        metrics: Where each Collector and Jaeger tells its own metrics.
        gateways: Names of the gateways.
    """

    stack: RunningStack
    servers: Mapping[str, Server]
    metrics: Mapping[str, str]
    gateways: tuple[str, ...]
    usage: dict[str, Usage] = field(default_factory=dict)

    def samples(self, name: str) -> list[Sample]:
        """The own metrics of a Collector or Jaeger, `_total` left off."""
        with processes.DIRECT.open(self.metrics[name], timeout=20) as response:
            return parse(response.read().decode())

    def counted(self, name: str, metric: str, **labels: str) -> float:
        """The sum of one of them over all series with these labels."""
        return sum(
            sample.value
            for sample in self.samples(name)
            if sample.name == metric and labels.items() <= sample.labels.items()
        )

    def of_gateways(self, metric: str, **labels: str) -> dict[str, float]:
        """The same of each gateway."""
        return {name: self.counted(name, metric, **labels) for name in self.gateways}

    def start(self, name: str) -> None:
        """Start a server, and wait until it is ready."""
        server, layout = self.servers[name], self.stack.layout
        processes.start(
            [str(cached(BINARIES[server.binary], CONFIGURATION)), *server.arguments],
            {**server.environment, **self.stack.secrets},
            server.directory,
            layout.log(name),
            layout.process(name),
        )
        wait_for(lambda: processes.answers(server.ready_url), READY_SECONDS, f"{name} is ready")

    def stop(self, name: str) -> None:
        """Stop a server."""
        processes.stop(self.stack.layout.process(name), STOP_SECONDS)

    def look(self) -> None:
        """Note what each server takes now."""
        for name in self.servers:
            process = processes.find(self.stack.layout.process(name))
            if process is None:
                continue
            try:
                times, resident = process.cpu_times(), process.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            usage = self.usage.setdefault(name, Usage())
            usage.peak_mib = max(usage.peak_mib, resident / 2**20)
            usage.cpu_seconds = times.user + times.system


@contextmanager
def running_fleet(folder: Path, gateways: int = 2, **variables: str) -> Iterator[RunningFleet]:
    """Start a fleet on free ports, with data in `folder`, watch what it takes, and stop it at the end.

    Args:
        folder: Gets everything that the servers write.
        gateways: How many.
        variables: For every server, such as `STACK_KEEP_REGULAR_PERCENT`.
    """
    layout = Layout(folder.absolute())
    plan = make_plan(layout, CONFIGURATION, team=True, offset=free_offset())
    servers, metrics, names = _servers(plan, layout, gateways, variables)
    missing = [
        name
        for name in {each.binary for each in servers.values()}
        if not cached(BINARIES[name], CONFIGURATION).is_file()
    ]
    assert not missing, f"{', '.join(missing)} not built: run `ocr-otel stack build` first, as `make test-stack` does"
    secrets = prepare(plan, layout, CONFIGURATION)
    scraped = [
        {"targets": [url.split("/")[2]], "labels": {"server": name.split("-")[0]}} for name, url in metrics.items()
    ]
    (layout.prometheus / "targets" / "servers.yaml").write_text(json.dumps(scraped), encoding="utf-8")
    fleet = RunningFleet(RunningStack(plan, layout, secrets), servers, metrics, names)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            fleet.look()

    watching = threading.Thread(target=watch, daemon=True)
    try:
        for name in servers:
            fleet.start(name)
        watching.start()
        yield fleet
    finally:
        over.set()
        for name in reversed(servers):
            fleet.stop(name)


def _servers(
    plan: Plan, layout: Layout, gateways: int, variables: Mapping[str, str]
) -> tuple[dict[str, Server], dict[str, str], tuple[str, ...]]:
    """Return servers in order of start, where their metrics are, and the names of the gateways."""
    by_name = {server.name: server for server in plan.servers}
    told = go_limits()
    found = {name: by_name[name] for name in ("jaeger", "prometheus")}
    metrics = {"jaeger": f"{plan.url('STACK_JAEGER_METRICS_PORT')}/metrics"}
    ports = free_ports(len(KINDS) * (gateways + 1))

    def collector(name: str, prefix: str, like: Server, file: Path, **more: str) -> str:
        own = {kind: ports.pop() for kind in KINDS}
        environment = {
            **like.environment,
            "STACK_DATA_DIRECTORY": str(layout.data(name)),
            **{f"STACK_{prefix}_{kind}_PORT": str(port) for kind, port in own.items()},
            **more,
        }
        ready = f"http://127.0.0.1:{own['HEALTH']}/"
        found[name] = Server(name, "otelcol", (f"--config=file:{file}",), environment, layout.data(name), ready)
        metrics[name] = f"http://127.0.0.1:{own['METRICS']}/metrics"
        return f"127.0.0.1:{own['GRPC']}"

    names = tuple(f"gateway-{number}" for number in range(1, gateways + 1))
    endpoints = [collector(name, "GATEWAY", by_name["gateway"], CONFIGURATION / "gateway.yaml") for name in names]
    balancer = collector(
        "balancer",
        "BALANCER",
        by_name["gateway"],
        CONFIGURATION / "fleet" / "balancer.yaml",
        STACK_FLEET_GATEWAYS=json.dumps(endpoints),
        # The certificate that is made on this machine has this name.
        STACK_FLEET_GATEWAY_NAME="localhost",
    )
    found["agent"] = replace(
        by_name["agent"], environment={**by_name["agent"].environment, "STACK_GATEWAY_ENDPOINT": balancer}
    )
    metrics["agent"] = f"{plan.url('STACK_AGENT_METRICS_PORT')}/metrics"
    for name, server in found.items():
        limit = told.get(name.split("-")[0])
        environment: dict[str, Any] = {**server.environment, **variables} | ({"GOMEMLIMIT": limit} if limit else {})
        found[name] = replace(server, environment=environment)
    return found, metrics, names


def settled(fleet: RunningFleet, seconds: float) -> None:
    """Wait until no server has a queue and no gateway a trace that waits for its decision."""
    deadline = time.monotonic() + seconds
    quiet = 0
    while quiet < 3:
        assert time.monotonic() < deadline, waiting(fleet)
        quiet = 0 if waiting(fleet) else quiet + 1
        time.sleep(1)


def waiting(fleet: RunningFleet) -> dict[str, float]:
    """Return what waits anywhere."""
    found = {
        name: fleet.counted(name, "otelcol_exporter_queue_size") for name in ("agent", "balancer", *fleet.gateways)
    }
    found |= {
        f"{name} undecided": fleet.counted(name, "otelcol_processor_tail_sampling_sampling_traces_on_memory")
        for name in fleet.gateways
    }
    return {name: number for name, number in found.items() if number}
