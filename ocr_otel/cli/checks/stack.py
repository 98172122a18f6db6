"""Follows one span and one metric point through the Collector into Jaeger and Prometheus."""

from __future__ import annotations

import json
import os
import secrets
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from ocr_otel import semconv, settings
from ocr_otel.cli.checks.export import OTLP_EXPORTERS, try_exports
from ocr_otel.cli.checks.finding import Finding, Status
from ocr_otel.cli.checks.logs import reason
from ocr_otel.cli.checks.places import Stations
from ocr_otel.cli.checks.probe import Probe, make_probe
from ocr_otel.cli.checks.stations import Counted, Loss, Sample, count, parse, where_lost
from ocr_otel.stack.processes import DIRECT
from ocr_otel.telemetry import destination
from ocr_otel.telemetry.exporting import Signal

ARRIVAL_SECONDS: Final = 40.0
"""How long a trace may take to Jaeger: the gateway waits 12 s before it decides, and each queue a second or two."""
_POLL_SECONDS: Final = 0.5
_ANSWER_SECONDS: Final = 3.0
_SERVICE: Final = "ocr-otel-doctor"
_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class _Backend:
    """The last station of a signal: how it is called in findings and by exporters, and how it is asked."""

    signal: Signal
    check: str
    url: str
    has_it: Callable[[], bool]


def check_stack(stations: Stations) -> Iterator[Finding]:
    """Send a span and a metric point, look for them where they should end, and say which station lost them."""
    run_id = f"doctor-{secrets.token_hex(6)}"
    probe = make_probe({"service.name": _SERVICE, semconv.RUN_ID: run_id})
    before = {station: _page(url) for station, url in stations.collectors.items()}
    for station, page in before.items():
        if page is None:
            yield Finding(
                station,
                Status.WARN,
                f"its own metrics cannot be read at {stations.collectors[station]}",
                "Is it down? Without them the doctor cannot tell where something is lost.",
            )
    began = time.monotonic()
    with _environment(stations.endpoint):
        sent = _send(probe)
    yield from sent
    taken = {each.check for each in sent if each.status is Status.OK}
    backends = [each for each in _backends(stations, probe, run_id) if each.signal in taken]
    waiting: dict[str, tuple[_Backend, str]] = {}
    for backend in backends:
        waiting[backend.check] = backend, ""
    while waiting:
        is_over = time.monotonic() - began > ARRIVAL_SECONDS
        for backend, _ in list(waiting.values()):
            problem = _ask(backend)
            if problem is None:
                del waiting[backend.check]
                seconds = time.monotonic() - began
                yield Finding(backend.check, Status.OK, f"has it, {seconds:.0f} s after it was sent ({backend.url})")
            else:
                waiting[backend.check] = backend, problem
        if is_over:
            break
        if waiting:
            time.sleep(_POLL_SECONDS)
    after = {station: _page(url) for station, url in stations.collectors.items()} if waiting else {}
    for backend, problem in waiting.values():
        yield _explain(backend, problem, before, after, stations)


def _send(probe: Probe) -> list[Finding]:
    try:
        target = destination()
    except settings.SettingsError as error:
        return [Finding("destination", Status.FAIL, str(error), "Correct or unset the variable.")]
    pairs: list[tuple[Signal, str]] = [("traces", name) for name in target.traces if name in OTLP_EXPORTERS]
    pairs += [("metrics", name) for name in target.metrics if name in OTLP_EXPORTERS]
    found = try_exports(pairs, probe)
    missing = {"traces", "metrics"} - {signal for signal, _ in pairs}
    return found + [
        Finding(signal, Status.FAIL, f"not sent over OTLP: telemetry goes {target.describe()}",
                f"Unset OTEL_SDK_DISABLED and OTEL_{signal.upper()}_EXPORTER.")
        for signal in sorted(missing)
    ]  # fmt: skip


