"""Two real runs of the demo compared, one of them slowed, and the page in a real browser."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ocr_otel.cli.main import app
from ocr_otel.comparison.statistics import trimmed_mean
from ocr_otel.comparison.steps import WARMUP
from tests.integration.test_report_browser import Opened, browser, opened
from tests.support import synthetic_run
from tests.support.scripts import clean_environment
from tests.support.synthetic_run import Shape

__all__ = ["browser", "opened"]

SIZES = ("--epochs=2", "--samples=350", "--batch-size=2", "--workers=0")
HOSTILE = "</script><img src=x onerror=alert(1)>"
LONGEST = 150
PACES = {"before": 0.120, "slowed": 0.138}
"""Seconds of a step."""
KEPT = 1.03
"""A pace is kept where the steps took no more than so many times as long."""
ATTEMPTS = 3


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the demo at once, one slower by 15 %.

    Both are paced, to several times what a step takes by itself: of two trainings side by side a busy machine has been
    seen to slow one by a tenth more than the other. How often a change is found beneath such noise is shown with that
    of a recorded run. Where the machine did not let them keep their pace, they are run again.
    """
    for _ in range(ATTEMPTS):
        folder = tmp_path_factory.mktemp("demo")
        trained(folder)
        if all(took(folder, name) < KEPT * pace for name, pace in PACES.items()):
            break
    return folder


def trained(folder: Path) -> None:
    started = []
    for name, pace in PACES.items():
        environment = clean_environment(
            OCR_OTEL_ENABLED="true", OCR_OTEL_RUNS_DIR=str(folder), OCR_OTEL_RUN_ID=name,
            OCR_OTEL_BATCH_SPANS="400", OMP_NUM_THREADS="1",
        )  # fmt: skip
        arguments = [f"--data-dir={folder / 'data' / name}", f"--output={folder / 'out' / name}", *SIZES]
        steps = folder / f"{name}.json"
        command = [sys.executable, "-m", "tests.support.paced_demo", str(pace), str(steps), *arguments]
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
    try:
        for process in started:
            _, said = process.communicate(timeout=LONGEST)
            assert process.returncode == 0, said.decode()[-2000:]
    finally:
        for process in started:
            process.kill()


def compared(runs: Path, *names: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["compare", *names, "--runs-dir", str(runs), "--format", "json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["pairs"][0]


def took(runs: Path, name: str) -> float:
    """Return what a step took by the training's own clock, without the warm-up, in seconds."""
    steps = json.loads((runs / f"{name}.json").read_text(encoding="utf-8"))
    return float(trimmed_mean(np.array(steps[WARMUP:])))


@pytest.mark.timeout(600)
def test_demo_that_is_slowed_by_a_sixth_is_found_slower(runs: Path) -> None:
    pair = compared(runs, "before", "slowed")
    assert pair["change"] == "slower", pair["sentence"]
    assert pair["samples"]["base"]["compared"] > 250
    assert pair["batch_time"][0]["ratio"] == pytest.approx(took(runs, "slowed") / took(runs, "before"), rel=0.03)


@pytest.mark.browser
@pytest.mark.parametrize("width", [1100, 390])
def test_page_draws_the_distributions_over_each_other(opened: Opened, tmp_path: Path, width: int) -> None:
    for name, pace in (("before", 1.0), ("after", 1.5)):
        shape = Shape(epochs=1, batches=120, kept=120, pace=pace, outcome="failed", logged=HOSTILE, exception=HOSTILE)
        synthetic_run.make(tmp_path / name, shape)
    (tmp_path / "after" / "run.json").write_text(json.dumps({"format": 1, "run_id": HOSTILE}))
    path = tmp_path / "page.html"
    directories = [str(tmp_path / "before"), str(tmp_path / "after")]
    assert CliRunner().invoke(app, ["compare", *directories, "--format", "html", "-o", str(path)]).exit_code == 0
    page = opened(path)
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("#distributions svg").wait_for()
    assert page.locator("path.distribution").count() == 2
    assert HOSTILE in page.locator("h1").inner_text()
    assert page.locator("img").count() == 0
    assert "% longer" in page.locator(".banner strong").first.inner_text()
    box = page.locator("#distributions svg rect").last.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 50)
    assert "before: " in page.locator("#tip").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.locator("#phases-1 tbody tr").first.inner_text().startswith("forward")
