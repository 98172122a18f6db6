"""What `ocr-otel replay` says, to people who did everything right and to those who did not."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from typer.testing import CliRunner

from ocr_otel.cli.main import app
from ocr_otel.replay.state import STATE_FILE
from ocr_otel.spool import Store, append
from ocr_otel.telemetry.spooling.encoding import encoding
from tests.support.otlp_server import OtlpGrpcServer, OtlpServer

SPANS = 12


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(folder / "traces.jsonl")))
    for _ in range(SPANS):
        provider.get_tracer("test").start_span("train_batch").end()
    provider.shutdown()
    return folder


def command(*arguments: object, status: int) -> str:
    result = CliRunner().invoke(app, ["replay", *(str(each) for each in arguments)])
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_command_says_what_was_sent(run: Path) -> None:
    with OtlpServer() as server:
        output = command(run, "--endpoint", server.endpoint, status=0)
        assert f"Sent {SPANS} spans of {run} to {server.endpoint} in 1 request." in output
        output = command(run.name, "--runs-dir", run.parent, "--endpoint", f"{server.endpoint}/v1/traces/", status=0)
        assert "Nothing to send" in output


def test_command_says_that_nobody_is_there_and_how_to_go_on(run: Path) -> None:
    endpoint = f"http://127.0.0.1:{unused_port()}"
    output = command(run, "--endpoint", endpoint, status=1)
    assert "Connection refused" in output
    assert f"Go on with: ocr-otel replay {run} --endpoint {endpoint}" in " ".join(output.split())


def test_command_knows_a_grpc_port(run: Path) -> None:
    with OtlpGrpcServer() as server:
        assert "gRPC port" in command(run, "--endpoint", server.endpoint, status=1)


def test_secrets_are_neither_printed_nor_stored(run: Path) -> None:
    with OtlpServer(require_headers={"authorization": "Bearer s3cret"}) as server:
        refused = command(run, "--endpoint", server.endpoint, "--header", "authorization=Bearer wr0ng", status=1)
        assert "401" in refused
        url = server.endpoint.replace("http://", "http://user:pa55@")
        sent = command(run, "--endpoint", server.endpoint, "--header", "authorization=Bearer s3cret", status=0)
        again = command(run, "--endpoint", url, "--header", "authorization=Bearer s3cret", status=0)
    everything = refused + sent + again + (run / STATE_FILE).read_text()
    assert not any(secret in everything for secret in ("s3cret", "wr0ng", "pa55"))
    assert "s3cret" not in command(run, "--endpoint", "http://x", "--header", "s3cret", status=2)


@pytest.mark.parametrize("endpoint", ["localhost:4318", "ftp://host", "http://", "http://host:99999999"])
def test_command_refuses_what_is_no_url(run: Path, endpoint: str) -> None:
    assert "is not a URL" in command(run, "--endpoint", endpoint, status=2)


def test_command_refuses_what_is_no_run(tmp_path: Path) -> None:
    assert "is not a run directory" in command(tmp_path, "--endpoint", "http://localhost:1", status=2)
    assert "neither" in command("nothing", "--runs-dir", tmp_path, "--endpoint", "http://localhost:1", status=1)


def test_a_run_directory_that_cannot_be_written_is_sent_all_the_same(run: Path) -> None:
    (run / STATE_FILE).mkdir()
    with OtlpServer() as server:
        assert "cannot be written" in command(run, "--endpoint", server.endpoint, status=0)
    assert len(server.spans) == SPANS


def test_ctrl_c_ends_a_wait_and_the_command_says_how_to_go_on(run: Path) -> None:
    with OtlpServer() as server:
        server.fail(100, 503, retry_after="20")
        command_line = [sys.executable, "-m", "typer", "ocr_otel.cli.main", "run", "replay", str(run)]
        process = subprocess.Popen(
            [*command_line, "--endpoint", server.endpoint], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        while not server.requests:
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Go on with" in output
    assert "Traceback" not in output


def test_what_an_endpoint_did_not_take_is_sent_by_the_name_of_its_run(tmp_path: Path) -> None:
    line = encoding("traces").line([TracerProvider().get_tracer("test").start_span("fit")])
    append(tmp_path / "other" / "rank-0" / "spool", "traces", line)
    with OtlpServer() as server:
        said = command("other", "--runs-dir", tmp_path, "--endpoint", server.endpoint, status=0)
        assert f"Sent 1 spans of {tmp_path / 'other'} to {server.endpoint} in 1 request." in said
        assert [span.name for span in server.spans] == ["fit"]
    assert not (tmp_path / "other").exists()


def test_a_spool_that_the_run_sends_from_is_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "run" / "spool", 1_000_000)
    store.append("traces", b"{}")
    with OtlpServer() as server:
        said = command(tmp_path / "run", "--endpoint", server.endpoint, status=0)
    assert "spool was left alone" in said
    assert "Nothing to send" not in said
    assert store.waiting() == {"traces": 3}
