"""Which station lost something, decided from pages of Collectors' own metrics and from their logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_otel.cli.checks.logs import reason
from ocr_otel.cli.checks.stations import Counted, Loss, count, parse, where_lost

PAGE = """# HELP otelcol_receiver_accepted_spans_total Number of spans
# TYPE otelcol_receiver_accepted_spans_total counter
otelcol_receiver_accepted_spans_total{receiver="otlp",transport="grpc"} 40
otelcol_receiver_accepted_spans_total{receiver="otlp",transport="http"} 2
otelcol_receiver_refused_spans_total{receiver="otlp",transport="grpc"} 0
otelcol_receiver_accepted_metric_points_total{receiver="otlp",transport="grpc"} 7
otelcol_exporter_send_failed_spans_total{exporter="otlp_grpc/gateway"} 3
otelcol_exporter_queue_size{data_type="metrics",exporter="otlp_grpc/gateway"} 5.36870912e+08
otelcol_exporter_queue_size{data_type="traces",exporter="otlp_grpc/gateway"} 0
http_server_request_duration_seconds_count{http_response_status_code="401",url_scheme="https"} 2
http_server_request_duration_seconds_bucket{http_response_status_code="401",url_scheme="https",le="1"} 2
rpc_server_call_duration_seconds_count{rpc_method="a \\"b\\" {c}",rpc_response_status_code="UNAUTHENTICATED"} 5
rpc_server_call_duration_seconds_count{rpc_response_status_code="OK"} 90
not a line
broken{a="b"} x
"""


def nothing(**changed: object) -> Counted:
    return Counted(**({"accepted": 1.0, "refused": 0.0, "failed": {}, "waiting": ()} | changed))


def test_page_of_a_collector_is_counted_by_signal() -> None:
    traces, metrics = (count(signal, [], parse(PAGE)) for signal in ("traces", "metrics"))
    assert traces == Counted(42.0, 0.0, {"otlp_grpc/gateway": 3.0}, (), 7.0)
    assert metrics == Counted(7.0, 0.0, {}, ("otlp_grpc/gateway",), 7.0)


def test_only_what_grew_between_two_pages_counts() -> None:
    before = parse(PAGE)
    after = parse(PAGE.replace('"grpc"} 40', '"grpc"} 41').replace("} 5\n", "} 6\n"))
    assert count("traces", before, after) == Counted(1.0, 0.0, {}, (), 1.0)


def test_names_without_total_are_the_same() -> None:
    assert count("traces", [], parse(PAGE.replace("_total", ""))) == count("traces", [], parse(PAGE))


@pytest.mark.parametrize(
    ("backend", "counted", "loss"),
    [
        ("jaeger", {"agent": nothing(), "gateway": nothing()}, None),
        ("jaeger", {}, None),
        ("jaeger", {"agent": nothing(accepted=0.0, refused=1.0)}, Loss("agent", "", True)),
        (
            "jaeger",
            {"agent": nothing(failed={"otlp_grpc/gateway": 1.0}), "gateway": nothing()},
            Loss("agent", "otlp_grpc/gateway", True),
        ),
        ("jaeger", {"agent": nothing(waiting=("otlp_grpc/gateway",))}, Loss("agent", "otlp_grpc/gateway", False)),
        (
            "jaeger",
            {"agent": nothing(), "gateway": nothing(waiting=("otlp_grpc/jaeger",))},
            Loss("gateway", "otlp_grpc/jaeger", False),
        ),
        # The queue to the other backend is not to blame.
        ("jaeger", {"agent": nothing(), "gateway": nothing(waiting=("otlp_http/prometheus",))}, None),
        (
            "prometheus",
            {"collector": nothing(failed={"otlp_http/prometheus": 2.0}, waiting=("otlp_grpc/jaeger",))},
            Loss("collector", "otlp_http/prometheus", True),
        ),
        # The first station that holds it is where it is, whatever waits behind.
        (
            "prometheus",
            {
                "agent": nothing(waiting=("otlp_grpc/gateway",)),
                "gateway": nothing(waiting=("otlp_http/prometheus",)),
            },
            Loss("agent", "otlp_grpc/gateway", False),
        ),
    ],
)
def test_first_station_that_did_not_deliver_is_named(
    backend: str, counted: dict[str, Counted], loss: Loss | None
) -> None:
    assert where_lost(backend, counted) == loss


def log_line(exporter: str, error: str) -> str:
    escaped = error.replace('"', '\\"')
    return (
        "2026-01-01T00:00:00.000Z\tinfo\tinternal/retry_sender.go:136\tExporting failed. Will retry the request after "
        f'interval.\t{{"otelcol.component.id": "{exporter}", "error": "{escaped}", "interval": "4s"}}\n'
    )


def test_last_failure_of_the_exporter_in_the_log_is_put_in_words(tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    log.write_text(
        log_line("otlp_grpc/gateway", "rpc error: code = Unauthenticated desc = scheme or token")
        + log_line("otlp_grpc/gateway", 'code = Unavailable desc = "dial tcp: connection refused"')
        + log_line("otlp_grpc/other", "rpc error: code = DeadlineExceeded")
        + "2026\tinfo\tExporting failed.\tno JSON\n"
    )  # fmt: skip
    found = reason(log, "otlp_grpc/gateway")
    assert found is not None
    assert found == ("connection refused", f"Its own words are in {log}.")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("rpc error: code = Unauthenticated desc = provided authorization does not match", "unauthorized"),
        ("transport: authentication handshake failed: tls: failed to verify certificate: x509", "TLS"),
        ("rpc error: code = DeadlineExceeded desc = context deadline exceeded", "no answer"),
        ("error exporting items, request to http://127.0.0.1:9090 responded with HTTP Status Code 404", "no place"),
    ],
)
def test_words_of_go_are_understood(tmp_path: Path, error: str, words: str) -> None:
    log = tmp_path / "agent.log"
    log.write_text(log_line("otlp_grpc/gateway", error))
    found = reason(log, "otlp_grpc/gateway")
    assert found is not None
    assert words in found[0]


def test_log_without_a_failure_says_nothing(tmp_path: Path) -> None:
    log = tmp_path / "agent.log"
    assert reason(log, "otlp_grpc/gateway") is None
    log.write_text("Everything is ready.\n")
    assert reason(log, "otlp_grpc/gateway") is None
