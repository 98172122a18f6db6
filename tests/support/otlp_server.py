"""OTLP receivers on real sockets, HTTP and gRPC, that decode into the official messages and can misbehave on order."""

from __future__ import annotations

import gzip
import json
import ssl
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import grpc
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

from tests.support.otlp import to_protobuf_json

MESSAGES: dict[str, tuple[Any, Any]] = {
    "/v1/traces": (ExportTraceServiceRequest, ExportTraceServiceResponse),
    "/v1/metrics": (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    "/v1/logs": (ExportLogsServiceRequest, ExportLogsServiceResponse),
}
LONGEST_HANG = 30.0


@dataclass
class Request:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    size: int
    message: Any
    """The decoded request; None where it was turned away."""
    at: int = field(default_factory=time.time_ns)
    """When it had arrived, Unix nanoseconds."""


@dataclass
class Received:
    """What a receiver took, in order of arrival."""

    requests: list[Request] = field(default_factory=list)

    @property
    def taken(self) -> list[Any]:
        """The messages that were taken."""
        return [request.message for request in list(self.requests) if request.message is not None]

    @property
    def spans(self) -> list[Any]:
        """All protobuf spans."""
        return [
            span
            for message in self.taken
            if isinstance(message, ExportTraceServiceRequest)
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def metrics(self) -> list[Any]:
        """All protobuf metrics."""
        return [
            metric
            for message in self.taken
            if isinstance(message, ExportMetricsServiceRequest)
            for resource in message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    @property
    def logs(self) -> list[Any]:
        """All protobuf log records."""
        return [
            record
            for message in self.taken
            if isinstance(message, ExportLogsServiceRequest)
            for resource in message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


class _Sockets(ThreadingHTTPServer):
    """Says nothing about clients that went away."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class OtlpServer(Received):
    """An OTLP/HTTP receiver; as a context manager it is started and stopped.

    Args:
        encodings: What it takes, `json` and `protobuf`; anything else is answered with 415.
        paths: The signals' paths that it knows; others are answered with 404.
        require_headers: Without these it answers 401.
        port: A fixed port, to come back on the one of a receiver that went away.
        largest: Bytes of a decompressed body above which it answers 413.
        tls: Its certificate, for https.
    """

    def __init__(
        self,
        encodings: Sequence[str] = ("json", "protobuf"),
        paths: Sequence[str] = tuple(MESSAGES),
        require_headers: Mapping[str, str] | None = None,
        port: int = 0,
        largest: int = 100_000_000,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__()
        self.encodings = encodings
        self.paths = paths
        self.require_headers = dict(require_headers or {})
        self.largest = largest
        self._lock = threading.Lock()
        self._failures: list[tuple[int, str | None]] = []
        self._lives: int | None = None
        self._hangs = False
        self._rejected = 0
        self._released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server._handle(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = _Sockets(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def fail(self, times: int, status: int = 503, retry_after: str | None = None) -> None:
        """Answer the next requests with an error."""
        self._failures += [(status, retry_after)] * times

    def die_after(self, requests: int) -> None:
        """Take so many more requests, then close every connection without an answer, for good."""
        self._lives = requests

    def hang(self) -> None:
        """Take requests from now on and never answer."""
        self._hangs = True

    def reject(self, items: int) -> None:
        """Say from now on that so many items of each request were rejected."""
        self._rejected = items

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            if self._lives is not None:
                self._lives -= 1
                if self._lives < 0:
                    handler.close_connection = True
                    return
            failure = self._failures.pop(0) if self._failures else None
        if self._hangs:
            self._released.wait(LONGEST_HANG)
            handler.close_connection = True
            return
        content_type = headers.get("content-type", "")
        encoding = {"application/json": "json", "application/x-protobuf": "protobuf"}.get(content_type)
        body = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        status, retry_after, message = self._judge(handler.path, headers, encoding, body, failure)
        self.requests.append(Request(handler.path, headers, len(body), message))
        answer = self._answer(handler.path, encoding) if status == 200 else b""
        handler.send_response(status)
        handler.send_header("Content-Type", content_type if status == 200 else "text/plain")
        handler.send_header("Content-Length", str(len(answer)))
        if retry_after is not None:
            handler.send_header("Retry-After", retry_after)
        handler.end_headers()
        handler.wfile.write(answer)

    def _judge(
        self,
        path: str,
        headers: dict[str, str],
        encoding: str | None,
        body: bytes,
        failure: tuple[int, str | None] | None,
    ) -> tuple[int, str | None, Any]:
        if failure is not None:
            return *failure, None
        if path not in self.paths:
            return 404, None, None
        if any(headers.get(name.lower()) != value for name, value in self.require_headers.items()):
            return 401, None, None
        if encoding not in self.encodings:
            return 415, None, None
        if len(body) > self.largest:
            return 413, None, None
        message = MESSAGES[path][0]()
        try:
            if encoding == "json":
                json_format.ParseDict(to_protobuf_json(json.loads(body)), message)
            else:
                message.ParseFromString(body)
        except Exception:
            return 400, None, None
        return 200, None, message

    def _answer(self, path: str, encoding: str | None) -> bytes:
        response = _response(path, self._rejected)
        if encoding == "json":
            return json_format.MessageToJson(response).encode()
        return bytes(response.SerializeToString())


def _response(path: str, rejected: int) -> Any:
    response = MESSAGES[path][1]()
    if rejected:
        partial = response.partial_success
        field_name = next(name for name in partial.DESCRIPTOR.fields_by_name if name.startswith("rejected"))
        setattr(partial, field_name, rejected)
        partial.error_message = "too old"
    return response


class OtlpGrpcServer(Received):
    """An OTLP/gRPC receiver; as a context manager it is started and stopped.

    Args:
        require_headers: Without these it answers UNAUTHENTICATED.
        port: A fixed port, to come back on the one of a receiver that went away.
        tls: Its certificate, for https.
    """

    def __init__(
        self,
        require_headers: Mapping[str, str] | None = None,
        port: int = 0,
        tls: grpc.ServerCredentials | None = None,
    ) -> None:
        super().__init__()
        self.require_headers = dict(require_headers or {})
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        self._failures: list[tuple[grpc.StatusCode, float | None]] = []
        self._hangs = False
        self._rejected = 0
        self._released = threading.Event()
        outer = self

        class Traces(TraceServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:
                return outer._take("/v1/traces", request, context)

        class Metrics(MetricsServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:
                return outer._take("/v1/metrics", request, context)

        class Logs(LogsServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:
                return outer._take("/v1/logs", request, context)

        add_TraceServiceServicer_to_server(Traces(), self._server)
        add_MetricsServiceServicer_to_server(Metrics(), self._server)
        add_LogsServiceServicer_to_server(Logs(), self._server)
        address = f"127.0.0.1:{port}"
        self.port = self._server.add_secure_port(address, tls) if tls else self._server.add_insecure_port(address)
        self.endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        self._server.stop(None).wait()

    def fail(self, times: int, code: grpc.StatusCode, retry_delay: float | None = None) -> None:
        """Answer the next requests with an error, and ask for a wait where `retry_delay` is given, in seconds."""
        self._failures += [(code, retry_delay)] * times

    def hang(self) -> None:
        """Take requests from now on and never answer."""
        self._hangs = True

    def reject(self, items: int) -> None:
        """Say from now on that so many items of each request were rejected."""
        self._rejected = items

    def _take(self, path: str, request: Any, context: Any) -> Any:
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        if any(headers.get(name.lower()) != value for name, value in self.require_headers.items()):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no credentials")
        if self._hangs:
            self._released.wait(LONGEST_HANG)
            context.abort(grpc.StatusCode.CANCELLED, "on order")
        failure = self._failures.pop(0) if self._failures else None
        self.requests.append(Request(path, headers, request.ByteSize(), None if failure else request))
        if failure:
            code, delay = failure
            if delay is not None:
                info = RetryInfo(retry_delay=Duration(seconds=int(delay), nanos=int(delay % 1 * 1e9)))
                context.set_trailing_metadata((("google.rpc.retryinfo-bin", info.SerializeToString()),))
            context.abort(code, "on order")
        return _response(path, self._rejected)
