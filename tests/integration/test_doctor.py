"""The doctor, asked in the environments that people have, with receivers on real sockets."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
from typer.testing import CliRunner

from ocr_otel.cli.checks import export, words
from ocr_otel.cli.main import app
from tests.support.otlp_server import OtlpGrpcServer, OtlpServer


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("OCR_OTEL_", "OTEL_")) or name.endswith("_CA_BUNDLE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OCR_OTEL_RUNS_DIR", str(tmp_path / "deep" / "runs"))
    monkeypatch.chdir(tmp_path)
    for module in (export, words):
        monkeypatch.setattr(module, "TIMEOUT", 2)


def examine(**environment: str) -> dict[str, Any]:
    """Run the doctor in this process with more variables; returns each check's last finding by name, and `ok`."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        result = CliRunner().invoke(app, ["doctor", "--format", "json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    answer = json.loads(result.stdout)
    assert result.exit_code == (0 if answer["ok"] else 1)
    return {"ok": answer["ok"], **{check["check"]: check for check in answer["checks"]}}


def over(endpoint: str, protocol: str, **more: str) -> dict[str, Any]:
    return examine(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, **more)


@pytest.fixture
def refused() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """Takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


both = pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])


def test_off_is_a_warning(tmp_path: Path) -> None:
    found = examine()
    assert found["ok"]
    assert found["switch"]["status"] == "warn"
    assert found["switch"]["advice"] == "export OCR_OTEL_ENABLED=true"
    assert not (tmp_path / "deep").exists(), "the directories that were made for the test are removed again"


def test_on_with_files(tmp_path: Path) -> None:
    found = examine(OCR_OTEL_ENABLED="true")
    assert found["ok"]
    assert {found[name]["status"] for name in ("switch", "settings", "lightning", "packages", "destination")} == {"ok"}
    assert "callback made" in found["lightning"]["finding"]
    assert str(tmp_path / "deep" / "runs") in found["destination"]["finding"]


def test_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = examine(OCR_OTEL_RUNS_DIR=str(tmp_path / "file" / "runs"))
    assert not found["ok"]
    assert "Not a directory" in found["destination"]["finding"]
    assert "OCR_OTEL_RUNS_DIR" in found["destination"]["advice"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OCR_OTEL_BATCH_SPANS", "many", "OCR_OTEL_BATCH_SPANS='many' is not allowed"),
        ("OCR_OTEL_BATCH_SPAN", "1", "did you mean OCR_OTEL_BATCH_SPANS?"),
        ("OCR_OTEL_ENABLED", "perhaps", "OCR_OTEL_ENABLED='perhaps'"),
    ],
)
def test_wrong_settings(name: str, value: str, said: str) -> None:
    found = examine(**{name: value})
    assert not found["ok"]
    assert said in found["settings"]["finding"]


def test_switched_off_sdk() -> None:
    found = examine(OTEL_SDK_DISABLED="true")
    assert not found["ok"]
    assert found["destination"]["advice"] == "unset OTEL_SDK_DISABLED"


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin3"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "x"},
    ],
)
def test_exporter_or_protocol_that_does_not_exist(environment: dict[str, str]) -> None:
    assert not examine(**environment)["ok"]


def test_other_exporters_are_not_tried() -> None:
    found = examine(OTEL_TRACES_EXPORTER="console", OTEL_METRICS_EXPORTER="none")
    assert found["ok"]
    assert found["traces"]["status"] == "note"
    assert "none" in found["metrics"]["finding"]


@pytest.mark.parametrize(("protocol", "kind"), [("grpc", OtlpGrpcServer), ("http/protobuf", OtlpServer)])
def test_receiver_takes_one_span_and_one_metric(protocol: str, kind: type[OtlpServer | OtlpGrpcServer]) -> None:
    with kind() as server:
        found = over(server.endpoint, protocol)
    assert found["ok"], found
    assert found["traces"]["status"] == found["metrics"]["status"] == "ok"
    assert [span.name for span in server.spans] == ["ocr-otel doctor"]
    assert [metric.name for metric in server.metrics] == ["ocr_otel.doctor.checks"]


@both
def test_nobody_listens(refused: str, protocol: str) -> None:
    began = time.monotonic()
    found = over(refused, protocol)
    assert time.monotonic() - began < 2
    assert not found["ok"]
    assert "connection refused" in found["traces"]["finding"]
    assert "Start the receiver" in found["metrics"]["advice"]


@both
def test_somebody_listens_and_says_nothing(silent: str, protocol: str) -> None:
    began = time.monotonic()
    found = over(silent, protocol)
    assert time.monotonic() - began < 5
    assert not found["ok"]
    assert "no answer within 2 s" in found["traces"]["finding"]
    assert "no answer within 2 s" in found["metrics"]["finding"]


@pytest.mark.parametrize(("protocol", "kind"), [("grpc", OtlpGrpcServer), ("http/protobuf", OtlpServer)])
def test_wrong_credentials(protocol: str, kind: type[OtlpServer | OtlpGrpcServer]) -> None:
    with kind(require_headers={"authorization": "right"}) as server:
        found = over(server.endpoint, protocol, OTEL_EXPORTER_OTLP_HEADERS="authorization=s3cret%20key")
        assert not found["ok"]
        assert "credentials" in found["traces"]["finding"]
        assert "OTEL_EXPORTER_OTLP_HEADERS" in found["traces"]["advice"]
        assert "s3cret" not in json.dumps(found)
        assert over(server.endpoint, protocol, OTEL_EXPORTER_OTLP_HEADERS="authorization=right")["ok"]


def test_port_of_the_other_protocol() -> None:
    with OtlpServer() as http, OtlpGrpcServer() as grpc:
        for endpoint, protocol, right in (
            (http.endpoint, "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
            (grpc.endpoint, "http/protobuf", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
        ):
            found = over(endpoint, protocol)
            assert not found["ok"]
            assert right in found["traces"]["advice"], found["traces"]


@both
def test_tls_where_there_is_none(protocol: str) -> None:
    with OtlpServer() as server:
        found = over(server.endpoint.replace("http:", "https:"), protocol)
    assert not found["ok"]
    assert "TLS" in found["traces"]["finding"]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate of 127.0.0.1; its key is beside it, in `key.pem`."""
    program = shutil.which("openssl")
    if program is None:
        assert os.environ.get("CI") is None, "CI must have openssl: .ci/run installs it"
        pytest.skip("openssl makes the certificate and is not installed")
    made = tmp_path / "certificate.pem"
    files = ["-keyout", tmp_path / "key.pem", "-out", made]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    command = [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *subject]
    subprocess.run(command, check=True, capture_output=True)
    return made


