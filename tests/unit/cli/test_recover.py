"""What `ocr-otel recover` says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ocr_otel.cli.main import app
from tests.support.watchdog_left import leave


def recover(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["recover", *map(str, arguments)])
    return result.exit_code, result.output


def test_each_run_gets_a_line(tmp_path: Path) -> None:
    leave(tmp_path / "one")
    leave(tmp_path / "two", boot_id="of-before")
    leave(tmp_path / "three", host="elsewhere")
    leave(tmp_path / "four", spans=False)
    status, output = recover(tmp_path)
    assert status == 0
    assert sorted(output.splitlines()) == [
        f"{tmp_path / 'four'}: nothing was open.",
        f"{tmp_path / 'one'}: ended 3 spans: its process is gone, and nothing says why.",
        f"{tmp_path / 'three'}: left as it is: it is of another host, elsewhere.",
        f"{tmp_path / 'two'}: ended 3 spans: its host was started anew while it ran.",
    ]
    assert recover(tmp_path, "--other-hosts")[1].startswith(f"{tmp_path / 'three'}: ended 3 spans: ")
    assert recover(tmp_path) == (0, f"Nothing to do: every run in {tmp_path} has ended.\n")


def test_a_run_is_found_by_its_name_in_the_directory_of_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(tmp_path / "one")
    leave(tmp_path / "two")
    monkeypatch.setenv("OCR_OTEL_RUNS_DIR", str(tmp_path))
    assert recover("one") == (0, f"{tmp_path / 'one'}: ended 3 spans: its process is gone, and nothing says why.\n")
    assert recover()[1].startswith(f"{tmp_path / 'two'}: ended 3 spans")


def test_what_is_not_there_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_OTEL_RUNS_DIR", str(tmp_path / "runs"))
    status, output = recover()
    assert status == 1
    assert output == f"ocr-otel: {tmp_path / 'runs'} is not there: name a run or the directory of the runs.\n"
    status, output = recover("one")
    assert status == 1
    assert output == f"ocr-otel: one is neither a directory nor a run in {tmp_path / 'runs'}.\n"


def test_what_waits_for_an_endpoint_is_said_with_what_sends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    leave(tmp_path / "one", target="otlp")
    assert recover(tmp_path)[1].endswith(
        f"; not delivered yet, `ocr-otel replay {tmp_path / 'one'} --endpoint URL` does it.\n"
    )


def test_what_cannot_be_written_fails_the_command(tmp_path: Path) -> None:
    leave(tmp_path / "one")
    (tmp_path / "one" / "traces.jsonl").mkdir()
    status, output = recover(tmp_path)
    assert status == 1
    assert output == f"{tmp_path / 'one'}: left as it is: it cannot be read or written: Is a directory.\n"
