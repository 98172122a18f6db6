"""Where telemetry goes, decided from the standard `OTEL_*` variables as the SDK's own configuration decides it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Final, Literal

from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
    OTEL_EXPORTER_OTLP_METRICS_ENDPOINT,
    OTEL_EXPORTER_OTLP_METRICS_PROTOCOL,
    OTEL_EXPORTER_OTLP_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_SDK_DISABLED,
)

from ocr_otel.errors import SettingsError

Signal = Literal["traces", "metrics", "logs"]

OTEL_TRACES_EXPORTER: Final = "OTEL_TRACES_EXPORTER"
OTEL_METRICS_EXPORTER: Final = "OTEL_METRICS_EXPORTER"
OTEL_LOGS_EXPORTER: Final = "OTEL_LOGS_EXPORTER"

_EXPORTER_VARIABLE: Final[dict[Signal, str]] = {
    "traces": OTEL_TRACES_EXPORTER,
    "metrics": OTEL_METRICS_EXPORTER,
    "logs": OTEL_LOGS_EXPORTER,
}
_PROTOCOL_VARIABLE: Final[dict[Signal, str]] = {
    "traces": OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    "metrics": OTEL_EXPORTER_OTLP_METRICS_PROTOCOL,
    "logs": OTEL_EXPORTER_OTLP_LOGS_PROTOCOL,
}
_BY_PROTOCOL: Final = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where telemetry goes.

    Attributes:
        kind: `files` is the embedded default, `exporters` those that the environment names, `disabled` nowhere.
        traces: Names of the exporters of spans, as registered under `opentelemetry_traces_exporter`.
        metrics: Names of the exporters of metrics.
    """

    kind: Literal["files", "exporters", "disabled"]
    traces: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()

    def describe(self, environ: Mapping[str, str] | None = None) -> str:
        """Say it in words, with the endpoint but without credentials."""
        if self.kind == "disabled":
            return f"nowhere ({OTEL_SDK_DISABLED}=true)"
        if self.kind == "files":
            return "files in the run directory"
        env = os.environ if environ is None else environ
        endpoint = env.get(OTEL_EXPORTER_OTLP_ENDPOINT) or env.get(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
        names = ", ".join(dict.fromkeys(self.traces + self.metrics)) or "no exporter"
        return f"{names} at {without_credentials(endpoint)}" if endpoint and "otlp" in names else names


def without_credentials(url: str) -> str:
    """Return the URL without user and password."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    authority, slash, path = rest.partition("/")
    return scheme + separator + authority.rpartition("@")[2] + slash + path


def destination(environ: Mapping[str, str] | None = None) -> Destination:
    """Decide where telemetry goes.

    Args:
        environ: The environment; the process's own by default.

    Raises:
        SettingsError: An OTLP protocol or an exporter is named that is not installed.
    """
    env = os.environ if environ is None else environ
    if env.get(OTEL_SDK_DISABLED, "").strip().lower() == "true":
        return Destination("disabled")
    endpoints = (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT)
    named = [variable for variable in (OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER) if env.get(variable)]
    if not named and not any(env.get(variable) for variable in endpoints):
        return Destination("files")
    return Destination("exporters", _names("traces", env), _names("metrics", env))


def log_exporters(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the names of the exporters of log records, where those of spans and metrics are named.

    Raises:
        SettingsError: An OTLP protocol is named that is not installed.
    """
    return _names("logs", os.environ if environ is None else environ)


def load_exporter(signal: Signal, name: str) -> Any:
    """Make an exporter, which reads its own `OTEL_*` variables.

    Returns:
        A `SpanExporter`, `LogRecordExporter` or `MetricExporter`, or a `MetricReader` where one is pulled from.

    Raises:
        SettingsError: No exporter of that name is installed.
    """
    group = f"opentelemetry_{signal}_exporter"
    found = entry_points(group=group, name=name)
    if not found:
        known = ", ".join(sorted({point.name for point in entry_points(group=group)}))
        raise SettingsError(f"{_EXPORTER_VARIABLE[signal]} names {name!r}, which is not installed; known are: {known}.")
    return next(iter(found)).load()()


def _names(signal: Signal, env: Mapping[str, str]) -> tuple[str, ...]:
    # `otlp` is the specification's default for a signal whose exporter is not named.
    names = [name.strip() for name in (env.get(_EXPORTER_VARIABLE[signal]) or "otlp").split(",")]
    return tuple(_resolve(signal, name, env) for name in names if name and name.lower() != "none")


def _resolve(signal: Signal, name: str, env: Mapping[str, str]) -> str:
    if name != "otlp":
        return name
    variable = _PROTOCOL_VARIABLE[signal] if env.get(_PROTOCOL_VARIABLE[signal]) else OTEL_EXPORTER_OTLP_PROTOCOL
    protocol = (env.get(variable) or "grpc").strip()
    if protocol not in _BY_PROTOCOL:
        raise SettingsError(f"{variable}={protocol!r} is not allowed: use one of {', '.join(_BY_PROTOCOL)}.")
    return _BY_PROTOCOL[protocol]
