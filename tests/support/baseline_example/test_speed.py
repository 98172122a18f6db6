"""The worked example of the docs: a team's regression test of the speed of its training.

It is run by `tests/integration/test_baseline_plugin.py`, in a process of its own as a team's CI would.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_otel.demo import train


@pytest.mark.ocr_otel_baseline("baseline.json")
def test_training_is_as_fast_as_before(tmp_path: Path, ocr_otel_run: Path) -> None:
    train.main([f"--data-dir={tmp_path}", f"--output={tmp_path}", "--epochs=1", "--samples=160", "--workers=0"])
    assert (ocr_otel_run / "traces.jsonl").exists()


@pytest.mark.ocr_otel_baseline("strict.json")
def test_training_that_became_slower(tmp_path: Path) -> None:
    train.main([f"--data-dir={tmp_path}", f"--output={tmp_path}", "--epochs=1", "--samples=160", "--workers=0"])


@pytest.mark.ocr_otel_baseline("baseline.json")
def test_without_a_training() -> None:
    pass


def test_without_the_marker() -> None:
    import os

    assert "OCR_OTEL_ENABLED" not in os.environ
