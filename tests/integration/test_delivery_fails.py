"""Telemetry that cannot be delivered: training goes on, the loss is said once, the exit is not held up."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import mount, unmount
from tests.support.scripts import train


def losses(folder: Path) -> list[str]:
    return json.loads((folder / "losses.json").read_text())


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("healthy")
    assert train("plain", folder).returncode == 0
    return losses(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    mount(disk, "size=64k")
    yield disk
    unmount(disk)


def test_a_full_disk_loses_telemetry_and_says_so_once(tmp_path: Path, small_disk: Path, healthy: list[str]) -> None:
    done = train("plain", tmp_path, OCR_OTEL_RUNS_DIR=str(small_disk))
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path) == healthy
    assert done.stderr.count("telemetry is being lost (export_failed)") == 1
    assert "Traceback" not in done.stderr
    assert "spans could not be delivered" in done.stderr


def test_a_runs_directory_that_cannot_be_made_is_said_once(tmp_path: Path, healthy: list[str]) -> None:
    (tmp_path / "file").write_text("not a directory")
    done = train("plain", tmp_path, OCR_OTEL_RUNS_DIR=str(tmp_path / "file" / "runs"))
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path) == healthy
    assert done.stderr.count("cannot be written") == 1
    assert "Traceback" not in done.stderr


KEPT, GIVEN_UP = "bytes are not delivered yet and wait in", "telemetry was not delivered within"
"""What the end of a training says of what was not delivered: with a spool, and without one."""


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("spool", [True, False])
def test_an_endpoint_where_nobody_listens_costs_no_loss_and_no_time(
    tmp_path: Path, healthy: list[str], protocol: str, spool: bool
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    done = train(
        "plain",
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}",
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OCR_OTEL_FLUSH_TIMEOUT="1",
        OCR_OTEL_SPOOL=str(spool),
    )
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path) == healthy
    if spool:
        assert KEPT in done.stderr
        assert (tmp_path / "runs" / "run" / "spool").is_dir()
    else:
        assert f"{GIVEN_UP} 1 s" in done.stderr or "telemetry is being lost" in done.stderr


@pytest.mark.parametrize("spool", [True, False])
def test_an_endpoint_that_accepts_and_never_answers_delays_the_exit_by_the_bound_alone(
    tmp_path: Path, healthy: list[str], spool: bool
) -> None:
    began = time.monotonic()
    (tmp_path / "before").mkdir()
    assert train("plain", tmp_path / "before").returncode == 0
    normal = time.monotonic() - began
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        began = time.monotonic()
        done = train(
            "plain",
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{silent.getsockname()[1]}",
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OCR_OTEL_FLUSH_TIMEOUT="2",
            OCR_OTEL_SPOOL=str(spool),
        )
        took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert losses(tmp_path) == healthy
    assert (KEPT if spool else f"{GIVEN_UP} 2 s") in done.stderr
    # One wait, of the end of the run and of the process together. The rest is the machine's own unevenness.
    assert took - normal < 2 + 4