@both
def test_certificate_that_is_not_trusted(certificate: Path, protocol: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    with OtlpServer(tls=context) as server:
        found = over(server.endpoint, protocol)
        assert "certificate" in found["traces"]["finding"], found["traces"]
        assert "OTEL_EXPORTER_OTLP_CERTIFICATE" in found["traces"]["advice"]
        if protocol == "http/protobuf":
            trusting = over(server.endpoint, protocol, OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificate))
            assert trusting["ok"], trusting["traces"]
            overruled = over(
                server.endpoint,
                protocol,
                OTEL_EXPORTER_OTLP_CERTIFICATE=str(certificate),
                REQUESTS_CA_BUNDLE=certifi.where(),
            )
            assert "REQUESTS_CA_BUNDLE is set and overrules" in overruled["traces"]["advice"], overruled["traces"]


def test_receiver_without_metrics() -> None:
    with OtlpServer(paths=["/v1/traces"]) as server:
        found = over(server.endpoint, "http/protobuf")
    assert found["traces"]["status"] == "ok"
    assert "no place for this signal" in found["metrics"]["finding"]


@pytest.mark.parametrize("retry_after", [None, "30"])
def test_overloaded_receiver(retry_after: str | None) -> None:
    with OtlpServer() as server:
        server.fail(20, 503, retry_after)
        found = over(server.endpoint, "http/protobuf")
    assert "refuses for now" in found["traces"]["finding"], found["traces"]


@pytest.mark.parametrize("endpoint", ["localhost:4318", "http://", "http://no-such-host.invalid:4318"])
def test_endpoint_that_leads_nowhere(endpoint: str) -> None:
    found = over(endpoint, "http/protobuf")
    assert not found["ok"]
    assert found["traces"]["advice"]


def test_password_in_the_endpoint_is_not_shown(refused: str) -> None:
    found = over(refused.replace("http://", "http://user:pa55@"), "http/protobuf")
    assert "pa55" not in json.dumps(found)


def test_reads_well_in_a_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "typer", "ocr_otel.cli.main", "run", "doctor"],
        env={**os.environ, "OCR_OTEL_ENABLED": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.endswith("A training started here is recorded.\n")
