"""The servers that telemetry goes to, on this machine and without containers: built, started, found and stopped.

Collector, Jaeger, Prometheus and Alertmanager, from the same configuration files as `docker-compose.yml`.
"""

from ocr_otel.stack.binaries import BINARIES, Binary, cached, version
from ocr_otel.stack.building import build
from ocr_otel.stack.errors import StackError
from ocr_otel.stack.files import Layout, configuration_directory
from ocr_otel.stack.lifecycle import ServerState, down, running_plan, state, up
from ocr_otel.stack.plan import Plan, Server, make_plan

__all__ = [
    "BINARIES",
    "Binary",
    "Layout",
    "Plan",
    "Server",
    "ServerState",
    "StackError",
    "build",
    "cached",
    "configuration_directory",
    "down",
    "make_plan",
    "running_plan",
    "state",
    "up",
    "version",
]
