"""The report in a real browser: plots drawn, waterfalls opened, nothing asked of the network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ocr_otel.diagnosis import Diagnosis, Evidence, Verdict
from ocr_otel.report import html, window_html
from ocr_otel.runs import load
from ocr_otel.semconv import Bottleneck
from tests.support import synthetic_run
from tests.support.scripts import train
from tests.support.synthetic_ranks import Together
from tests.support.synthetic_run import Shape
from tests.support.synthetic_window import profile

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PHONE = {"viewport": {"width": 390, "height": 800}}
SHAPES = {
    "run": Shape(test=True),
    "running": Shape(epochs=2, outcome=""),
    "failed": Shape(epochs=1, outcome="failed", logged="</script><img src=x onerror=alert(1)>" + "y" * 90),
    "no-batches": Shape(epochs=2, batches=0, kept=0),
    "no-epochs": Shape(epochs=0),
    "no-workers": Shape(epochs=1, workers=0),
    "gpu": Shape(epochs=3, machine="gpu"),
    "out-of-memory": Shape(epochs=1, outcome="failed", machine="gpu"),
    "cpu": Shape(epochs=3, workers=12, machine="cpu"),
    "windows": Shape(epochs=2, batches=60, windows=2, machine="gpu", hostile="</script><img src=x onerror=alert(1)>"),
    "cpu-window": Shape(epochs=1, batches=60, windows=1, machine="cpu"),
    "many-epochs": Shape(epochs=300, batches=20, kept=2, slow=1),
}

TOGETHER = {"straggler": Together(late=2, hosts=2, clock=0.25, attempt=1, reason="rank 3 was killed")}

DIAGNOSIS = Diagnosis(
    (Verdict(Bottleneck.DATA, 0.3, "It waits.", "Raise num_workers.", (Evidence("fetch", "20 ms", "window"),)),),
    "a profiler window of 3 batches",
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The reports of synthetic runs."""
    folder = tmp_path_factory.mktemp("reports")
    found = {name: folder / f"{name}.html" for name in SHAPES}
    for name, shape in SHAPES.items():
        html.render(load(synthetic_run.make(folder / name, shape)), found[name])
    for rank in range(2):
        synthetic_run.make(folder / "ranks", Shape(epochs=1, rank=rank, world_size=2))
    found["ranks"] = folder / "ranks.html"
    html.render(load(folder / "ranks"), found["ranks"])
    for name, together in TOGETHER.items():
        for rank in range(4):
            made = Shape(epochs=2, batches=60, kept=20, rank=rank, world_size=4, together=together)
            synthetic_run.make(folder / name, made)
        found[name] = folder / f"{name}.html"
        html.render(load(folder / name), found[name])
    found["trace"] = folder / "trace.html"
    window_html.render(profile(), DIAGNOSIS, found["trace"], "rank0.pt.trace.json.gz")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        assert os.environ.get("CI") is None, "CI must have Chromium: apt-get install chromium"
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Opened:
    """Opens reports, and remembers what a page must not do."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.problems: list[str] = []

    def __call__(self, report: Path, **options: Any) -> Any:
        context = self._browser.new_context(**{"viewport": {"width": 1200, "height": 900}} | options)
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog {dialog.message}"))
        page.on("request", lambda made: None if made.url == report.as_uri() else self.problems.append(made.url))
        page.goto(report.as_uri())
        return page

    def close(self) -> None:
        """Close what was opened."""
        for context in self._contexts:
            context.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Opened]:
    opening = Opened(browser)
    yield opening
    opening.close()
    assert opening.problems == []


def test_every_plot_is_drawn_with_data(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["run"])
    lanes = page.locator("#timeline [data-lane]").evaluate_all("bars => bars.map(bar => bar.dataset.lane)")
    assert {name: lanes.count(name) for name in set(lanes)} == {
        "entries": 2, "epochs": 6, "validation": 7, "checkpoints": 13
    }  # fmt: skip
    shown = page.evaluate("JSON.parse(document.getElementById('payload').textContent).batches.length")
    assert page.locator("#batches .point").count() == shown > 200
    assert page.locator("#budget path[data-part]").count() == 10
    for plot, curves in (("throughput", 2), ("logged", 3), ("memory", 1)):
        drawn = page.locator(f"#{plot} .curve").evaluate_all("paths => paths.map(path => path.getTotalLength())")
        assert len(drawn) == curves, plot
        assert all(length > 50 for length in drawn), plot


@pytest.mark.parametrize("machine", ["gpu", "cpu"])
def test_every_reading_is_drawn(opened: Opened, reports: dict[str, Path], machine: str) -> None:
    page = opened(reports[machine])
    plots = page.evaluate("JSON.parse(document.getElementById('payload').textContent).resources.plots")
    assert len(plots) > 15
    assert page.locator(".strip").count() == len(plots)
    assert (page.locator('.strips[data-group="GPU"]').count() == 1) == (machine == "gpu")
    lengths = page.locator(".strip .curve").evaluate_all("paths => paths.map(path => path.getTotalLength())")
    # A limit far above what is used is told and not drawn.
    assert sum(len(plot["lines"]) for plot in plots) - 2 <= len(lengths)
    assert all(length > 50 for length in lengths)
    assert page.locator(".strip .band").count() == 2 * len(plots)
    slow = page.evaluate(
        "JSON.parse(document.getElementById('payload').textContent).batches.filter(b => b.kept === 'slow').length"
    )
    assert page.locator(".strip .mark").count() == slow * len(plots)
    alternatives = page.locator(".strip [role=img]").evaluate_all("all => all.map(e => e.ariaLabel)")
    assert all("over the run: " in label and " to " in label for label in alternatives)


def test_all_readings_of_a_moment_are_told_by_pointer_and_by_keyboard(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["gpu"])
    value = page.locator(".strip .legend b").first
    assert value.inner_text().startswith("mean ")
    page.locator(".strip svg").nth(2).hover(position={"x": 500, "y": 40})
    assert "mean" not in value.inner_text()
    assert page.locator('.strip .cross[visibility="visible"]').count() == page.locator(".strip").count()
    assert "epoch" in page.locator("#moment-text").inner_text()
    page.mouse.move(0, 0)
    assert value.inner_text().startswith("mean ")
    page.locator("#moment-at").focus()
    shown = set()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        shown.add((page.locator("#moment-text").inner_text(), value.inner_text()))
    assert len(shown) == 4
    page.keyboard.press("Escape")
    assert value.inner_text().startswith("mean ")


def test_readings_are_in_tables_too(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["gpu"], java_script_enabled=False)
    page.get_by_text("GPU in numbers").click()
    assert "Utilization: GPU 0, highest" in page.get_by_role("region", name="GPU in numbers").inner_text()
    by_epoch = page.get_by_role("region", name="Resources by epoch")
    assert by_epoch.get_by_role("row").count() == 4
    assert "GPU utilization, mean" in by_epoch.inner_text()


def test_a_slow_batch_says_what_was_different(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["cpu"])
    page.locator('#batches path.point[aria-label*="slow"]').first.click()
    assert page.locator("#waterfall-differences dt").all_inner_texts() == ["Reasons", "I/O read", "Pressure I/O"]
    page.locator('#batches circle.point[aria-label*="first"]').first.dispatch_event("click")
    assert not page.locator("#waterfall-differences").is_visible()


@pytest.mark.parametrize("machine", ["gpu", "cpu"])
def test_a_batch_says_what_its_phases_took_on_the_device(
    opened: Opened, reports: dict[str, Path], machine: str
) -> None:
    page = opened(reports[machine])
    page.locator('#batches path.point[aria-label*="slow"]').first.click()
    told = page.locator("#waterfall-text").inner_text()
    assert "forward" in told
    assert ("forward on the device" in told) is (machine == "gpu")


def test_the_time_line_of_a_window_is_drawn_with_its_cause(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["windows"])
    line = page.locator("section[aria-labelledby=h-evidence] .window-line")
    labels = [label.split(",")[0] for label in line.locator("text.lane").all_text_contents()]
    assert labels == ["batches", "phases", "operators", "workers", "device", "transfers", "communication"]
    assert line.locator("rect.piece").count() > 100
    assert line.locator("rect.piece.cause").count() == line.locator("rect.gap").count() == 3
    assert "operators in" in line.get_by_role("img").get_attribute("aria-label")
    line.locator("rect.gap").first.hover()
    assert page.locator("#tip").inner_text().split("\n") == ["device idle for 22 ms", "the host: fetch"]
    assert page.locator('#timeline [data-lane="profiler"]').count() == 4


def test_a_window_without_a_device_has_no_lane_for_it(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["cpu-window"])
    labels = page.locator("section[aria-labelledby=h-evidence] text.lane").all_text_contents()
    assert [label.split(",")[0] for label in labels] == ["batches", "phases", "operators", "workers"]


@pytest.mark.parametrize("name", ["windows", "trace"])
def test_a_time_line_is_looked_at_closer_by_keyboard_and_by_pointer(
    opened: Opened, reports: dict[str, Path], name: str
) -> None:
    page = opened(reports[name])
    line = page.locator(".window-line").first
    shown = line.locator("output")
    whole = shown.inner_text()
    assert whole.startswith("210 ms")
    line.get_by_role("button", name="Look closer").focus()
    page.keyboard.press("Enter")
    assert shown.inner_text() == "52.5 ms to 158 ms of 210 ms"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Later"
    page.keyboard.press("Enter")
    assert shown.inner_text() == "105 ms to 210 ms of 210 ms"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert shown.inner_text() == whole
    line.locator("rect.piece.cause").nth(1).click()
    assert shown.inner_text() == "70 ms to 90 ms of 210 ms"
    assert line.locator("text.inside", has_text="fetch").count() == 1
    for _ in range(6):
        line.get_by_role("button", name="Look from further away").click()
    assert shown.inner_text() == whole


def test_a_window_that_is_opened_is_drawn(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["windows"])
    window = page.locator("details.window").first
    assert window.locator("svg").count() == 0
    window.locator("summary").first.click()
    window.locator("svg rect.piece").first.wait_for()
    assert window.locator("table.of-window").count() == 4
    assert "periodic, epoch 0, batches 0 to 2" in window.inner_text()
    window.get_by_role("button", name="batch 1").click()
    assert page.locator("#waterfall-title").inner_text().startswith("train, epoch 0, batch 1")
    failed = page.locator("details.window").last
    failed.locator("summary").first.click()
    assert "RuntimeError: no trace to export" in failed.inner_text()


def test_the_first_screen_has_verdict_bound_evidence_and_its_drawing(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["windows"])
    for shown in (
        "takes 29% of the time",
        "at most 1.41 times as fast",
        "Confidence: high",
        "worker spans (kept batches)",
    ):
        box = page.get_by_text(shown).first.bounding_box()
        assert box["y"] + box["height"] < 500, shown
    assert page.locator(".window-line svg").first.bounding_box()["y"] < 700
    page.get_by_text("Next: logging 12%, transfer 3%").first.click()
    assert page.get_by_text("The logging of this training").first.is_visible()


def test_the_page_of_a_trace_is_complete_without_its_script(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["trace"], java_script_enabled=False)
    assert page.get_by_role("region", name="Operators").get_by_role("row").count() == 6
    assert "rank0.pt.trace.json.gz" in page.locator("h1").inner_text()


@pytest.mark.parametrize("name", ["run", "gpu", "windows", "straggler", "trace"])
def test_nothing_is_drawn_outside_of_its_plot(opened: Opened, reports: dict[str, Path], name: str) -> None:
    page = opened(reports[name])
    for button in page.get_by_role("button", name="Look closer").all():
        if button.is_visible():
            button.click()
    outside = page.evaluate(
        """[...document.querySelectorAll('.plot svg')].flatMap(svg => {
            const box = svg.getBoundingClientRect();
            return [...svg.querySelectorAll('rect,path,circle,text')].filter(each => {
                const b = each.getBoundingClientRect();
                return b.left < box.left - 12 || b.right > box.right + 12 || b.bottom > box.bottom + 4;
            }).map(each => each.outerHTML.slice(0, 120));
        })"""
    )
    assert outside == []


def test_a_waterfall_opens_by_click_on_a_point(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["run"])
    point = page.locator('#batches path.point[aria-label*="slow"]').nth(3)
    label = point.get_attribute("aria-label").split(",")
    point.click()
    assert page.locator("#waterfall").is_visible()
    assert all(part in page.locator("#waterfall-title").inner_text() for part in label[:2])
    names = [name.strip() for name in page.locator("#waterfall-rows th").all_inner_texts()]
    assert names[:2] == ["batch", "fetch"]
    assert {"dataset", "collate", "transfer", "forward", "decode.beam_search", "backward", "optimizer_step"} < set(
        names
    )
    assert any(name.startswith("worker ") for name in names)
    widths = page.locator("#waterfall-rows .track i").evaluate_all("bars => bars.map(bar => bar.offsetWidth)")
    assert all(width >= 2 for width in widths)
    assert widths[0] > 100


def test_a_batch_is_chosen_opened_paged_and_closed_by_keyboard(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["run"])
    page.locator("#batches .point[tabindex='0']").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    chosen = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert page.locator("#batches .point[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    title = page.locator("#waterfall-title")
    assert title.inner_text().split(":")[0] in chosen
    assert page.evaluate("document.activeElement.id") == "waterfall-title"
    before = title.inner_text()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert title.inner_text() != before
    page.keyboard.press("Escape")
    assert not page.locator("#waterfall").is_visible()
    assert page.evaluate("document.activeElement.classList.contains('point')")


def test_a_waterfall_opens_from_the_table_by_keyboard(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["run"])
    page.locator("button[data-batch]").first.focus()
    page.keyboard.press("Enter")
    assert "(slow)" in page.locator("#waterfall-title").inner_text()
    assert page.locator("#waterfall-rows tr").count() > 7


def test_the_waterfall_of_several_ranks_shows_them_all(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["ranks"])
    page.locator("button[data-batch]").first.click()
    names = [name.strip() for name in page.locator("#waterfall-rows th").all_inner_texts()]
    assert len([name for name in names if name.startswith("rank ")]) == 1
    assert names.count("forward") == 2


def test_a_rank_that_is_late_is_seen_in_the_heat_map_and_in_the_table(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["straggler"])
    section = page.locator("section[aria-labelledby=h-ranks]")
    assert "Rank 2 arrives last at 97% of the steps" in section.inner_text()
    # All that is late lies in the row of rank 2, all of which is late.
    row = section.locator("text", has_text="rank 2").bounding_box()
    late = section.locator("path.late").evaluate_all("all => all.map(each => each.getBoundingClientRect().toJSON())")
    assert late
    assert all(abs(box["top"] + box["height"] / 2 - row["y"] - row["height"] / 2) < 8 for box in late)
    plot = section.locator("rect.over").bounding_box()
    assert max(box["right"] for box in late) - min(box["left"] for box in late) > 0.97 * plot["width"]
    section.locator("rect.over").hover(position={"x": plot["width"] / 2, "y": plot["height"] * 5 / 8})
    told = page.locator("#tip").inner_text().split("\n")
    assert told[0].startswith("rank 2, epoch 1, batch ")
    assert told[1].endswith("after the median of the others")
    section.locator("rect.over").hover(position={"x": plot["width"] / 2, "y": plot["height"] / 8})
    assert page.locator("#tip").inner_text().endswith("before the median of the others")
    assert section.locator("tr.late").inner_text().split("\t")[0] == "2"
    assert "Attempt 2 of job job-1. The one before: rank 3 was killed." in page.locator("header").inner_text()


def test_a_step_that_is_opened_shows_who_waits_for_whom(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["straggler"])
    section = page.locator("section[aria-labelledby=h-ranks]")
    plot = section.locator("rect.over").bounding_box()
    section.locator("rect.over").click(position={"x": plot["width"] - 3, "y": 5})
    assert page.locator("#waterfall-title").inner_text().startswith("train, epoch 1, batch 5")
    names = [name.strip() for name in page.locator("#waterfall-rows th").all_inner_texts()]
    assert [name.split(" waits")[0] for name in names[:4]] == ["batch, rank 2", "rank 0", "rank 1", "rank 3"]
    waits = page.locator('#waterfall-rows i[data-part="communication"]').evaluate_all(
        "all => all.map(each => each.getBoundingClientRect().toJSON())"
    )
    assert len(waits) == 4
    # The late one hardly waits, and all leave at the same time, on both hosts.
    assert all(waits[0]["width"] < 0.3 * other["width"] for other in waits[1:])
    assert max(wait["right"] for wait in waits) - min(wait["right"] for wait in waits) < 2
    assert "Spans of trainer-2 are drawn 250 ms earlier" in page.locator("#waterfall-trace").inner_text()
    assert "waits for other ranks" in page.locator("#waterfall-legend").inner_text()


def test_the_longest_wait_is_opened_by_keyboard(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["straggler"])
    page.get_by_role("button", name="Open the longest wait").focus()
    page.keyboard.press("Enter")
    assert page.locator("#waterfall").is_visible()


def test_spans_of_the_other_rank_are_shown_on_request(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["ranks"])
    page.locator("button[data-batch]").first.click()
    forward = page.locator("#waterfall-rows th", has_text="forward")
    assert [each.is_visible() for each in forward.all()] == [False, True]
    page.locator("#waterfall-rows button.fold").click()
    assert [each.is_visible() for each in forward.all()] == [True, True]


@pytest.mark.parametrize("name", [*SHAPES, *TOGETHER, "ranks", "trace"])
def test_a_phone_shows_it_without_scrolling_sideways(opened: Opened, reports: dict[str, Path], name: str) -> None:
    page = opened(reports[name], **PHONE)
    if page.locator("button[data-batch]").count():
        page.locator("button[data-batch]").first.click()
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for line in page.locator(".window-line").all():
        line.locator("svg").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_window_that_narrows_is_drawn_anew(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["run"])
    page.set_viewport_size({"width": 500, "height": 800})
    # The page's policy forbids what `wait_for_function` would evaluate in it.
    for _ in range(200):
        if page.evaluate("document.querySelector('#batches svg').viewBox.baseVal.width") < 500:
            break
        page.wait_for_timeout(20)
    else:
        pytest.fail("the plots keep their width")
    assert page.evaluate("document.documentElement.scrollWidth") <= 500


@pytest.mark.parametrize("name", ["failed", "gpu", "out-of-memory", "windows", "straggler", "trace"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(opened: Opened, reports: dict[str, Path], scheme: str, name: str) -> None:
    page = opened(reports[name], color_scheme=scheme)
    if page.locator("button[data-batch]").count():
        page.locator("button[data-batch]").first.click()
    for summary in page.locator("details.window > summary").all():
        summary.click()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(251, 251, 252)", "dark": "rgb(18, 21, 26)"}[scheme]
    poor = page.evaluate(
        """() => {
        const channels = colour => colour.match(/[\\d.]+/g).map(Number);
        const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
        const light = ([r, g, b]) => [r, g, b].map(v => linear(v / 255))
            .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
        const behind = element => {
            for (let at = element; at; at = at.parentElement) {
                const found = channels(getComputedStyle(at).backgroundColor);
                if (found.length < 4 || found[3] > 0) return found;
            }
            return [255, 255, 255];
        };
        return [...document.querySelectorAll('h1,h2,h3,p,li,th,td,b,span,strong,button,summary,footer,.plot text')]
            .filter(each => each.textContent.trim() && each.getClientRects().length && !each.closest('[data-part]'))
            .filter(each => !(each.tagName === 'text' && each.style.fill))
            .map(each => {
                const style = getComputedStyle(each);
                const ink = light(channels(each.tagName === 'text' ? style.fill : style.color));
                const paper = light(behind(each));
                return [(Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05), each.textContent.slice(0, 40)];
            }).filter(([ratio]) => ratio < 4.5);
        }"""
    )
    assert poor == []


def test_a_screen_reader_finds_landmarks_headings_and_names(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["run"])
    for landmark in ("html[lang=en]", "main", "h1", "header", "footer"):
        assert page.locator(landmark).count() == 1
    unnamed = page.evaluate(
        "[...document.querySelectorAll('[role=img], [role=region], [role=group], [role=button], section, button')]"
        ".filter(e => !e.getAttribute('aria-label') && !e.getAttribute('aria-labelledby') && !e.textContent.trim())"
        ".map(e => e.outerHTML.slice(0, 80))"
    )
    assert unnamed == []
    dangling = page.evaluate(
        "[...document.querySelectorAll('[aria-labelledby]')]"
        ".map(e => e.getAttribute('aria-labelledby')).filter(id => !document.getElementById(id))"
    )
    assert dangling == []
    levels = page.locator("h1, h2, h3").evaluate_all("all => all.map(e => Number(e.tagName[1]))")
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_hostile_name_is_shown_as_text(opened: Opened, reports: dict[str, Path]) -> None:
    page = opened(reports["failed"])
    assert "</script><img src=x onerror=alert(1)>" in page.locator("#logged").inner_text()
    assert page.locator("img").count() == 0


def test_the_report_of_a_recorded_training(opened: Opened, tmp_path: Path) -> None:
    done = train("custom", tmp_path, "--workers=2")
    assert done.returncode == 0, done.stderr
    html.render(load(tmp_path / "runs" / "run"), tmp_path / "report.html")
    page = opened(tmp_path / "report.html")
    for drawn in ("#timeline [data-lane]", "#batches .point", "#budget path[data-part]", "#throughput .curve"):
        assert page.locator(drawn).count() > 0, drawn
    page.locator("button[data-batch]").first.click()
    names = [name.strip() for name in page.locator("#waterfall-rows th").all_inner_texts()]
    assert "forward" in names
    assert any(name.startswith("worker ") for name in names)
