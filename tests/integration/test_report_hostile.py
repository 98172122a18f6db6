"""Reports of a run that somebody else made, with markup in every text: all of it is shown as text, nothing runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.report import html, window_html
from ocr_otel.runs import load
from tests.integration.test_report_browser import DIAGNOSIS, Opened, browser, opened
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape
from tests.support.synthetic_window import profile

__all__ = ["browser", "opened"]

PLANTED = (
    "</script><script>window.planted=1</script>\"onload=window.planted=1 ' onclick=window.planted=1 x='"
    "><img src=http://198.51.100.1/x onerror=window.planted=1><svg onload=window.planted=1></svg>"
    "<style>*{background:url(http://198.51.100.1/)}</style><base href=http://198.51.100.1/>]]>--><!--{{7*7}}{%x%}"
)
IN_A_NAME = PLANTED.replace("/", "")[:200]
MEANT = {
    semconv.STAGE, semconv.KEPT, semconv.PHASE, semconv.PROFILE_MODE, semconv.OUTCOME, semconv.BOTTLENECK_KIND,
    semconv.BOTTLENECK_CONFIDENCE,
}  # fmt: skip
"""Attributes with words of ours: with others the page is nearly empty."""
MARKUP = """() => ({
    planted: typeof window.planted,
    scripts: document.scripts.length,
    styles: document.querySelectorAll('style, link').length,
    foreign: document.querySelectorAll('img, base, iframe, object, embed, form, meta[http-equiv=refresh]').length,
    handlers: [...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => /^on/.test(a.name))).length,
})"""
NOTHING = {"planted": "undefined", "scripts": 2, "styles": 1, "foreign": 0, "handlers": 0}

pytestmark = pytest.mark.browser


def planted(value: Any, everywhere: bool, key: str = "") -> Any:
    """Put markup into each text of a line, and into the names of what the training logged."""
    if isinstance(value, list):
        return [planted(each, everywhere, key) for each in value]
    if not isinstance(value, dict):
        return value
    named = str(value.get("key", key))
    found = {name: planted(each, everywhere, named) for name, each in value.items()}
    if "stringValue" in found and (everywhere or named not in MEANT):
        found["stringValue"] += PLANTED
    if named.startswith(semconv.LOGGED_PREFIX) and "key" in found:
        found["key"] += PLANTED
    if "spanId" in found and (everywhere or found.get("name") == "decode.beam_search"):
        found["name"] = found.get("name", "") + PLANTED
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape = Shape(
        epochs=2, batches=60, outcome="failed", exception=PLANTED, logged=PLANTED, hostile=PLANTED, machine="gpu",
        windows=2, test=True,
    )  # fmt: skip
    return synthetic_run.make(tmp_path_factory.mktemp("hostile") / IN_A_NAME, shape)


@pytest.mark.parametrize("everywhere", [False, True], ids=["in free texts", "in every text and name"])
def test_markup_in_every_text_is_shown_as_text(opened: Opened, run: Path, tmp_path: Path, everywhere: bool) -> None:
    made = tmp_path / run.name
    made.mkdir()
    for file in ("traces.jsonl", "metrics.jsonl"):
        lines = [json.loads(line) for line in (run / file).read_text(encoding="utf-8").splitlines()]
        (made / file).write_text("".join(json.dumps(planted(line, everywhere)) + "\n" for line in lines))
    described = json.loads((run / "run.json").read_text()) | {"run_id": PLANTED, "service_name": PLANTED}
    (made / "run.json").write_text(json.dumps(described))
    report = tmp_path / "report.html"
    html.render(load(made), report)
    page = opened(report)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    if page.locator("button[data-batch]").count():
        page.locator("button[data-batch]").first.click()
    for line in page.locator(".window-line").all():
        line.locator("svg").wait_for()
    for shown in page.locator("svg rect, svg path").all()[:20]:
        shown.hover(force=True)
    assert page.evaluate(MARKUP) == NOTHING
    assert PLANTED in page.locator("h1").inner_text()
    assert page.locator("body").inner_text().count(PLANTED) > (20 if not everywhere else 3)


def test_markup_in_a_trace_is_shown_as_text(opened: Opened, tmp_path: Path) -> None:
    report = tmp_path / "trace.html"
    window_html.render(profile(hostile=PLANTED), DIAGNOSIS, report, PLANTED)
    page = opened(report)
    page.locator(".window-line svg").wait_for()
    assert page.evaluate(MARKUP) == NOTHING
    assert page.locator("h1").inner_text() == PLANTED


def test_what_got_in_all_the_same_is_stopped_by_the_policy(browser: Any, run: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    html.render(load(run), report)
    got_in = (
        "<script>window.planted=1</script><img src=http://198.51.100.1/x onerror=window.planted=1>"
        "<style>body{visibility:hidden}</style><iframe src=http://198.51.100.1/></iframe>"
        "<a id=out href='javascript:window.planted=1'>x</a>"
    )
    text = report.read_text(encoding="utf-8")
    assert "</main>" in text
    report.write_text(text.replace("</main>", got_in + "</main>"), encoding="utf-8")
    said: list[str] = []
    asked: list[str] = []
    page = browser.new_context().new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("response", lambda answer: asked.append(answer.url))
    page.goto(report.as_uri())
    page.locator("#out").click()
    written = page.evaluate(
        "() => { try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); return 'written'; }"
        " catch (error) { return error.name; } }"
    )
    assert page.evaluate("typeof window.planted") == "undefined"
    assert page.evaluate("getComputedStyle(document.body).visibility") == "visible"
    assert asked == [report.as_uri()]
    assert written == "TypeError"
    for directive in ("script-src", "img-src", "style-src-elem"):
        assert any(directive in message for message in said), directive
    page.context.close()
