"""The command line as a whole: quick help, and errors without tracebacks."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ocr_otel import __version__
from ocr_otel.cli.main import app

HEAVY = {"torch", "lightning", "opentelemetry", "numpy", "pydantic", "rich", "httpx", "plotly", "jinja2", "grpc"}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom ocr_otel.cli.main import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "demo" in done.stdout
    assert not HEAVY & set(done.stderr.split())


@pytest.mark.parametrize("command", ["demo", "report", "profile", "recover", "doctor", "replay"])
def test_each_command_has_help_and_one_whole_sentence_in_the_overview(command: str) -> None:
    runner = CliRunner()
    assert runner.invoke(app, [command, "--help"]).exit_code == 0
    (line,) = [line for line in runner.invoke(app, ["--help"]).output.splitlines() if line.split()[:1] == [command]]
    assert line.endswith(".")
    assert not line.endswith("...")


def test_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"ocr-otel {__version__}\n"
