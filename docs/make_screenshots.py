"""Trains labelled trainings, and takes pictures of their reports for the gallery: `make docs-screenshots`.

Each training has one bottleneck that was planted, so that what is shown is what the report says of a known cause.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from playwright.sync_api import FloatRect, Page, sync_playwright

from ocr_otel.report import html
from ocr_otel.report.build import build
from ocr_otel.report.gfm import text
from ocr_otel.runs import Run, load
from tests.diagnosis.judged import WITH_WINDOW, judge
from tests.diagnosis.trainings.cases import named

HERE: Final = Path(__file__).parent
IMAGES: Final = HERE / "images"
PAGE: Final = HERE / "gallery.md"
CASES: Final = (
    "dataset-burn-0-workers-60%",
    "after-transfer-75%",
    "cell-by-cell",
    "step-of-the-optimiser-65%",
    "checkpoint-every-20-steps-70%",
    "validation-1-times-in-1-epochs-60%",
    "callback-70%",
    "collected-after-each-batch-80%",
    "convolutions",
)
WIDTH: Final = 860
_MARKED: Final = re.compile(r"(<!-- gallery:begin -->\n).*(<!-- gallery:end -->)", re.DOTALL)


def only(run: Run, fit: int) -> Run:
    """Return a run as if one of its entries were all of it."""
    entry = [each for each in run.entries if each.name == "fit"][fit]
    assert entry.root is not None
    begin, end = entry.root.start, entry.root.end
    return replace(
        run,
        run_id=f"fit-{fit}",
        entries=[entry],
        batches=[each for each in run.batches if begin <= each.span.start <= end],
        others=[each for each in run.others if begin <= each.start <= end],
        windows=[each for each in run.windows if begin <= each.span.start <= end],
        points=[each for each in run.points if begin <= each.time <= end],
    )


def take(page: Page, run: Run, folder: Path, image: Path) -> None:
    """Take a picture of the upper part of a run's report: its verdict, and where the time went."""
    report = folder / "report.html"
    report.write_text(html.page(build(run)), encoding="utf-8")
    page.goto(report.as_uri())
    end = page.locator("section:has(#h-time)").bounding_box()
    assert end is not None
    clip: FloatRect = {"x": 0, "y": 0, "width": WIDTH, "height": end["y"] + end["height"] + 8}
    page.screenshot(path=image, clip=clip, full_page=True)


def main() -> None:
    """Make the pictures and the text between the marks of the page."""
    told = []
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        answers = judge([named(name) for name in CASES], WITH_WINDOW, folder)
        run = load(folder / "0" / "runs" / "run")
        fits = {one["name"]: one["fit"] for one in json.loads((folder / "0" / "result.json").read_text())}
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": 900}, device_scale_factor=1.5)
        for answer in answers:
            if not answer.right or answer.wrong:
                # Other programs were in the way: a picture of that would teach nothing.
                print(f"left out: {answer.name} is called {answer.said}: {answer.summary} {answer.wrong}")
                continue
            IMAGES.mkdir(exist_ok=True)
            file = f"report-{re.sub('[^a-z0-9]+', '-', answer.name).strip('-')}.png"
            take(page, replace(only(run, fits[answer.name]), run_id=answer.name), folder, IMAGES / file)
            told.append(f"### `{answer.kind}`: {answer.name}\n\n> {text(answer.summary)}\n\n![Report](images/{file})\n")
        browser.close()
    if not told:
        raise SystemExit("No training measured what was planted: this machine is too busy. The gallery is as it was.")
    shown = "\n".join(["## In the report", "", *told])
    before = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_MARKED.sub(lambda found: found[1] + shown + found[2], before), encoding="utf-8")


if __name__ == "__main__":
    main()
