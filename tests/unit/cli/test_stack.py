"""`ocr-otel stack`, with stand-ins for the servers; tests/stack has it with the real ones."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import Result
from typer.testing import CliRunner

from ocr_otel.cli.main import app
from ocr_otel.stack import Layout, lifecycle
from tests.support import fake_servers
from tests.support.ports import free_offset

OFFSET = free_offset()
NAMES = ["agent", "alertmanager", "collector", "gateway", "jaeger", "prometheus"]


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Layout]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lifecycle, "STOP_SECONDS", 1.0)
    fake_servers.install()
    found = Layout(tmp_path / ".stack")
    yield found
    run("down")
    assert running(found) == []


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["stack", *arguments])


def up(*arguments: str) -> Result:
    return run("up", "--port-offset", str(OFFSET), *arguments)


def running(layout: Layout) -> list[str]:
    """Servers of this directory among all processes of the machine, whatever is written down about them."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline", "status"]):
        folder = process.info["cwd"] or ""
        if folder.startswith(str(layout.root)) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(Path(folder).name)
    return sorted(found)


def test_up_starts_all_and_says_where_they_are(layout: Layout) -> None:
    result = up()
    assert result.exit_code == 0, result.output
    assert running(layout) == ["alertmanager", "collector", "jaeger", "prometheus"]
    for line in (
        f"Jaeger        http://127.0.0.1:{16686 + OFFSET}",
        f"Prometheus    http://127.0.0.1:{9090 + OFFSET}",
        "  export OCR_OTEL_ENABLED=true",
        f"  export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{4317 + OFFSET}",
    ):
        assert line in result.output
    assert run("down").exit_code == 0
    assert running(layout) == []


def test_team_has_agent_and_gateway(layout: Layout) -> None:
    result = up("--team")
    assert result.exit_code == 0, result.output
    assert running(layout) == ["agent", "alertmanager", "gateway", "jaeger", "prometheus"]
    assert f"127.0.0.1:{14317 + OFFSET} (gRPC with TLS and token)" in result.output
    assert layout.token.read_text() not in result.output


def test_up_twice_says_so_and_starts_nothing(layout: Layout) -> None:
    up()
    before = {name: layout.process(name).read_text() for name in NAMES if layout.process(name).exists()}
    result = up()
    assert result.exit_code == 0
    assert f"The stack of {layout.root} is up already." in result.output
    assert {name: layout.process(name).read_text() for name in before} == before


def test_up_beside_a_part_that_runs_asks_for_down(layout: Layout) -> None:
    up()
    psutil.Process(json.loads(layout.process("jaeger").read_text())["pid"]).kill()
    result = up()
    assert result.exit_code == 1
    assert "already running: `ocr-otel stack down` first" in result.output
    assert run("down").exit_code == 0
    assert up().exit_code == 0


def test_status_is_a_table_and_fails_when_one_is_not_up(layout: Layout) -> None:
    assert run("status").exit_code == 1
    assert "no stack was started in" in run("status").output
    up()
    result = run("status")
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line for line in result.output.splitlines()[1:5]}
    assert str(16686 + OFFSET) in rows["jaeger"]
    assert f"Logs are in {layout.log('jaeger').parent}." in result.output
    assert all(" up " in row for row in rows.values())
    psutil.Process(json.loads(layout.process("prometheus").read_text())["pid"]).kill()
    result = run("status")
    assert result.exit_code == 1
    assert "not running" in next(line for line in result.output.splitlines() if line.startswith("prometheus"))


def test_taken_port_starts_nothing(layout: Layout) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 9090 + OFFSET))
        other.listen()
        result = up()
    assert result.exit_code == 1
    assert (
        f"port {9090 + OFFSET}, which prometheus needs for web page, query API and OTLP, is taken by " in result.output
    )
    assert running(layout) == []
    assert not layout.description.exists()


