"""What is public is said in one place, is there, and costs nothing until it is asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import lightning.pytorch as pl
import pytest

import ocr_otel
from ocr_otel.baseline.pytest_plugin import MARKER, UPDATE
from ocr_otel.settings import PREFIX

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
PUBLIC = API.partition("## What is public")[2].partition("\n## ")[0]


def test_the_page_names_what_the_package_offers() -> None:
    (row,) = [line for line in PUBLIC.splitlines() if line.startswith("| the names of `ocr_otel`:")]
    assert re.findall(r"`(\w+)`", row)[1:] == ocr_otel.__all__


def test_the_page_names_what_has_no_module_to_import() -> None:
    for name in (f"{PREFIX}*", MARKER, UPDATE, "traces.jsonl", "metrics.jsonl", "logs.jsonl", "run.json"):
        assert f"`{name}`" in PUBLIC


@pytest.mark.parametrize("name", [name for name in ocr_otel.__all__ if name != "__version__"])
def test_what_is_offered_is_a_callback_of_lightning(name: str) -> None:
    assert issubclass(getattr(ocr_otel, name), pl.Callback)


def test_what_is_not_offered_is_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Recorder'"):
        _ = ocr_otel.Recorder


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, typing; before = set(sys.modules); import ocr_otel; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ocr_otel"]
