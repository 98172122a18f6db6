"""The wheel does its work where there is nothing else: in an environment of its own, from an empty folder."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from ocr_otel import __version__
from tests.package.conftest import LONGEST, Installed

pytestmark = pytest.mark.timeout(LONGEST)

SMALLEST: Final = ("--epochs", "1", "--samples", "64", "--workers", "0")
HELP_SECONDS: Final = 0.150
"""CPU time that `ocr-otel --help` may take."""
HELP_CALLS: Final = 7
COMPLETE: Final = 0.98
"""Share of the package's names whose type a type checker must know without guessing."""


def test_what_is_installed_is_not_the_checkout(installed: Installed) -> None:
    done = installed.run("python", "-c", "import ocr_otel; print(ocr_otel.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(installed.environment)
    assert installed.run("ocr-otel", "--version").stdout == f"ocr-otel {__version__}\n"


def test_the_demo_trains_and_is_reported(installed: Installed) -> None:
    done = installed.run("ocr-otel", "demo", *SMALLEST)
    assert done.returncode == 0, done.stderr
    (page,) = installed.folder.glob("runs/*/report.html")
    assert "<html" in page.read_text(encoding="utf-8")
    page.unlink()
    again = installed.run("ocr-otel", "report")
    assert again.returncode == 0, again.stderr
    assert Path(again.stdout.strip()) == page.relative_to(installed.folder)
    assert page.exists()
    text = installed.run("ocr-otel", "report", "--format", "text")
    assert text.returncode == 0, text.stderr
    assert "fit completed" in text.stdout
    assert json.loads(installed.run("ocr-otel", "report", "--format", "json").stdout)


def test_the_doctor_finds_nothing_wrong(installed: Installed) -> None:
    done = installed.run("ocr-otel", "doctor", "--format", "json")
    told = json.loads(done.stdout)
    assert done.returncode == 0, told
    assert told["ok"]
    failed = [check for check in told["checks"] if check["status"] == "fail"]
    assert not failed


def test_what_is_not_installed_is_said_with_what_to_install(installed: Installed) -> None:
    done = installed.run("ocr-otel", "watch")
    assert done.returncode == 1
    assert "ocr_otel[watch]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_servers_files_and_the_configurations_are_found(installed: Installed) -> None:
    done = installed.run(
        "python",
        "-c",
        "from importlib.resources import files; from ocr_otel.stack import configuration_directory\n"
        "assert (files('ocr_otel.configs') / 'callbacks' / 'ocr_otel.yaml').is_file()\n"
        "print(configuration_directory())",
    )
    assert done.returncode == 0, done.stderr
    found = Path(done.stdout.strip())
    assert found.is_relative_to(installed.environment)
    assert (found / "agent.yaml").is_file()


def test_help_is_there_at_once(installed: Installed) -> None:
    first = installed.run("ocr-otel", "--help")
    assert first.returncode == 0, first.stderr
    assert "doctor" in first.stdout
    took = [_cpu_seconds(installed, "ocr-otel", "--help") for _ in range(HELP_CALLS)]
    print(f"CPU seconds of each call: {took}")
    # What other programs on the machine add is never less than nothing.
    assert min(took) < HELP_SECONDS, took


def test_its_types_are_complete(installed: Installed) -> None:
    # It looks into the environment of the `python` on the PATH.
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--verifytypes", "ocr_otel", "--ignoreexternal", "--outputjson"],
        cwd=installed.folder,
        env=installed.variables() | {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    told = json.loads(done.stdout[done.stdout.index("{") :])["typeCompleteness"]
    assert told["packageName"] == "ocr_otel"
    assert Path(told["pyTypedPath"]).is_relative_to(installed.environment)
    exported = [each for each in told["symbols"] if each["isExported"]]
    guessed = [each["name"] for each in exported if not each["isTypeKnown"] or each["isTypeAmbiguous"]]
    print(f"type completeness: {told['completenessScore']:.2%} of {len(exported)} names")
    assert told["completenessScore"] >= COMPLETE, guessed


def _cpu_seconds(installed: Installed, *command: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    installed.run(*command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
