"""Where telemetry goes, by the standard variables."""

import pytest

from ocr_otel.settings import SettingsError
from ocr_otel.telemetry import Destination, destination, load_exporter


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Destination("files")),
        ({"OTEL_SDK_DISABLED": "TRUE"}, Destination("disabled")),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317"},
            Destination("exporters", ("otlp_proto_grpc",), ("otlp_proto_grpc",)),
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            Destination("exporters", ("otlp_proto_http",), ("otlp_proto_http",)),
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
            },
            Destination("exporters", ("otlp_proto_http",), ("otlp_proto_grpc",)),
        ),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}, Destination("exporters")),
        ({"OTEL_TRACES_EXPORTER": "console"}, Destination("exporters", ("console",), ("otlp_proto_grpc",))),
        (
            {"OTEL_TRACES_EXPORTER": "console, otlp", "OTEL_METRICS_EXPORTER": "none"},
            Destination("exporters", ("console", "otlp_proto_grpc"), ()),
        ),
    ],
)
def test_destination(environment: dict[str, str], expected: Destination) -> None:
    assert destination(environment) == expected


def test_an_unknown_protocol_is_an_error_that_names_it() -> None:
    with pytest.raises(SettingsError, match=r"OTEL_EXPORTER_OTLP_PROTOCOL='thrift'.*grpc, http/protobuf"):
        destination({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "thrift"})


def test_an_exporter_that_is_not_installed_is_an_error_that_lists_those_that_are() -> None:
    with pytest.raises(SettingsError, match=r"OTEL_TRACES_EXPORTER names 'jaeger'.*otlp_proto_grpc"):
        load_exporter("traces", "jaeger")


def test_credentials_are_never_described() -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:secret@collector:4318/otlp"}
    described = destination(environment).describe(environment)
    assert "secret" not in described
    assert "https://collector:4318/otlp" in described
