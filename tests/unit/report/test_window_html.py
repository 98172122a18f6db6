"""The page of a single trace: verdict, time line, tables; nothing of a trace is markup."""

from __future__ import annotations

import json
from pathlib import Path

from ocr_otel.diagnosis.verdict import Diagnosis, Evidence, Verdict
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.report import window_html
from ocr_otel.semconv import Bottleneck
from tests.support.synthetic_window import profile

FOUND = Diagnosis(
    (
        Verdict(Bottleneck.LAUNCH, 0.5, "The host is too slow.", "Compile it.", (Evidence("idle", "70 %", "window"),)),
        Verdict(Bottleneck.SYNCHRONIZATION, 0.1, "The host waits.", ""),
    ),
    "a profiler window of 3 batches",
)


def test_a_trace_has_its_verdict_time_line_and_numbers(tmp_path: Path) -> None:
    window_html.render(profile(), FOUND, tmp_path / "page.html", "rank0.pt.trace.json.gz")
    page = (tmp_path / "page.html").read_text()
    for shown in (
        "rank0.pt.trace.json.gz", "The host is too slow.", "at most 2.0 times as fast", "70 %",
        "Next: synchronization 10%",
        "From a profiler window of 3 batches.", "NVIDIA H100 busy",
    ):  # fmt: skip
        assert shown in page, shown
    payload = json.loads(page.split('id="payload">')[1].split("</script>")[0])
    assert [lane["name"] for lane in payload["windows"]["0"]["lanes"]] == [
        "batches", "phases", "operators", "device", "transfers", "communication"
    ]  # fmt: skip
    assert page.replace("http://www.w3.org/2000/svg", "").count("http") == page.count("http-equiv")


def test_a_trace_of_little_has_a_page_too(tmp_path: Path) -> None:
    window_html.render(WindowProfile(0.0), None, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "Too little in this trace for a verdict." in page
    assert 'id="h-line"' not in page


def test_hostile_names_are_text(tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=alert(1)>"
    window_html.render(profile(hostile=hostile), FOUND, tmp_path / "page.html", hostile)
    page = (tmp_path / "page.html").read_text()
    assert "<img src=x" not in page
    assert page.count("<script") == page.count("</script>") == 2