def _backends(stations: Stations, probe: Probe, run_id: str) -> tuple[_Backend, _Backend]:
    def jaeger_has_it() -> bool:
        try:
            found = _get(f"{stations.jaeger}/api/traces/{probe.trace_id}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise
        return bool(found.get("data"))

    def prometheus_has_it() -> bool:
        name = semconv.prometheus_name(semconv.METRICS[semconv.METRIC_DOCTOR_CHECKS])
        label = semconv.RUN_ID.replace(".", "_")
        query = urllib.parse.urlencode({"query": f'{name}{{{label}="{run_id}"}}'})
        return bool(_get(f"{stations.prometheus}/api/v1/query?{query}")["data"]["result"])

    return (
        _Backend("traces", "jaeger", stations.jaeger, jaeger_has_it),
        _Backend("metrics", "prometheus", stations.prometheus, prometheus_has_it),
    )


def _ask(backend: _Backend) -> str | None:
    """Return None when the backend has it, else why not; empty when it answers and has it not."""
    try:
        return None if backend.has_it() else ""
    except urllib.error.HTTPError as error:
        return f"answers {error.code} {error.reason}"
    except urllib.error.URLError as error:
        return f"does not answer ({error.reason})"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"does not answer as it should ({type(error).__name__}: {error})"


def _explain(
    backend: _Backend,
    problem: str,
    before: Mapping[str, list[Sample] | None],
    after: Mapping[str, list[Sample] | None],
    stations: Stations,
) -> Finding:
    counted = {
        station: count(backend.signal, first, last)
        for station, first in before.items()
        if first is not None and (last := after[station]) is not None
    }
    loss = where_lost(backend.check, counted)
    item = "span" if backend.signal == "traces" else "metric point"
    if loss is not None:
        return _explain_loss(loss, item, counted, stations)
    if problem:
        return Finding(
            backend.check,
            Status.FAIL,
            f"its query API at {backend.url} {problem}, so nobody can say whether the {item} arrived",
            "Start it, or correct its address.",
        )
    if silent := [station for station in before if station not in counted]:
        return Finding(
            backend.check,
            Status.FAIL,
            f"does not have the {item} after {ARRIVAL_SECONDS:.0f} s, and {' and '.join(silent)} cannot be asked why",
            "Look at the Collector's log.",
        )
    nearest = list(counted)[-1] if counted else "the Collector"
    return Finding(
        backend.check,
        Status.FAIL,
        f"does not have the {item} after {ARRIVAL_SECONDS:.0f} s, though {nearest} delivered all it had",
        f"Does {nearest} send to this {backend.check.capitalize()} ({backend.url}), and does no sampling or filter "
        "take it out?",
    )


def _explain_loss(loss: Loss, item: str, counted: Mapping[str, Counted], stations: Stations) -> Finding:
    if not loss.towards:
        return Finding(
            loss.station,
            Status.FAIL,
            f"refuses the {item} at its door, mostly for want of memory",
            "Look at its memory_limiter and at what else is sent to it.",
        )
    target = loss.target
    what = (
        f"gave the {item} up: {target} does not take it" if loss.is_given_up else f"holds the {item} back for {target}"
    )
    why, advice = "", f"Is {target} up, and is its address right in {loss.station}'s configuration?"
    if target in counted and counted[target].unauthorized:
        why, advice = "which refuses its token", "Give both the same STACK_GATEWAY_TOKEN."
    elif (log := stations.logs.get(loss.station)) is not None and (known := reason(log, loss.towards)) is not None:
        why, advice = known
    found = f"{what}, {why}" if why.startswith("which") else f"{what}: {why}" if why else what
    return Finding(loss.station, Status.FAIL, found, advice)


def _page(url: str) -> list[Sample] | None:
    try:
        with DIRECT.open(url, timeout=_ANSWER_SECONDS) as response:
            return parse(response.read().decode(errors="replace"))
    except (OSError, ValueError):
        return None


def _get(url: str) -> Any:
    host = urllib.parse.urlsplit(url).hostname or ""
    # Beyond this machine there may be a proxy on the way, as for everything else.
    opener = DIRECT.open if host in _LOOPBACK else urllib.request.urlopen
    with opener(url, timeout=_ANSWER_SECONDS) as response:
        return json.load(response)


@contextmanager
def _environment(endpoint: str) -> Iterator[None]:
    """Name the stack's endpoint for the exporters, unless the environment names one as for a training."""
    if any(
        name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("ENDPOINT") and os.environ[name] for name in os.environ
    ):
        yield
        return
    ours = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
