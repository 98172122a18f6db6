"""A baseline saved and checked as a user does it: files, exit statuses, and what is said when it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from junitparser import JUnitXml
from typer.testing import CliRunner, Result

from ocr_otel.baseline.measures import MEASURES
from ocr_otel.cli.main import app
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    synthetic_run.make(folder / "good", Shape(epochs=2, batches=60, kept=60))
    synthetic_run.make(folder / "slow", Shape(epochs=2, batches=60, kept=60, pace=2.0))
    synthetic_run.make(folder / "nothing", Shape(epochs=0))
    return folder


def baseline(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["baseline", *(str(each) for each in arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_baseline_is_kept_by_its_run_and_not_by_a_slower_one(runs: Path, tmp_path: Path) -> None:
    file, junit, summary = tmp_path / "baseline.json", tmp_path / "junit.xml", tmp_path / "summary.md"
    assert baseline("save", runs / "good", "-b", file).exit_code == 0
    held = json.loads(file.read_text())["measures"]
    assert set(held) == {
        "batch.mean",
        "batch.p95_to_mean",
        "throughput.samples",
        "validation.duration",
        "memory.resident",
    }
    assert 0.07 < held["batch.mean"]["value"] < 0.1
    # A validation of 2 s, of which a checkpoint takes 0.5 s.
    assert held["validation.duration"]["value"] == pytest.approx(1.5, abs=0.01)
    assert baseline("check", runs / "good", "-b", file, "--summary", summary).exit_code == 0
    slow = baseline("check", runs / "slow", "-b", file, "--junit", junit, "--summary", summary)
    assert slow.exit_code == 3
    assert "2 of 5 measures do not keep to the baseline" in slow.stdout
    assert [suite.failures for suite in JUnitXml.fromfile(str(junit))] == [2]
    assert summary.read_text().count("### Training baseline") == 2


def test_measures_and_tolerance_can_be_named(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    baseline("save", runs / "good", "-b", file, "--measure", "goodput", "--measure", "batch.p99", "--tolerance", "0.5")
    held = json.loads(file.read_text())["measures"]
    assert {name: each["tolerance"] for name, each in held.items()} == {"goodput": 0.5, "batch.p99": 0.5}


def test_what_cannot_be_judged_has_its_own_status(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    absent = baseline("check", runs / "good", "-b", file)
    assert absent.exit_code == 2
    assert "ocr-otel baseline save" in absent.stderr
    file.write_text("{}")
    assert baseline("check", runs / "good", "-b", file).exit_code == 2
    assert baseline("save", runs / "good", "-b", file).exit_code == 2
    assert file.read_text() == "{}"
    unknown = baseline("save", runs / "good", "-b", tmp_path / "b.json", "--measure", "speed")
    assert unknown.exit_code == 2
    assert "no measure 'speed': batch.mean" in unknown.stderr
    lacking = baseline("save", runs / "good", "-b", tmp_path / "b.json", "--measure", "mfu")
    assert lacking.exit_code == 2
    assert "does not have it" in lacking.stderr
    assert baseline("save", runs / "good", "-b", tmp_path / "absent" / "b.json").exit_code == 2
    assert baseline("check", tmp_path / "absent", "-b", file).exit_code == 1


def test_run_without_batches_fails_a_baseline_that_requires_them(runs: Path, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    baseline("save", runs / "good", "-b", file, "--measure", "batch.mean")
    result = baseline("check", runs / "nothing", "-b", file)
    assert result.exit_code == 3
    assert "not measured" in result.stdout


def test_page_on_the_guard_has_every_measure() -> None:
    page = (Path(__file__).parents[3] / "docs" / "ci-guard.md").read_text(encoding="utf-8")
    for name, measure in MEASURES.items():
        assert f"| `{name}` | {measure.meaning}" in page, name
