"""What is in the files that are published, and that their metadata can be shown."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from configparser import ConfigParser
from email import message_from_string
from zipfile import ZipFile

import pytest

from ocr_otel import __version__
from tests.package.conftest import ROOT, Built

pytestmark = pytest.mark.timeout(600)

INFO = f"ocr_otel-{__version__}.dist-info"
SERVERS = "collector-config/"
RULE_TESTS = f"{SERVERS}prometheus/rules/tests/"
NEEDED = {
    "ocr_otel/py.typed",
    "ocr_otel/report/templates/report.html.j2",
    "ocr_otel/report/templates/report.css",
    "ocr_otel/report/templates/waterfall.js",
    "ocr_otel/watch/templates/run.html.j2",
    "ocr_otel/configs/callbacks/ocr_otel.yaml",
    "ocr_otel/stack/collector-config/agent.yaml",
    "ocr_otel/stack/collector-config/build/otelcol/go.mod",
    "ocr_otel/stack/collector-config/make-certificates.sh",
    "ocr_otel/stack/collector-config/prometheus/rules/alerts-runs.yaml",
}
"""One of each kind of file that no import would miss."""
MEBIBYTE = 1 << 20


def test_the_wheel_has_the_package_and_the_servers_files_and_nothing_else(built: Built) -> None:
    with ZipFile(built.wheel) as wheel:
        found = {name for name in wheel.namelist() if not name.startswith(f"{INFO}/")}
        info = {name.removeprefix(f"{INFO}/") for name in wheel.namelist()} - found
    assert found >= NEEDED
    assert found == {_in_wheel(path) for path in _of_checkout("ocr_otel", SERVERS) if not path.startswith(RULE_TESTS)}
    assert info == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def test_the_wheel_is_for_every_platform_and_small(built: Built) -> None:
    assert built.wheel.name == f"ocr_otel-{__version__}-py3-none-any.whl"
    assert built.wheel.stat().st_size < 2 * MEBIBYTE


def test_the_sdist_has_what_it_is_built_and_tested_with(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        found = {name.partition("/")[2] for name in sdist.getnames()}
    assert found >= {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "constraints.txt", "Makefile"}
    assert found >= {path for path in _of_checkout("ocr_otel", SERVERS, "tests") if not path.endswith(".gitignore")}


def test_the_wheel_names_its_entry_points(built: Built) -> None:
    with ZipFile(built.wheel) as wheel:
        told = ConfigParser()
        told.read_string(wheel.read(f"{INFO}/entry_points.txt").decode())
    assert set(told.sections()) == {
        "console_scripts",
        "lightning.fabric.callbacks_factory",
        "lightning.pytorch.callbacks_factory",
        "opentelemetry_instrumentor",
        "pytest11",
        "pytorch_lightning.callbacks_factory",
    }


def test_the_wheels_metadata_says_what_it_is(built: Built) -> None:
    with ZipFile(built.wheel) as wheel:
        told = message_from_string(wheel.read(f"{INFO}/METADATA").decode())
    assert (told["Version"], told["License-Expression"]) == (__version__, "Apache-2.0")
    assert told["Requires-Python"] == ">=3.11"
    assert set(told.get_all("Provides-Extra", [])) >= {"all", "demo", "report", "watch"}
    # An index takes no dependency that names a place.
    assert not [each for each in told.get_all("Requires-Dist", []) if "://" in each]


def test_its_description_can_be_shown_by_an_index(built: Built) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", built.sdist, built.wheel],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _of_checkout(*folders: str) -> set[str]:
    """Return the files of the checkout that Git has or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {path for path in listed.stdout.splitlines() if (ROOT / path).exists()}


def _in_wheel(path: str) -> str:
    return f"ocr_otel/stack/{path}" if path.startswith(SERVERS) else path
