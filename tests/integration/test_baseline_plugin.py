"""The pytest plugin as a team uses it: a worked example, run by pytest in a process of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.scripts import run_python

EXAMPLE = Path(__file__).parents[1] / "support" / "baseline_example"
HEAVY = ("torch", "lightning", "scipy", "numpy", "opentelemetry", "typer", "rich")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("team")
    for file in EXAMPLE.iterdir():
        if file.is_file():
            shutil.copy(file, folder / file.name)
    return folder


def test_example_passes_where_the_baseline_is_kept_and_fails_where_not(example: Path) -> None:
    # With an endpoint that nobody listens on: a recorded test writes files all the same.
    ran = run_python(
        ["-m", "pytest", "-rA", "-p", "no:cacheprovider", "--strict-markers", "--junitxml=junit.xml"],
        example,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9",
    )
    assert "2 failed, 2 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "PASSED test_speed.py::test_training_is_as_fast_as_before" in ran.stdout
    assert "1 of 2 measures do not keep to the baseline." in ran.stdout
    assert "at most 0.11 ms" in ran.stdout
    assert (
        "nothing was recorded: a test with the marker ocr_otel_baseline trains with a Lightning Trainer" in ran.stdout
    )
    assert "PASSED test_speed.py::test_without_the_marker" in ran.stdout
    # What was measured stands in pytest's own JUnit file.
    assert '<property name="batch.mean"' in (example / "junit.xml").read_text()


def test_files_are_saved_anew_with_their_tolerances(example: Path) -> None:
    ran = run_python(["-m", "pytest", "-p", "no:cacheprovider", "-k", "slower", "--ocr-otel-update-baseline"], example)
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr
    held = json.loads((example / "strict.json").read_text())["measures"]
    assert held["batch.mean"]["value"] > 0.001
    assert held["batch.mean"]["tolerance"] == 0.1
    assert held["batch.p95_to_mean"] == {"max": 100.0}


def test_plugin_costs_a_project_without_the_marker_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        f"import sys\ndef test_it():\n    assert not {{*{HEAVY!r}}} & {{*sys.modules}}\n"
        "    assert 'ocr_otel.baseline.pytest_plugin' in sys.modules\n"
    )
    ran = run_python(
        ["-m", "pytest", "-q", "-p", "no:cacheprovider"], tmp_path, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
        PYTEST_PLUGINS="ocr_otel.baseline.pytest_plugin",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("@pytest.mark.ocr_otel_baseline\ndef test_it(): pass", "takes one argument: the path of the baseline file"),
        ("def test_it(ocr_otel_run): pass", "ocr_otel_run is for tests with the marker ocr_otel_baseline"),
    ],
)
def test_marker_that_is_used_wrongly_is_said(tmp_path: Path, test: str, said: str) -> None:
    (tmp_path / "test_it.py").write_text(f"import pytest\n{test}\n")
    ran = run_python(["-m", "pytest", "-p", "no:cacheprovider"], tmp_path)
    assert said in ran.stdout
    assert ran.returncode == 1
