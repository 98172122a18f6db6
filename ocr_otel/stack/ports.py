"""The ports on which the servers listen, all moved together by one offset."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Final

import psutil

from ocr_otel.stack.errors import StackError

HOST: Final = "127.0.0.1"
HIGHEST: Final = 65535


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a server listens on.

    Attributes:
        server: Who listens.
        purpose: What for.
        number: Which.
        variable: The variable by which the configuration files read it; empty where it is given by a flag.
    """

    server: str
    purpose: str
    number: int
    variable: str = ""


_COLLECTORS: Final = (
    ("OTLP/gRPC", "GRPC", 4317, 14317),
    ("OTLP/HTTP", "HTTP", 4318, 14318),
    ("its own metrics", "METRICS", 8888, 8889),
    ("health", "HEALTH", 13133, 13134),
)
_JAEGER: Final = (
    ("OTLP/gRPC", "GRPC", 24317),
    ("web page and query API", "QUERY", 16686),
    ("query API over gRPC", "QUERY_GRPC", 16685),
    ("its own metrics", "METRICS", 8890),
    ("health", "HEALTH", 13135),
)


def ports(team: bool, offset: int = 0) -> dict[str, Port]:
    """Return every port of the stack, by variable, `PROMETHEUS` and `ALERTMANAGER`.

    Args:
        team: Whether there is a gateway beside the agent.
        offset: Added to each number.

    Raises:
        StackError: The offset leads out of the range of ports.
    """
    first = "agent" if team else "collector"
    found = [Port(first, what, number, f"STACK_AGENT_{name}_PORT") for what, name, number, _ in _COLLECTORS]
    if team:
        found += [Port("gateway", what, number, f"STACK_GATEWAY_{name}_PORT") for what, name, _, number in _COLLECTORS]
    found += [Port("jaeger", what, number, f"STACK_JAEGER_{name}_PORT") for what, name, number in _JAEGER]
    keyed = {port.variable: port for port in found}
    keyed["PROMETHEUS"] = Port("prometheus", "web page, query API and OTLP", 9090)
    keyed["ALERTMANAGER"] = Port("alertmanager", "web page and API", 9093)
    highest = max(port.number for port in keyed.values())
    if not 0 <= offset <= HIGHEST - highest:
        raise StackError(f"--port-offset {offset} is not allowed: it must be from 0 to {HIGHEST - highest}")
    return {key: Port(port.server, port.purpose, port.number + offset, port.variable) for key, port in keyed.items()}


def taken(wanted: dict[str, Port]) -> list[Port]:
    """Return the ports on which something listens already."""
    return [port for port in wanted.values() if not _is_free(port.number)]


def explain_taken(port: Port) -> str:
    """Say in words which port is taken, for which server, and by whom if that can be seen."""
    owner = _listener(port.number)
    by = f" by {owner}" if owner else ""
    return f"port {port.number}, which {port.server} needs for {port.purpose}, is taken{by}"


def _is_free(number: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a connection that was just closed does not hold the port, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, number))
        except OSError:
            return False
    return True


def _listener(number: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == number and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        # Other people's processes are not shown to everybody.
        return ""
    return ""
