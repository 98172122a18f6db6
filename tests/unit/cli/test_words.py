"""Words of exporters, as they were seen, and what the doctor makes of them."""

from __future__ import annotations

import pytest

from ocr_otel.cli.checks.words import explain

HTTP, GRPC = "OTLP/HTTP", "OTLP/gRPC"


@pytest.mark.parametrize(
    ("spoken", "said", "finding", "advice"),
    [
        (HTTP, "Failed to export spans batch code: 401, reason: Unauthorized", "credentials", "_HEADERS"),
        (GRPC, "error code: StatusCode.UNAUTHENTICATED, error details: no", "credentials", "_HEADERS"),
        (HTTP, "code: 404, reason: Not Found", "no place for this signal", "pipeline"),
        (GRPC, "error code: StatusCode.UNIMPLEMENTED, error details: unknown service", "no place", "pipeline"),
        (HTTP, "Transient error Service Unavailable encountered", "refuses for now", "own log"),
        (HTTP, "('Connection aborted.', BadStatusLine('\\x00\\x00'))", "does not speak OTLP/HTTP", "PROTOCOL=grpc"),
        (GRPC, "UNAVAILABLE: Trying to connect an http1.x server", "does not speak OTLP/gRPC", "=http/protobuf"),
        (HTTP, "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "not trusted", "_CERTIFICATE"),
        (HTTP, "SSLError(SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version", "speaks TLS", "https://"),
        (HTTP, "HTTPConnectionPool: Read timed out. (read timeout=5.0)", "no answer", "4318"),
        (GRPC, "StatusCode.DEADLINE_EXCEEDED", "no answer", "4317"),
        (HTTP, "('Connection aborted.', RemoteDisconnected('Remote end closed", "closed without an answer", "4318"),
        (HTTP, "code: 418, reason: I'm a teapot", "I'm a teapot", "own log"),
        (HTTP, "", "gave no reason", "own log"),
    ],
)
def test_plain_words(spoken: str, said: str, finding: str, advice: str) -> None:
    found = explain(said, spoken)
    assert finding in found[0]
    assert advice in found[1]
