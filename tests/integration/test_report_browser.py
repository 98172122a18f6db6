"""The report of a real run in a real browser: plots drawn, a waterfall opened, nothing asked of the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr_otel.report import html
from ocr_otel.runs import load
from tests.support.scripts import train

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    done = train("custom", folder, "--workers=2")
    assert done.returncode == 0, done.stderr
    html.render(load(folder / "runs" / "run"), folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    if CHROMIUM is None:
        assert os.environ.get("CI") is None, "CI must have Chromium: .ci/run installs it"
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, report: Path, request: pytest.FixtureRequest):
    options = getattr(request, "param", {})
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}} | options)
    page = context.new_page()
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("request", lambda made: page.problems.append(made.url) if made.url.startswith("http") else None)
    page.goto(report.as_uri())
    page.wait_for_selector("#timeline .main-svg")
    yield page
    assert page.problems == []
    context.close()


def test_every_plot_is_drawn_with_data(page) -> None:
    for plot in ("timeline", "batches", "budget", "throughput", "logged", "memory"):
        drawn = page.locator(f"#{plot} .bars path, #{plot} .scatterlayer .point, #{plot} .barlayer .point")
        assert drawn.count() > 0, plot


def test_a_waterfall_opens_by_click_on_the_plot(page) -> None:
    # Plotly listens on a layer above the points: the click goes where the point is.
    point = page.locator("#batches .scatterlayer .point").nth(5)
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#waterfall:not([hidden]) .barlayer .point")
    assert any("worker" in text for text in page.locator("#waterfall-plot .ytick").all_text_contents())


def test_a_waterfall_opens_by_keyboard(page) -> None:
    page.locator("button[data-batch]").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#waterfall:not([hidden]) .barlayer .point")
    assert "batch" in page.locator("#waterfall-title").inner_text()
    texts = page.locator("#waterfall-plot .ytick").all_text_contents()
    assert any("forward" in text for text in texts)
    assert any("worker" in text for text in texts)


@pytest.mark.parametrize("page", [{"viewport": {"width": 390, "height": 800}}], indirect=True)
def test_a_phone_shows_it_without_scrolling_sideways(page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("page", [{"color_scheme": "dark"}], indirect=True)
def test_dark_is_dark(page) -> None:
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    assert page.evaluate("document.querySelector('#timeline').layout.font.color") == "#e8eaee"


def test_a_screen_reader_finds_landmarks_headings_and_names(page) -> None:
    assert page.locator("main").count() == 1
    assert page.locator("h1").count() == 1
    unnamed = page.evaluate(
        "[...document.querySelectorAll('[role=img], [role=region], section')]"
        ".filter(e => !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby')).length"
    )
    assert unnamed == 0
    assert page.locator("html[lang=en]").count() == 1
