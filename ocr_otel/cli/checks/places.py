"""Where the servers of a stack are: of the one that `ocr-otel stack` started here, or at the usual ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ocr_otel import stack

_METRICS: Final = {
    "agent": "STACK_AGENT_METRICS_PORT",
    "collector": "STACK_AGENT_METRICS_PORT",
    "gateway": "STACK_GATEWAY_METRICS_PORT",
}
"""Collectors in the order in which telemetry passes them, and the port of their own metrics."""


@dataclass(frozen=True, slots=True)
class Stations:
    """Where the servers of a stack are.

    Attributes:
        endpoint: OTLP over gRPC, where trainings send; used where the environment names none.
        collectors: Pages with Collectors' own metrics, by station, in the order in which telemetry passes them.
        jaeger: Its query API.
        prometheus: Its query API.
        logs: Logs of Collectors by station, where they are on this machine.
    """

    endpoint: str
    collectors: Mapping[str, str]
    jaeger: str
    prometheus: str
    logs: Mapping[str, Path] = field(default_factory=dict)


def find_stations(directory: Path, jaeger: str | None = None, prometheus: str | None = None) -> Stations:
    """Return the places of the stack that was started in `directory`; of a single Collector at the usual ports if none.

    Args:
        directory: The stack's directory.
        jaeger: URL of Jaeger's query API, where it is another one.
        prometheus: URL of Prometheus, where it is another one.

    Raises:
        StackError: The stack's description cannot be read.
    """
    layout, configuration = stack.Layout(directory.absolute()), stack.configuration_directory()
    running = stack.running_plan(layout, configuration)
    plan = running or stack.make_plan(layout, configuration, team=False)
    collectors = [server.name for server in plan.servers if server.name in _METRICS]
    return Stations(
        plan.training_environment()["OTEL_EXPORTER_OTLP_ENDPOINT"],
        {name: f"{plan.url(key)}/metrics" for name, key in _METRICS.items() if name in collectors},
        (jaeger or plan.url("STACK_JAEGER_QUERY_PORT")).rstrip("/"),
        (prometheus or plan.url("PROMETHEUS")).rstrip("/"),
        {name: layout.log(name) for name in collectors} if running else {},
    )
