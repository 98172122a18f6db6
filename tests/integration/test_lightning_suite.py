"""The comparison of two runs of foreign tests tells what ocr_otel breaks from what is broken or flaky by itself."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.lightning_suite import __main__ as program
from tests.lightning_suite.running import DiedError, Suite
from tests.lightning_suite.source import TESTS

FOREIGN = """
import os
from pathlib import Path
import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

RECORDED = os.environ.get("OCR_OTEL_ENABLED") == "true"

def test_trains(tmp_path):
    trainer = Trainer(fast_dev_run=1, default_root_dir=tmp_path, accelerator="cpu")
    trainer.fit(BoringModel())
    trainer.test(BoringModel())

def test_has_no_callback_of_others():
    assert not any("OTel" in type(each).__name__ for each in Trainer(accelerator="cpu").callbacks)

def test_fails_once_when_recorded():
    first = Path(__file__).with_name("ran")
    if RECORDED and not first.exists():
        first.touch()
        pytest.fail("flaky")

def test_fails_anyway():
    assert not Trainer
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    folder = tmp_path / "repository" / TESTS / "foreign"
    folder.mkdir(parents=True)
    (tmp_path / "repository" / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (folder / "test_foreign.py").write_text(FOREIGN)
    (tmp_path / "results").mkdir()
    return Suite(Path(sys.executable), tmp_path / "repository", tmp_path / "results", tmp_path / "scratch")


def test_what_is_broken_by_us_is_told_and_nothing_else(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    assert program._compare(suite, ["foreign"]) == 1
    said = capsys.readouterr()
    assert "| foreign | 3 | 1 | 1 | 2 |" in said.out
    assert "did not differ again: foreign/test_foreign.py::test_fails_once_when_recorded: Failed: flaky" in said.out
    assert "DIFFERENT: foreign/test_foreign.py::test_has_no_callback_of_others: assert not True" in said.out
    assert said.out.count("DIFFERENT") == 1
    assert "warned" not in said.out
    assert said.err == ""


def test_a_comparison_in_which_nothing_was_recorded_fails(suite: Suite, capsys: pytest.CaptureFixture[str]) -> None:
    assert program._compare(suite, ["foreign/test_foreign.py::test_fails_anyway"]) == 1
    assert "nothing was compared" in capsys.readouterr().err


def test_a_run_without_results_is_an_error(suite: Suite) -> None:
    with pytest.raises(DiedError, match="pytest ended with status 4"):
        suite.run("missing", ["not_there"], recorded=False)
