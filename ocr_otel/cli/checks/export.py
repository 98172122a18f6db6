"""One real export of a span and of a metric through the real exporter, bounded in time."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from ocr_otel.cli.checks.finding import Finding, Status
from ocr_otel.cli.checks.probe import Probe, make_probe
from ocr_otel.cli.checks.words import PORTS, TIMEOUT, explain
from ocr_otel.environment import changed_environment
from ocr_otel.telemetry import load_exporter
from ocr_otel.telemetry.exporting import Signal, without_credentials

OTLP_EXPORTERS: Final = {"otlp_proto_grpc": "OTLP/gRPC", "otlp_proto_http": "OTLP/HTTP", "otlp_json_http": "OTLP/HTTP"}
"""Exporters that are tried, and what they speak."""

_ITEM: Final[dict[Signal, str]] = {"traces": "span", "metrics": "metric"}
_OTLP: Final = "OTEL_EXPORTER_OTLP_"
_SHOWN: Final = 300
"""Characters of an exporter's own words that are shown where none of ours fit."""
_SAYS_NOTHING: Final = "due to timeout, max retries or shutdown"
"""Ends the log of the HTTP exporter whatever the reason was."""


def try_exports(pairs: Sequence[tuple[Signal, str]], probe: Probe | None = None) -> list[Finding]:
    """Export one span or metric through each exporter, all at once, and say which were taken.

    Args:
        pairs: Signal and name of the exporter, one of `OTLP_EXPORTERS`.
        probe: What is exported; a new span and metric by default.
    """
    sent = probe or make_probe()
    with _short_timeout():
        attempts = [_Attempt(signal, name, sent) for signal, name in pairs]
    with _listening() as said:
        for attempt in attempts:
            attempt.start()
        deadline = time.monotonic() + TIMEOUT + 1
        for attempt in attempts:
            attempt.join(max(0.0, deadline - time.monotonic()))
        return [attempt.finding(said[attempt.name]) for attempt in attempts]


class _Attempt(threading.Thread):
    """One export on a thread of its own, because the SDK cannot be told to give up."""

    def __init__(self, signal: Signal, exporter: str, probe: Probe) -> None:
        super().__init__(name=f"ocr-otel-doctor-{signal}-{exporter}", daemon=True)
        self._signal = signal
        self._item = probe.spans if signal == "traces" else probe.metrics
        self._spoken = OTLP_EXPORTERS[exporter]
        self._endpoint = _endpoint(signal, self._spoken)
        self._problem: tuple[str, str] | None = None
        self._seconds: float | None = None
        self._is_taken = False
        self._error = ""
        self._loaded: Any = None
        try:
            self._loaded = load_exporter(signal, exporter)
        except Exception as error:
            self._error = f"{type(error).__name__}: {error}"

    def run(self) -> None:
        self._problem = _connection_problem(self._endpoint, self._spoken)
        if self._problem is not None or self._loaded is None:
            return
        began = time.monotonic()
        try:
            result = self._loaded.export(self._item)
            self._is_taken = result.name == "SUCCESS"
            self._loaded.shutdown()
        except Exception as error:
            self._error = f"{type(error).__name__}: {error}"
        self._seconds = time.monotonic() - began

    def finding(self, logged: list[str]) -> Finding:
        where = f"{self._spoken} at {without_credentials(self._endpoint)}"
        if self._problem is not None:
            return Finding(self._signal, Status.FAIL, f"{where}: {self._problem[0]}", self._problem[1])
        if self._is_taken and self._seconds is not None:
            millis = self._seconds * 1000
            return Finding(self._signal, Status.OK, f"{where} took a test {_ITEM[self._signal]} in {millis:.0f} ms")
        words = [each for each in [*logged, self._error] if each and _SAYS_NOTHING not in each]
        if not words:
            # Nothing was logged on the way: it hung until the deadline, or asked to wait beyond it.
            is_late = self._seconds is None or self._seconds > 0.8 * TIMEOUT
            words = ["timed out" if is_late else "503 Service Unavailable"]
        finding, advice = explain(_scrub(" | ".join(dict.fromkeys(words))), self._spoken)
        if "certificate" in finding and self._spoken == "OTLP/HTTP":
            advice = _overruled_certificate(self._signal) or advice
        return Finding(self._signal, Status.FAIL, f"{where}: {finding}", advice)


