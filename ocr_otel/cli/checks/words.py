"""An exporter's log in plain words: what is wrong between it and the receiver, and what to do."""

from __future__ import annotations

import re
from typing import Final

TIMEOUT: Final = 5
"""Seconds that an endpoint has to answer the doctor."""
PORTS: Final = {"OTLP/gRPC": 4317, "OTLP/HTTP": 4318}
"""The usual port of each transport."""
PROTOCOLS: Final = {"OTLP/gRPC": "grpc", "OTLP/HTTP": "http/protobuf"}
"""Values of OTEL_EXPORTER_OTLP_PROTOCOL."""

_WRONG_PROTOCOL: Final = "what listens there does not speak {spoken}"
_RIGHT_PROTOCOL: Final = (
    "Is it the port of {other}? Use {spoken}'s, usually {port}, or set OTEL_EXPORTER_OTLP_PROTOCOL={protocol}."
)
_CASES: Final[tuple[tuple[str, str, str], ...]] = (
    (
        r"http1\.x server|BadStatusLine|Illegal status line|\b415\b|Unsupported Media",
        _WRONG_PROTOCOL,
        _RIGHT_PROTOCOL,
    ),
    (
        r"WRONG_VERSION_NUMBER|wrong version number|HTTP request to an HTTPS server|record layer"
        r"|look like a TLS handshake",
        "one side speaks TLS and the other does not",
        "Begin the endpoint with http:// where the receiver has no TLS, and with https:// where it has; without "
        "either, gRPC takes TLS.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|failed to verify certificate|SSLError|SSL_ERROR"
        r"|Ssl handshake|CA certificate bundle",
        "the TLS connection failed: the receiver's certificate is not trusted, or the CA's file cannot be read",
        "Name the CA's file in OTEL_EXPORTER_OTLP_CERTIFICATE.",
    ),
    (
        r"UNAUTHENTICATED|PERMISSION_DENIED|\b401\b|\b403\b|Unauthorized|Forbidden",
        "the receiver does not accept the credentials, or wants some (unauthorized)",
        "Set OTEL_EXPORTER_OTLP_HEADERS, such as authorization=Bearer%20<token>.",
    ),
    (
        r"UNIMPLEMENTED|\b404\b|\b405\b|Not Found",
        "the receiver answers, but has no place for this signal (not found)",
        "Has the receiver a pipeline for it? Is the endpoint the base URL, without a path of its own?",
    ),
    (
        r"No connection adapters|Missing ?Schema|Invalid ?(Schema|URL)|DNS resolution failed",
        "the endpoint is not a URL that leads anywhere",
        "Write it like http://localhost:{port}.",
    ),
    (
        r"RESOURCE_?EXHAUSTED|\b(429|50[234])\b|Too Many Requests|Service Unavailable|Bad Gateway|Gateway Time-?out",
        "the receiver is there and refuses for now",
        "Look at the receiver's own log: it is overloaded, or what is behind it is away.",
    ),
    (
        r"code: 400\b",
        "the receiver calls the request bad (400), as one with TLS does when it is spoken to without",
        "Begin the endpoint with https:// where the receiver has TLS; else look at the receiver's own log.",
    ),
    (
        r"DEADLINE_EXCEEDED|deadline ?exceeded|timed out|ReadTimeout|ConnectTimeout",
        "it takes the connection and gives no answer within {timeout} s",
        "Is it a receiver of {spoken} (usual port {port}), and not overloaded?",
    ),
    (
        r"Connection aborted|Connection reset|RemoteDisconnected|Socket closed|GOAWAY|UNAVAILABLE",
        "the connection was closed without an answer",
        _RIGHT_PROTOCOL,
    ),
)
"""A pattern in the log, what is wrong, what to do: the first that fits counts."""


def explain(said: str, spoken: str) -> tuple[str, str]:
    """Put an exporter's words in plain ones.

    Args:
        said: Everything that the exporter logged, without secrets.
        spoken: `OTLP/gRPC` or `OTLP/HTTP`.

    Returns:
        What is wrong, and what to do.
    """
    other = "OTLP/HTTP" if spoken == "OTLP/gRPC" else "OTLP/gRPC"
    facts = {
        "spoken": spoken,
        "other": other,
        "port": PORTS[spoken],
        "protocol": PROTOCOLS[other],
        "timeout": TIMEOUT,
    }
    for pattern, finding, advice in _CASES:
        if re.search(pattern, said, re.IGNORECASE):
            return finding.format_map(facts), advice.format_map(facts)
    return f"the export failed: {said or 'the exporter gave no reason'}", "Look at the receiver's own log."
