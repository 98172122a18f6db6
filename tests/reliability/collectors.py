"""Collectors that do not work, each in its own way; each gives the variables that lead a training to it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

import grpc

from tests.reliability.faults import Fault, Proxy
from tests.support.certificates import Authority, Certificate
from tests.support.otlp_server import OtlpGrpcServer, OtlpServer

PROTOCOLS: Final = ("http/protobuf", "grpc")
SLOW: Final = 1.5
WAIT: Final = 1
"""Seconds that a busy one asks for."""
ALWAYS: Final = 100_000

Variables = Mapping[str, str]
Collector = Callable[[str], AbstractContextManager[Variables]]


class _Slow(OtlpServer):
    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        time.sleep(SLOW)
        super()._handle(handler)


class _SlowGrpc(OtlpGrpcServer):
    def _take(self, path: str, request: Any, context: Any) -> Any:
        time.sleep(SLOW)
        return super()._take(path, request, context)


def _receiver(protocol: str) -> OtlpServer | OtlpGrpcServer:
    return OtlpGrpcServer() if protocol == "grpc" else OtlpServer()


def _to(endpoint: str, protocol: str) -> Variables:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}


def listening(protocol: str, shown: Certificate, clients: Authority | None = None) -> OtlpServer | OtlpGrpcServer:
    """Return a receiver with a certificate, which asks its clients for one of an authority."""
    if protocol == "grpc":
        credentials = grpc.ssl_server_credentials(
            [(shown.key.read_bytes(), shown.certificate.read_bytes())],
            root_certificates=clients.certificate.read_bytes() if clients else None,
            require_client_auth=clients is not None,
        )
        return OtlpGrpcServer(tls=credentials)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients.certificate)
    return OtlpServer(tls=context)


@contextlib.contextmanager
def healthy(protocol: str) -> Iterator[Variables]:
    """All is taken at once."""
    with _receiver(protocol) as server:
        yield _to(server.endpoint, protocol)


@contextlib.contextmanager
def accepting(protocol: str) -> Iterator[Variables]:
    """Connections are accepted, and nothing is ever read or answered."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        yield _to(f"http://127.0.0.1:{silent.getsockname()[1]}", protocol)


@contextlib.contextmanager
def refusing(protocol: str) -> Iterator[Variables]:
    """Nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield _to(f"http://127.0.0.1:{taken.getsockname()[1]}", protocol)


@contextlib.contextmanager
def never_answering(protocol: str) -> Iterator[Variables]:
    """Requests are taken and never answered."""
    with _receiver(protocol) as server:
        server.hang()
        yield _to(server.endpoint, protocol)


@contextlib.contextmanager
def slow(protocol: str) -> Iterator[Variables]:
    """Each request takes a second and a half."""
    with _SlowGrpc() if protocol == "grpc" else _Slow() as server:
        yield _to(server.endpoint, protocol)


def trickling(protocol: str) -> AbstractContextManager[Variables]:
    """A kilobyte a second comes through."""
    return _behind(protocol, Fault.SLOW)


def resetting(protocol: str) -> AbstractContextManager[Variables]:
    """Connections are reset in the middle of a request."""
    return _behind(protocol, Fault.RESET_IN_REQUEST)


def losing_answers(protocol: str) -> AbstractContextManager[Variables]:
    """Requests arrive, and connections are reset before their answer."""
    return _behind(protocol, Fault.RESET_BEFORE_ANSWER)


def unavailable(protocol: str) -> AbstractContextManager[Variables]:
    """Each request is answered with 503, or UNAVAILABLE."""
    return _answering(protocol, 503, grpc.StatusCode.UNAVAILABLE)


def busy(protocol: str) -> AbstractContextManager[Variables]:
    """Each request is answered with 429, or RESOURCE_EXHAUSTED, and the time to wait."""
    return _answering(protocol, 429, grpc.StatusCode.RESOURCE_EXHAUSTED, WAIT)


def rejecting(protocol: str) -> AbstractContextManager[Variables]:
    """Each request is answered with 400, or INVALID_ARGUMENT."""
    return _answering(protocol, 400, grpc.StatusCode.INVALID_ARGUMENT)


@contextlib.contextmanager
def taking_in_part(protocol: str) -> Iterator[Variables]:
    """Of each request one item is said to be rejected."""
    with _receiver(protocol) as server:
        server.reject(1)
        yield _to(server.endpoint, protocol)


@contextlib.contextmanager
def unknown(protocol: str) -> Iterator[Variables]:
    """Its name cannot be resolved."""
    yield _to("http://no-such-host.invalid:4317", protocol)


@contextlib.contextmanager
def of_another_name(protocol: str) -> Iterator[Variables]:
    """Its certificate is for another name."""
    with tempfile.TemporaryDirectory(prefix="ocr-otel-keys-") as folder:
        authority = Authority(Path(folder), "authority")
        shown = authority.issue("elsewhere", "DNS:other.example")
        with listening(protocol, shown) as server:
            yield {
                **_to(server.endpoint, protocol),
                "OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority.certificate),
                "REQUESTS_CA_BUNDLE": "",
                "CURL_CA_BUNDLE": "",
            }


FAULTS: Final[tuple[Collector, ...]] = (
    refusing,
    accepting,
    never_answering,
    slow,
    trickling,
    resetting,
    losing_answers,
    unavailable,
    busy,
    rejecting,
    taking_in_part,
    unknown,
    of_another_name,
)
"""All that do not work."""


@contextlib.contextmanager
def _behind(protocol: str, fault: Fault) -> Iterator[Variables]:
    with _receiver(protocol) as server, Proxy(server.port) as proxy:
        proxy.set(fault)
        yield _to(proxy.endpoint, protocol)


@contextlib.contextmanager
def _answering(protocol: str, status: int, code: grpc.StatusCode, wait: int | None = None) -> Iterator[Variables]:
    if protocol == "grpc":
        with OtlpGrpcServer() as over_grpc:
            over_grpc.fail(ALWAYS, code, wait)
            yield _to(over_grpc.endpoint, protocol)
    else:
        with OtlpServer() as over_http:
            over_http.fail(ALWAYS, status, str(wait) if wait else None)
            yield _to(over_http.endpoint, protocol)
