"""The profiler's windows in the report: from the run's files, and without them."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.report import as_json, html, markdown, text
from ocr_otel.report.build import build
from ocr_otel.report.windows import MAX_DRAWN, MAX_WINDOWS, WindowRow
from ocr_otel.runs import load
from ocr_otel.semconv import Bottleneck
from tests.support import run_directory as make
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape
from tests.support.synthetic_window import bottleneck

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>|`@someone`"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs with two windows each; the last one failed."""
    shape = Shape(epochs=2, batches=60, windows=2, machine="gpu")
    return synthetic_run.make(tmp_path_factory.mktemp("windows") / "run", shape)


def profile_span(number: int, **attributes: object) -> dict[str, object]:
    start = number / 10
    return make.span(
        semconv.PROFILE, 900 + number, 100, start, 0.1, attributes={semconv.PROFILE_MODE: "anomaly"} | attributes
    )


def one(tmp_path: Path, **attributes: object) -> WindowRow:
    lines = [make.start_span(), *make.epoch(0, 1.0), profile_span(1, **attributes), make.fit()]
    (found,) = build(load(make.write(tmp_path / "made", make.line(lines)))).windows
    return found


def test_a_window_has_what_its_span_and_its_files_say(directory: Path) -> None:
    data = build(load(directory))
    assert data.windows_in_all == len(data.windows) == 4
    first = data.windows[0]
    assert first.title == "periodic, epoch 0, batches 0 to 2"
    assert (first.file, first.present, first.overhead, first.slowdown) == (
        "0-001-periodic.pt.trace.json.gz", True, 0.031, 1.21
    )  # fmt: skip
    kept = {batch.trace_id: (batch.epoch, batch.batch_idx) for batch in data.kept}
    assert [kept[trace] for trace in first.traces][:2] == [(0, 0), (0, 1)]
    assert first.diagnosis is not None
    assert [each.kind for each in first.diagnosis.causes] == [Bottleneck.DATA, Bottleneck.LOGGING, Bottleneck.TRANSFER]
    assert first.line is not None
    assert [lane.name for lane in first.line.lanes] == [
        "batches", "phases", "operators", "workers", "device", "transfers", "communication"
    ]  # fmt: skip
    assert data.windows[-1].failed == "RuntimeError: no trace to export"
    assert data.windows[-1].line is None


def test_the_ranked_causes_of_the_run_are_those_that_were_recorded(directory: Path) -> None:
    data = build(load(directory))
    assert data.diagnosis is not None
    assert [each.kind for each in data.diagnosis.causes] == [Bottleneck.DATA, Bottleneck.LOGGING, Bottleneck.TRANSFER]
    assert data.verdict is not None
    assert data.verdict.evidence[1].source == "worker spans (kept batches)"
    assert data.telling == 2


def test_the_page_shows_verdict_evidence_and_windows(directory: Path, tmp_path: Path) -> None:
    html.render(load(directory), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "at most 1.41 times as fast" in page
    assert "an upper bound" in page
    assert "Confidence: high" in page
    assert "20.4 ms of 69.9 ms a batch" in page
    assert 'id="h-evidence"' in page
    assert page.count('<details class="window"') == 4
    payload = json.loads(page.split('id="payload">')[1].split("</script>")[0])
    assert list(payload["windows"]) == ["0", "1", "2"]


def test_a_run_whose_files_are_gone_still_has_its_windows(tmp_path: Path) -> None:
    folder = synthetic_run.make(tmp_path / "run", Shape(epochs=1, batches=20, windows=1))
    for file in (folder / "profiles").iterdir():
        file.unlink()
    data = build(load(folder))
    assert data.telling is None
    assert not data.windows[0].present
    assert data.windows[0].kind is Bottleneck.DATA
    html.render(load(folder), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "The trace file is not here any more" in page
    assert 'id="h-evidence"' not in page


def test_a_run_without_windows_has_no_section_for_them(tmp_path: Path) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=1)))
    html.render(run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert 'id="h-windows"' not in page
    assert 'id="h-evidence"' not in page
    assert "Profiler windows" not in markdown.render(run)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"seconds": "x"}', '{"seconds": 1, "slices": [{"lane": 3}]}'])
def test_a_damaged_profile_is_left_out(tmp_path: Path, content: str) -> None:
    folder = synthetic_run.make(tmp_path / "run", Shape(epochs=1, batches=20, windows=1))
    (profile,) = (folder / "profiles").glob("*.profile.json")
    profile.write_text(content)
    assert build(load(folder)).windows[0].line is None


