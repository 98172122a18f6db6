"""What the Collectors refuse, that they count it, and that nothing they take is lost for it."""

from __future__ import annotations

import secrets
import ssl
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from ocr_otel.stack import BINARIES, cached, processes
from tests.support.scripts import run_python
from tests.support.stack import CONFIGURATION, RunningStack, wait_for

MIB = 2**20
SPANS = 500
LIMIT_MIB, SPIKE_MIB = 110, 40
RUNTIME_MIB = 120
"""What the process needs beside what it holds: its program, and memory that Go has freed and not given back."""
REQUESTS = 600


def request(spans: int, note: str = "") -> bytes:
    """Spans of one trace that failed, so that the gateway keeps it, in protobuf."""
    message = ExportTraceServiceRequest()
    scope = message.resource_spans.add().scope_spans.add()
    trace_id, now = secrets.token_bytes(16), time.time_ns()
    for _ in range(spans):
        span = scope.spans.add(
            trace_id=trace_id, span_id=secrets.token_bytes(8), name="flood",
            start_time_unix_nano=now, end_time_unix_nano=now + 1000,
        )  # fmt: skip
        span.status.code = 2
        span.attributes.append(KeyValue(key="note", value=AnyValue(string_value=note)))
    return message.SerializeToString()


def send(client: httpx.Client, url: str, body: bytes, **headers: str) -> int:
    return client.post(url, content=body, headers={"content-type": "application/x-protobuf", **headers}).status_code


def gateway_url(stack: RunningStack) -> str:
    return f"https://{stack.plan.address('STACK_GATEWAY_HTTP_PORT')}/v1/traces"


def agent_url(stack: RunningStack) -> str:
    return f"http://{stack.plan.address('STACK_AGENT_HTTP_PORT')}/v1/traces"


def resident_mib(stack: RunningStack, name: str) -> float:
    return float(stack.process(name).memory_info().rss) / MIB


@pytest.mark.timeout(120)
def test_the_gateway_refuses_who_has_no_token_and_counts_it(stack: RunningStack) -> None:
    def refused() -> float:
        name = "http_server_request_duration_seconds_count"
        return stack.counted("gateway", name, http_response_status_code="401")

    before = refused()
    trust = ssl.create_default_context(cafile=str(stack.layout.tls / "ca.pem"))
    with httpx.Client(verify=trust, trust_env=False) as client:
        assert send(client, gateway_url(stack), request(1)) == 401
        assert send(client, gateway_url(stack), request(1), authorization="Bearer wrong") == 401
        token = stack.secrets["STACK_GATEWAY_TOKEN"]
        assert send(client, gateway_url(stack), request(1), authorization=f"Bearer {token}") == 200
    wait_for(lambda: refused() - before == 2, 20, "both refusals are counted")


@pytest.mark.timeout(120)
def test_the_gateway_does_not_speak_without_tls_nor_to_who_does_not_trust_it(stack: RunningStack) -> None:
    with httpx.Client(trust_env=False) as client:
        # It answers 400 and closes without reading the rest: the answer may be lost in that.
        with suppress(httpx.ReadError):
            assert send(client, gateway_url(stack).replace("https", "http"), request(1)) == 400
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            send(client, gateway_url(stack), request(1))


SEND = """
import sys
from ocr_otel.settings import Settings
from ocr_otel.telemetry import RunIdentity, Session, destination
session = Session(Settings(), RunIdentity("plain-text"), destination())
for _ in range(3):
    session.tracer.start_span("refused").end()
session.flush()
print(session.spans_lost())
"""


@pytest.mark.timeout(120)
def test_what_is_sent_without_tls_is_counted_as_lost_by_who_sent_it(stack: RunningStack, tmp_path: Path) -> None:
    done = run_python(
        ["-c", SEND],
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT=stack.plan.url("STACK_GATEWAY_HTTP_PORT"),
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_METRICS_EXPORTER="none",
        OCR_OTEL_SPOOL="false",
    )
    assert done.stdout.strip() == "{'export_failed': 3}", done.stderr
    assert "telemetry is being lost (export_failed)" in done.stderr


@pytest.mark.timeout(120)
def test_a_request_of_100_mb_is_refused_and_the_next_one_is_taken(stack: RunningStack) -> None:
    before = resident_mib(stack, "agent")
    with httpx.Client(trust_env=False, timeout=60) as client:
        try:
            status = send(client, agent_url(stack), bytes(100 * MIB))
        except httpx.TransportError:
            # It hangs up while the rest is still on its way.
            status = 413
        assert 400 <= status < 500
        assert send(client, agent_url(stack), request(1)) == 200
    assert resident_mib(stack, "agent") - before < 100


@pytest.mark.timeout(300)
def test_a_flood_stays_under_the_limit_and_what_is_refused_arrives_later(
    own_stack: RunningStack, tmp_path: Path
) -> None:
    """The gateway's limit is lowered, so that a flood of this size reaches it."""
    stack = own_stack
    stack.stop("gateway")
    lower = tmp_path / "lower.yaml"
    lower.write_text(
        f"processors: {{memory_limiter: {{check_interval: 100ms, limit_mib: {LIMIT_MIB}, "
        f"spike_limit_mib: {SPIKE_MIB}}}}}\n"
    )
    server = stack.server("gateway")
    processes.start(
        [str(cached(BINARIES["otelcol"], CONFIGURATION)), *server.arguments, f"--config=file:{lower}"],
        {**server.environment, **stack.secrets},
        server.directory,
        stack.layout.log("gateway"),
        stack.layout.process("gateway"),
    )
    wait_for(lambda: processes.answers(server.ready_url), 60, "the gateway is ready")
    note = "x" * 200
    most = 0.0
    with httpx.Client(trust_env=False, timeout=30) as client:
        for number in range(REQUESTS):
            assert send(client, agent_url(stack), request(SPANS, note)) == 200
            if number % 20 == 0:
                most = max(most, resident_mib(stack, "gateway"))

    def refused() -> float:
        # Refused at the door in the words of the receiver, or by the limiter, by version.
        return stack.counted("gateway", "otelcol_receiver_refused_spans") + stack.counted(
            "gateway", "otelcol_processor_refused_spans"
        )

    assert refused() > 0, "the flood did not reach the limit"
    assert most < LIMIT_MIB + RUNTIME_MIB
    wait_for(
        lambda: stack.counted("gateway", "otelcol_receiver_accepted_spans") >= REQUESTS * SPANS,
        150,
        "all spans are taken in the end",
    )
    assert stack.counted("agent", "otelcol_exporter_send_failed_spans") == 0
    assert resident_mib(stack, "gateway") < LIMIT_MIB + RUNTIME_MIB