def test_server_that_dies_at_its_start_shows_its_last_words_and_stops_the_others(layout: Layout) -> None:
    fake_servers.install({"prometheus": ("", "print('opening storage failed: lock', flush=True); sys.exit(3)")})
    result = up()
    assert result.exit_code == 1
    assert "prometheus ended at its start with status 3. Everything was stopped" in result.output
    assert "opening storage failed: lock" in result.output
    assert str(layout.log("prometheus")) in result.output
    assert running(layout) == []


def test_server_that_never_gets_ready_is_given_up(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "READY_SECONDS", 2.0)
    fake_servers.install({"jaeger": ("", "print('replaying', flush=True); time.sleep(60)")})
    result = up()
    assert result.exit_code == 1
    assert f"jaeger is not ready after 2 s (http://127.0.0.1:{13135 + OFFSET}/status)" in result.output
    assert "replaying" in result.output
    assert running(layout) == []


def test_server_that_does_not_end_is_killed_and_named(layout: Layout) -> None:
    fake_servers.install({"jaeger": ("", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")})
    assert up().exit_code == 0
    result = run("down")
    assert result.exit_code == 0
    assert "jaeger did not end by itself and was killed." in result.output
    assert running(layout) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_after_an_up_that_was_cut_off(layout: Layout, how: int) -> None:
    fake_servers.install({"prometheus": ("", "time.sleep(60)")})
    command = [sys.executable, "-c", "from ocr_otel.cli.main import app; app()", "stack", "up", "--port-offset"]
    process = subprocess.Popen([*command, str(OFFSET)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while len(running(layout)) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(how)
    process.wait(20)
    if how == signal.SIGKILL:
        assert len(running(layout)) == 4
        assert run("status").exit_code == 1
        assert run("down").exit_code == 0
    assert running(layout) == []


def test_process_that_got_the_number_of_a_server_is_left_alone(layout: Layout) -> None:
    foreign = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        created = psutil.Process(foreign.pid).create_time()
        layout.process("jaeger").parent.mkdir(parents=True)
        layout.process("jaeger").write_text(json.dumps({"pid": foreign.pid, "created": created - 100}))
        assert run("down").exit_code == 0
        assert foreign.poll() is None
        assert not layout.process("jaeger").exists()
    finally:
        foreign.kill()
        foreign.wait()


@pytest.mark.parametrize("written", ["", "{", "[]", '{"pid": "x"}', '{"pid": 99999999, "created": 1}'])
def test_broken_process_file_stops_nobody(layout: Layout, written: str) -> None:
    layout.process("jaeger").parent.mkdir(parents=True)
    layout.process("jaeger").write_text(written)
    assert run("down").exit_code == 0


def test_variables_of_a_training_do_not_reach_the_servers(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere:4317")
    monkeypatch.setenv("STACK_KEEP_REGULAR_PERCENT", "10")
    assert up().exit_code == 0
    environment = psutil.Process(json.loads(layout.process("collector").read_text())["pid"]).environ()
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in environment
    assert environment["STACK_KEEP_REGULAR_PERCENT"] == "10"
    assert environment["STACK_JAEGER_GRPC_PORT"] == str(24317 + OFFSET)
    assert environment["PATH"] == os.environ["PATH"]


def test_log_of_the_start_before_is_kept(layout: Layout) -> None:
    fake_servers.install({"jaeger": ("print('hello', flush=True)", "")})
    up()
    run("down")
    up()
    assert "hello" in layout.log("jaeger").read_text()
    assert "hello" in layout.log("jaeger").with_name("jaeger.log.1").read_text()


def test_two_at_once_do_not_meet(layout: Layout) -> None:
    with lifecycle._alone(layout):
        result = up()
    assert result.exit_code == 1
    assert "another `ocr-otel stack` is at work in" in result.output


def test_directory_that_cannot_be_written_is_named(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = up("--directory", str(tmp_path / "file" / "stack"))
    assert result.exit_code == 1
    assert "cannot write to" in result.output


def test_build_says_where_everything_is(layout: Layout) -> None:
    result = run("build")
    assert result.exit_code == 0
    for name in ("otelcol", "jaeger", "prometheus", "promtool", "alertmanager", "amtool"):
        assert str(fake_servers.folder_of(name) / name) in result.output