def test_a_window_leads_to_no_file_outside_of_its_run(tmp_path: Path) -> None:
    found = one(tmp_path, **{semconv.PROFILE_FILE: "../../../../../etc/passwd"})
    assert (found.file, found.present) == ("passwd", False)


def test_a_window_of_which_little_was_recorded_is_shown(tmp_path: Path) -> None:
    found = one(tmp_path)
    assert (found.title, found.overhead, found.slowdown, found.tables) == ("anomaly, epoch 0", None, None, [])
    assert one(tmp_path, **{semconv.PROFILE_BATCHES: 1, semconv.PROFILE_FIRST_BATCH: 7}).title.endswith("batch 7")
    assert one(tmp_path, **{semconv.PROFILE_BATCHES: 4, semconv.STAGE: "validate"}).title == (
        "anomaly (validate), epoch 0, 4 batches"
    )


def test_of_very_many_windows_the_newest_are_shown(tmp_path: Path) -> None:
    windows = [profile_span(number) for number in range(MAX_WINDOWS + 5)]
    run = load(make.write(tmp_path / "made", make.line([make.start_span(), *make.epoch(0, 1.0), *windows, make.fit()])))
    data = build(run)
    assert (len(data.windows), data.windows_in_all) == (MAX_WINDOWS, MAX_WINDOWS + 5)
    assert data.windows[0].start == pytest.approx(0.5)
    html.render(run, tmp_path / "report.html")
    assert f"The last {MAX_WINDOWS} of {MAX_WINDOWS + 5} windows" in (tmp_path / "report.html").read_text()


def test_the_page_of_a_run_of_many_windows_is_small(tmp_path: Path) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=6, batches=40, windows=10, machine="gpu")))
    data = build(run)
    assert sum(row.line is not None for row in data.windows) == MAX_DRAWN - 1
    html.render(run, tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_a_window_of_another_rank_is_named_and_drawn(tmp_path: Path) -> None:
    for rank in range(2):
        synthetic_run.make(tmp_path / "run", Shape(epochs=1, batches=20, windows=1, rank=rank, world_size=2))
    data = build(load(tmp_path / "run"))
    assert {(row.rank, row.line is not None) for row in data.windows} == {(0, True), (1, True)}
    assert "rank 1" in markdown.render(load(tmp_path / "run"))


def test_hostile_names_are_text_in_every_form(tmp_path: Path) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=1, batches=20, windows=1, hostile=HOSTILE)))
    html.render(run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert HOSTILE in json.loads(page.split('id="payload">')[1].split("</script>")[0])["windows"]["0"]["names"]
    assert "<script" not in markdown.render(run).replace("`", "").split("<details")[0]


def test_json_has_the_windows_and_documents_their_keys(directory: Path) -> None:
    found = json.loads(as_json.render(load(directory)))
    documented = as_json.__doc__ or ""
    for holder in (found["windows"][0], found["causes"][0], found["causes"][0]["evidence"][0]):
        assert [key for key in holder if f"`{key}`" not in documented] == []
    for table in found["windows"][0]["tables"]:
        assert [key for key in table if f"`{key}`" not in documented] == []
    assert found["verdict"] == found["causes"][0]
    assert found["verdict"]["speedup"] == pytest.approx(1 / 0.71)
    assert [window["mode"] for window in found["windows"]] == ["periodic"] * 4


def test_the_terminal_has_causes_and_windows(directory: Path) -> None:
    out = io.StringIO()
    text.render(load(directory), out)
    shown = out.getvalue()
    assert "Evidence: time in data: 20.4 ms of 69.9 ms a batch (phases of 1,800 batches)" in shown
    assert "2. The logging of this training" in shown
    assert "profiles/0-001-periodic.pt.trace.json.gz" in shown
    assert "RuntimeError: no trace to export" in shown


def test_a_window_that_shows_something_else_is_said_to(tmp_path: Path) -> None:
    for number, events in enumerate(([], [bottleneck("logging", 0.4)])):
        folder = synthetic_run.make(tmp_path / f"run-{number}", Shape(epochs=1, batches=3, windows=1, outcome=""))
        lines = (folder / "traces.jsonl").read_text()
        end = make.line([
            make.span(semconv.FIT, 77, 0, 0.0, 9.0, attributes={semconv.OUTCOME: "completed"}, events=[
                {"name": semconv.BOTTLENECK_EVENT, "attributes": [
                    make.attribute(name, value) for name, value in each.items() if not isinstance(value, list)
                ]} for each in events
            ])
        ])  # fmt: skip
        (folder / "traces.jsonl").write_text(lines + end)
        html.render(load(folder), tmp_path / "report.html")
        page = (tmp_path / "report.html").read_text()
        assert "By itself it shows: data, 29%" in page
        assert "The evidence, drawn" not in page
