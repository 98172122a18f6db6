"""`ocr-otel stack` with the real servers."""

from __future__ import annotations

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

from ocr_otel.stack import BINARIES, Layout, build, cached, make_plan, processes
from ocr_otel.stack.ports import taken
from tests.support.ports import free_offset
from tests.support.stack import CONFIGURATION

FOLDER = "stack"


def ocr_otel(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("ocr-otel"), *arguments],
        cwd=folder, capture_output=True, text=True, timeout=150, check=False,
    )  # fmt: skip


def up(folder: Path, offset: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return ocr_otel(folder, "stack", "up", "--directory", FOLDER, "--port-offset", str(offset), *arguments)


def left_running(folder: Path) -> list[str]:
    return [
        f"{process.pid} {process.name()}"
        for process in psutil.process_iter(["cwd"])
        if (process.info["cwd"] or "").startswith(str(folder)) and process.status() != psutil.STATUS_ZOMBIE
    ]


@pytest.fixture
def offset() -> int:
    return free_offset()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    ocr_otel(tmp_path, "stack", "down", "--directory", FOLDER)
    assert left_running(tmp_path) == []


@pytest.mark.parametrize("name", BINARIES)
def test_built_program_is_found_at_once_and_says_what_it_is(name: str) -> None:
    path = cached(BINARIES[name], CONFIGURATION)
    assert path.is_file(), "run `ocr-otel stack build` first, as `make test-stack` does"
    began = time.monotonic()
    assert build(BINARIES[name], CONFIGURATION) == path
    assert time.monotonic() - began < 1
    argument = {"jaeger": "version"}.get(name, "--version")
    shown = subprocess.run([path, argument], capture_output=True, text=True, timeout=30, check=False)
    assert shown.returncode == 0, shown.stderr


@pytest.mark.parametrize("form", [(), ("--team",)], ids=["single", "team"])
def test_stack_comes_up_answers_and_goes_down(folder: Path, offset: int, form: tuple[str, ...]) -> None:
    started = up(folder, offset, *form)
    assert started.returncode == 0, started.stderr
    plan = make_plan(Layout(folder / FOLDER), CONFIGURATION, bool(form), offset)
    for server in plan.servers:
        assert f"{server.name} is ready" in started.stdout
        assert processes.answers(server.ready_url)
    for value in plan.training_environment().values():
        assert value in started.stdout
    again = up(folder, offset, *form)
    assert again.returncode == 0
    assert "is up already" in again.stdout
    assert ocr_otel(folder, "stack", "status", "--directory", FOLDER).returncode == 0
    stopped = ocr_otel(folder, "stack", "down", "--directory", FOLDER)
    assert stopped.stdout == "The stack is down.\n", "a server had to be killed"
    assert left_running(folder) == []
    assert taken(dict(plan.ports)) == []
    assert ocr_otel(folder, "stack", "status", "--directory", FOLDER).returncode == 1


def test_every_listener_is_on_loopback(folder: Path, offset: int) -> None:
    assert up(folder, offset, "--team").returncode == 0
    layout = Layout(folder / FOLDER)
    plan = make_plan(layout, CONFIGURATION, True, offset)
    known = {port.number for port in plan.ports.values()}
    found = {
        (connection.laddr.ip, connection.laddr.port)
        for server in plan.servers
        for connection in processes.find(layout.process(server.name)).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert found == {("127.0.0.1", number) for number in known}


def test_taken_port_is_named_and_nothing_starts(folder: Path, offset: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 24317 + offset))
        other.listen()
        failed = up(folder, offset)
    assert failed.returncode == 1
    assert f"port {24317 + offset}, which jaeger needs for OTLP/gRPC, is taken by " in failed.stderr
    assert left_running(folder) == []


def test_broken_configuration_shows_the_servers_own_words(folder: Path, offset: int) -> None:
    layout = Layout(folder / FOLDER)
    assert up(folder, offset).returncode == 0
    ocr_otel(folder, "stack", "down", "--directory", FOLDER)
    # A block of a version that Prometheus cannot read.
    (layout.data("prometheus") / "wal").rename(layout.data("prometheus") / "old")
    (layout.data("prometheus") / "wal").write_text("no folder")
    failed = up(folder, offset)
    assert failed.returncode == 1
    assert "prometheus ended at its start with status " in failed.stderr
    assert "wal" in failed.stderr.partition("the end of ")[2].partition("\n")[2]
    assert left_running(folder) == []


def test_status_tells_which_server_died(folder: Path, offset: int) -> None:
    assert up(folder, offset).returncode == 0
    processes.find(Layout(folder / FOLDER).process("jaeger")).kill()
    status = ocr_otel(folder, "stack", "status", "--directory", FOLDER)
    assert status.returncode == 1
    assert [line.split()[0] for line in status.stdout.splitlines() if "not running" in line] == ["jaeger"]


def test_down_stops_a_server_that_was_not_written_down_in_time(folder: Path, offset: int) -> None:
    assert up(folder, offset).returncode == 0
    Layout(folder / FOLDER).process("prometheus").unlink()
    assert ocr_otel(folder, "stack", "down", "--directory", FOLDER).returncode == 0
    assert left_running(folder) == []


def test_down_stops_what_a_killed_up_left(folder: Path, offset: int) -> None:
    command = [Path(sys.executable).with_name("ocr-otel"), "stack", "up", "--team", "--directory", FOLDER]
    process = subprocess.Popen([*command, "--port-offset", str(offset)], cwd=folder, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while len(left_running(folder / FOLDER)) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert ocr_otel(folder, "stack", "down", "--directory", FOLDER).returncode == 0
    assert left_running(folder) == []
