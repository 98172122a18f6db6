"""Which servers run, with what arguments, variables and ports: decided here, done in `lifecycle`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocr_otel.stack.files import Layout
from ocr_otel.stack.ports import HOST, Port, ports

RETENTION: Final = "30d"
"""How long Prometheus keeps what it was sent."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server to run.

    Attributes:
        name: What it is called in messages, files and tables.
        binary: The program's name, one of `BINARIES`.
        arguments: Its command line, without the program.
        environment: Variables for it, on top of the usual ones.
        directory: Where it works.
        ready_url: Answers 200 once the server does its work.
    """

    name: str
    binary: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    ready_url: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole stack, ready to be started.

    Attributes:
        servers: In order of start: receivers before those that send to them.
        ports: Every port by its key, see `ports.ports`.
        team: Whether there is a gateway beside the agent.
        offset: How far every port is moved.
    """

    servers: tuple[Server, ...]
    ports: Mapping[str, Port]
    team: bool
    offset: int

    def address(self, key: str) -> str:
        """Return host and port, such as `127.0.0.1:4317`."""
        return f"{HOST}:{self.ports[key].number}"

    def url(self, key: str) -> str:
        """Return the URL of a port that speaks HTTP."""
        return f"http://{self.address(key)}"

    def training_environment(self) -> dict[str, str]:
        """Return the three variables with which a training on this machine sends to the stack."""
        return {
            "OCR_OTEL_ENABLED": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url("STACK_AGENT_GRPC_PORT"),
            "OTEL_SERVICE_NAME": "ocr-training",
        }


def make_plan(layout: Layout, configuration: Path, team: bool, offset: int = 0) -> Plan:
    """Decide what runs.

    Args:
        layout: The stack's directory.
        configuration: `collector-config/`.
        team: Agent and gateway, with TLS and a token between them, in place of one Collector.
        offset: Added to every port.

    Raises:
        StackError: The offset leads out of the range of ports.
    """
    plan = Plan((), ports(team, offset), team, offset)
    shared = {
        "STACK_LISTEN": HOST,
        "STACK_TLS_DIRECTORY": str(layout.tls),
        "STACK_JAEGER_ENDPOINT": plan.address("STACK_JAEGER_GRPC_PORT"),
        "STACK_PROMETHEUS_OTLP_ENDPOINT": f"{plan.url('PROMETHEUS')}/api/v1/otlp",
        **{port.variable: str(port.number) for port in plan.ports.values() if port.variable},
    }
    if team:
        shared["STACK_GATEWAY_ENDPOINT"] = plan.address("STACK_GATEWAY_GRPC_PORT")

    def with_own_data(name: str) -> dict[str, str]:
        return {**shared, "STACK_DATA_DIRECTORY": str(layout.data(name))}

    def collector(name: str, health: str) -> Server:
        # The single Collector is configured by the file `single.yaml`.
        file = configuration / ("single.yaml" if name == "collector" else f"{name}.yaml")
        return Server(
            name, "otelcol", (f"--config=file:{file}",), with_own_data(name), layout.work(name), plan.url(health)
        )

    jaeger = Server(
        "jaeger",
        "jaeger",
        (f"--config=file:{configuration / 'jaeger.yaml'}",),
        with_own_data("jaeger"),
        layout.work("jaeger"),
        f"{plan.url('STACK_JAEGER_HEALTH_PORT')}/status",
    )
    prometheus = Server(
        "prometheus",
        "prometheus",
        (
            f"--config.file={layout.prometheus / 'prometheus.yaml'}",
            f"--web.listen-address={plan.address('PROMETHEUS')}",
            f"--storage.tsdb.path={layout.data('prometheus')}",
            f"--storage.tsdb.retention.time={RETENTION}",
            "--web.enable-otlp-receiver",
            "--enable-feature=exemplar-storage",
        ),
        {},
        layout.work("prometheus"),
        f"{plan.url('PROMETHEUS')}/-/ready",
    )
    alertmanager = Server(
        "alertmanager",
        "alertmanager",
        (
            f"--config.file={layout.alertmanager / 'alertmanager.yaml'}",
            f"--web.listen-address={plan.address('ALERTMANAGER')}",
            f"--storage.path={layout.data('alertmanager')}",
            # Alone: without this it listens on every interface for others to form a cluster with.
            "--cluster.listen-address=",
        ),
        {},
        layout.work("alertmanager"),
        f"{plan.url('ALERTMANAGER')}/-/ready",
    )
    collectors = (
        [
            collector("gateway", "STACK_GATEWAY_HEALTH_PORT"),
            collector("agent", "STACK_AGENT_HEALTH_PORT"),
        ]
        if team
        else [collector("collector", "STACK_AGENT_HEALTH_PORT")]
    )
    return Plan((jaeger, prometheus, alertmanager, *collectors), plan.ports, team, offset)
