"""What the spool stands in for, what it leaves alone, and what it does where it cannot work."""

from __future__ import annotations

import importlib
import json
import math
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from ocr_otel.otlp import protobuf
from ocr_otel.spool import Store, append
from ocr_otel.telemetry.losses import Losses
from ocr_otel.telemetry.spooling import Spool, sender
from ocr_otel.telemetry.spooling.couriers import Answer, Later, Refused, Taken, courier
from ocr_otel.telemetry.spooling.encoding import encoding
from tests.support.otlp_server import OtlpGrpcServer, OtlpServer

LIMIT = 10_000_000


def spans(number: int = 3) -> Sequence[ReadableSpan]:
    tracer = TracerProvider().get_tracer("test")
    made = []
    for index in range(number):
        span = tracer.start_span(
            "train_batch",
            attributes={"index": index, "big": 2**62, "nan": math.nan, "list": ["a", "ü"], "bytes": b"\x00\xff"},
        )
        span.add_event("bottleneck", {"share": math.inf})
        span.end()
        assert isinstance(span, ReadableSpan)
        made.append(span)
    return made


def test_a_line_holds_what_the_message_holds() -> None:
    made = spans()
    line = encoding("traces").line(made)
    json.loads(line, parse_constant=pytest.fail)
    message = protobuf.parse_line("traces", line)
    assert message.SerializeToString(deterministic=True) == encode_spans(made).SerializeToString(deterministic=True)
    assert protobuf.count(message) == 3


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"resourceSpans":7}', b"[" * 200_000, b"\xff", b'{"resourceSpans":']
)
def test_a_line_that_holds_nothing_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        protobuf.parse_line("traces", line)


def test_a_damaged_line_does_not_hold_up_the_others(tmp_path: Path) -> None:
    store = Store(tmp_path / "spool", LIMIT)
    for content in (b"{", encoding("traces").line(spans()), b"7"):
        store.append("traces", content)
    store.close()
    with OtlpServer() as server:
        losses = Losses()
        spool = Spool(tmp_path / "spool", LIMIT, losses)
        spool.spans(OTLPSpanExporter(f"{server.endpoint}/v1/traces"))
        assert spool.drain(10)
        assert len(server.spans) == 3
        assert spool.close() == 0
        assert losses.spans == {"damaged": 0}


def test_other_exporters_are_left_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", LIMIT, Losses())
    with (tmp_path / "file").open("w") as stream:
        exporter = FileSpanExporter(stream=stream)
        assert spool.spans(exporter) is exporter
    assert spool.close() == 0


def test_a_signal_has_one_exporter(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", LIMIT, Losses())
    first, second = OTLPSpanExporter("http://127.0.0.1:9"), OTLPSpanExporter("http://127.0.0.1:9")
    assert spool.spans(first) is not first
    assert spool.spans(second) is second
    spool.close()


def test_an_exporter_whose_inside_has_changed_is_left_alone(tmp_path: Path) -> None:
    class Changed(OTLPSpanExporter):
        def __init__(self) -> None:
            self.inside = None

    class ChangedToo(GrpcSpanExporter):
        def __init__(self) -> None:
            self.inside = None

    assert courier(Changed(), "traces") is None
    assert courier(ChangedToo(), "traces") is None


def test_temporality_and_aggregation_are_those_of_the_exporter(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    exporter = OTLPMetricExporter("http://127.0.0.1:9")
    spool = Spool(tmp_path / "spool", LIMIT, Losses())
    durable = spool.metrics(exporter)
    assert durable._preferred_temporality == exporter._preferred_temporality
    assert durable._preferred_aggregation == exporter._preferred_aggregation
    spool.close()


def test_what_others_append_meanwhile_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_LOOK_SECONDS", 0.05)
    with OtlpServer() as server:
        spool = Spool(tmp_path / "spool", LIMIT, Losses())
        spool.spans(OTLPSpanExporter(f"{server.endpoint}/v1/traces"))
        spool.offer("logs", lambda: OTLPLogExporter(f"{server.endpoint}/v1/logs"))
        append(tmp_path / "spool", "traces", encoding("traces").line(spans(2)))
        append(
            tmp_path / "spool",
            "logs",
            b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"training.hang"}]}]}]}',
        )
        ends = time.monotonic() + 10
        while time.monotonic() < ends and not (server.spans and server.logs):
            time.sleep(0.01)
        assert (len(server.spans), [record.event_name for record in server.logs]) == (2, ["training.hang"])
        exporter = OTLPLogExporter(f"{server.endpoint}/v1/logs")
        assert spool.logs(exporter) is not exporter, "one that is attached takes the place of the one that was made"
        assert spool.close() == 0