def _endpoint(signal: Signal, spoken: str) -> str:
    own = os.environ.get(f"{_OTLP}{signal.upper()}_ENDPOINT")
    return own or os.environ.get(f"{_OTLP}ENDPOINT") or f"http://localhost:{PORTS[spoken]}"


def _overruled_certificate(signal: Signal) -> str:
    # `requests`, under the HTTP exporter, prefers these to the file that the exporter hands it.
    winner = next((name for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if os.environ.get(name)), "")
    names = (f"{_OTLP}{signal.upper()}_CERTIFICATE", f"{_OTLP}CERTIFICATE")
    if not winner or not any(os.environ.get(name) for name in names):
        return ""
    return f"{winner} is set and overrules {_OTLP}CERTIFICATE: unset it, add the CA to its file, or use gRPC."


def _connection_problem(endpoint: str, spoken: str) -> tuple[str, str] | None:
    # The exporter would retry for seconds and then say less. Behind a proxy only the exporter can tell.
    has_scheme = "://" in endpoint
    correct = f"Write it like http://localhost:{PORTS[spoken]}."
    if spoken == "OTLP/HTTP" and not endpoint.startswith(("http://", "https://")):
        return "the endpoint does not begin with http:// or https://", correct
    try:
        parts = urlsplit(endpoint if has_scheme else f"//{endpoint}")
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        return f"the endpoint is not a URL ({error})", correct
    if not host:
        return None if spoken == "OTLP/gRPC" else ("the endpoint has no host", correct)
    if urllib.request.getproxies().get(parts.scheme) and not urllib.request.proxy_bypass(host):
        return None
    start = f"Start the receiver, or correct the endpoint: {spoken} is usually on port {PORTS[spoken]}."
    try:
        socket.create_connection((host, port), timeout=TIMEOUT).close()
    except ConnectionRefusedError:
        return f"connection refused: nothing listens on port {port}", start
    except socket.gaierror:
        return f"there is no host named {host}", "Correct the host in the endpoint, or the DNS."
    except TimeoutError:
        return f"no connection within {TIMEOUT} s", "Is a firewall between, or the host down?"
    except OSError as error:
        return f"no connection ({error.strerror or error})", start
    return None


@contextmanager
def _short_timeout() -> Iterator[None]:
    """Let exporters that are made meanwhile give up soon; they read it from the environment only."""
    names = [f"{_OTLP}{signal}TIMEOUT" for signal in ("", "TRACES_", "METRICS_")]
    with changed_environment(dict.fromkeys(names, str(TIMEOUT))):
        yield


@contextmanager
def _listening() -> Iterator[dict[str, list[str]]]:
    """Collect what exporters log, by thread, instead of letting it reach the terminal."""
    said: dict[str, list[str]] = defaultdict(list)
    root = logging.getLogger("opentelemetry")

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said[record.threadName or ""].append(record.getMessage())

    # The gRPC exporter's logger drops a message like the last one, be it of another signal or another endpoint.
    names = [name for name in logging.root.manager.loggerDict if name.startswith("opentelemetry.exporter.")]
    filters = {logger: logger.filters for logger in map(logging.getLogger, names)}
    listener, propagates = Listener(logging.WARNING), root.propagate
    root.addHandler(listener)
    root.propagate = False
    for logger in filters:
        logger.filters = []
    try:
        yield said
    finally:
        root.removeHandler(listener)
        root.propagate = propagates
        for logger, kept in filters.items():
            logger.filters = kept


def _scrub(text: str) -> str:
    for signal in ("", "TRACES_", "METRICS_"):
        for pair in os.environ.get(f"{_OTLP}{signal}HEADERS", "").split(","):
            value = pair.partition("=")[2].strip()
            for secret in {value, unquote(value)} - {""}:
                text = text.replace(secret, "***")
    return " ".join(text.split())[:_SHOWN]
