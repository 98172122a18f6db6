"""What `ocr-otel watch` says in a terminal."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ocr_otel.cli.main import app
from ocr_otel.report.build import build
from ocr_otel.runs import load
from ocr_otel.watch import terminal
from ocr_otel.watch.now import Heard, now
from tests.support import synthetic_run
from tests.support.run_directory import complete
from tests.support.synthetic_run import Shape

ESCAPE = "\x1b]0;owned\x07\x1b[2J"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that completed."""
    return synthetic_run.make(tmp_path_factory.mktemp("runs") / "usual", Shape(epochs=2))


def test_run_that_is_over_is_one_line_where_nobody_looks(run: Path) -> None:
    found = CliRunner().invoke(app, ["watch", "--tui", str(run)])
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith("fit completed, 600 of ")
    assert found.stdout.count("\n") == 1
    assert "verdict" in found.stdout


def test_terminal_shows_phases_slow_batches_and_the_verdict(run: Path) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100)
    terminal.show(run, console)
    text = file.getvalue()
    for part in ("usual", "forward", "last slow batches", "fit completed", "█"):
        assert part in text, part


def test_names_cannot_steer_a_terminal(tmp_path: Path) -> None:
    loaded = load(complete(tmp_path / "run", logged=f"loss{ESCAPE}"))
    data = build(loaded)
    found = replace(now(loaded, Heard(None, 0.0), 0.0, data), said=ESCAPE, verdict=ESCAPE, logged=[(f"a{ESCAPE}", 1.0)])
    file = io.StringIO()
    Console(file=file, force_terminal=False, width=100).print(terminal.panel(f"run{ESCAPE}", found, data))
    assert "\x1b" not in file.getvalue() + terminal.line(found)
    assert "\x07" not in file.getvalue() + terminal.line(found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-run"], "is neither a path nor a run in"),
        (["--tui", "no-such-run"], "is neither a path nor a run in"),
        (["--host", "no.such.host.invalid", "--port", "0"], "is no address of this machine"),
        (["--port", "70000"], "65535"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, ["watch", *arguments])
    assert found.exit_code in (1, 2)
    assert said in " ".join(found.output.split())
    assert "Traceback" not in found.output


def test_run_of_a_newer_form_is_said(tmp_path: Path) -> None:
    (complete(tmp_path / "run") / "run.json").write_text(json.dumps({"format": 2}))
    found = CliRunner().invoke(app, ["watch", "--tui", str(tmp_path / "run")])
    assert found.exit_code == 1
    assert "upgrade" in found.output