def test_after_the_end_nothing_is_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", LIMIT, Losses())
    durable = spool.spans(OTLPSpanExporter("http://127.0.0.1:9"))
    assert spool.close() == 0
    assert durable.export(spans()) is SpanExportResult.FAILURE
    assert spool.close() == 0


def test_what_cannot_be_encoded_is_counted(tmp_path: Path) -> None:
    losses = Losses()
    spool = Spool(tmp_path / "spool", LIMIT, losses)
    durable = spool.spans(OTLPSpanExporter("http://127.0.0.1:9"))
    broken = spans(1)[0]
    broken._name = "\ud800"
    assert durable.export([broken]) is SpanExportResult.SUCCESS
    assert losses.spans == {"export_error": 1}
    assert spool.close() == 0


def test_no_thread_can_be_started(tmp_path: Path) -> None:
    script = f"""
        import threading
        from pathlib import Path
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from ocr_otel.telemetry.losses import Losses
        from ocr_otel.telemetry.spooling import Spool, sender
        import resource
        exporter = OTLPSpanExporter("http://127.0.0.1:9")
        threading.stack_size(1 << 30)
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 28), used + (1 << 28)))
        spool = Spool(Path({str(tmp_path)!r}) / "spool", 1_000_000, Losses())
        assert spool.spans(exporter) is exporter
        assert spool.drain(1)
        assert spool.close() == 0
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[4],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "without a spool" in done.stderr


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Taken),
        (400, Refused),
        (404, Refused),
        (413, Refused),
        (500, Refused),
        (307, Refused),
        (401, Later),
        (403, Later),
        (408, Later),
        (429, Later),
        (503, Later),
    ],
)
def test_what_answers_over_http_mean(status: int, expected: type[Answer]) -> None:
    with OtlpServer() as server:
        if status != 200:
            server.fail(1, status, retry_after="7" if status == 429 else None)
        found = courier(OTLPSpanExporter(f"{server.endpoint}/v1/traces"), "traces")
        assert found is not None
        answer = found.send(encode_spans(spans()))
    assert isinstance(answer, expected)
    if isinstance(answer, Later):
        assert answer.wait == {401: math.inf, 403: math.inf, 429: 7.0}.get(status)


def answering(listener: socket.socket, answer: bytes | None) -> None:
    """Answer the same to whoever asks, and hang up; say nothing at all where it is None."""
    silent = []
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        if answer is None:
            silent.append(connection)
            continue
        with connection:
            connection.recv(1 << 16)
            connection.sendall(answer)


@pytest.mark.parametrize("library", ["requests", "urllib3"])
@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nno",
    ],
    ids=["silence", "nothing", "cut", "damaged"],
)
def test_an_answer_that_does_not_come_whole_is_no_refusal(library: str, answer: bytes | None) -> None:
    pytest.importorskip(library)
    transports = importlib.import_module(f"opentelemetry.exporter.http.transport._{library}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        exporter = OTLPSpanExporter(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/traces", timeout=1)
        exporter._client._transport = getattr(transports, f"{library.capitalize()}HTTPTransport")()
        threading.Thread(target=answering, args=(listener, answer), daemon=True).start()
        found = courier(exporter, "traces")
        assert found is not None
        assert isinstance(found.send(encode_spans(spans())), Later)
        listener.shutdown(socket.SHUT_RDWR)


def test_without_requests_it_is_sent_as_well() -> None:
    script = "import sys; sys.modules['requests'] = None; from ocr_otel.telemetry.spooling import over_http"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (None, Taken),
        ("INVALID_ARGUMENT", Refused),
        ("UNIMPLEMENTED", Refused),
        ("INTERNAL", Refused),
        ("UNAUTHENTICATED", Later),
        ("RESOURCE_EXHAUSTED", Later),
        ("UNAVAILABLE", Later),
    ],
)
def test_what_answers_over_grpc_mean(code: str | None, expected: type[Answer]) -> None:
    with OtlpGrpcServer() as server:
        if code is not None:
            server.fail(1, grpc.StatusCode[code], retry_delay=2.5 if code == "RESOURCE_EXHAUSTED" else None)
        found = courier(GrpcSpanExporter(server.endpoint), "traces")
        assert found is not None
        answer = found.send(encode_spans(spans()))
        found.close()
    assert isinstance(answer, expected)
    if isinstance(answer, Later):
        assert answer.wait == {"UNAUTHENTICATED": math.inf, "RESOURCE_EXHAUSTED": 2.5}.get(code or "")


def test_a_request_that_is_too_large_for_a_receiver_is_not_tried_for_ever() -> None:
    made = spans(1)
    made[0]._attributes = {"text": "x" * 5_000_000}  # type: ignore[assignment]
    with OtlpGrpcServer() as server:
        found = courier(GrpcSpanExporter(server.endpoint), "traces")
        assert found is not None
        assert isinstance(found.send(encode_spans(made)), Refused)
        found.close()
