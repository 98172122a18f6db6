"""The report: what adds up, what is left out, and what a hostile run cannot do."""

from __future__ import annotations

import io
import json
import re
import time
from pathlib import Path

import pytest

from ocr_otel.report import as_json, html, text
from ocr_otel.report.batches import MAX_WATERFALLS
from ocr_otel.report.build import build
from ocr_otel.report.card import parts_of
from ocr_otel.runs import load
from ocr_otel.semconv import Bottleneck
from tests.support import run_directory as make
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape


def test_the_parts_of_an_epoch_add_up_to_its_wall_time(tmp_path: Path) -> None:
    data = build(load(make.complete(tmp_path / "made")))
    assert len(data.epochs) == 2
    for epoch in data.epochs:
        assert sum(seconds for _, seconds in parts_of(epoch.budget)) == pytest.approx(10.0)
        assert epoch.budget.other == pytest.approx(0.5)
    assert sum(seconds for _, seconds in parts_of(data.budget)) == pytest.approx(22.0)


def test_the_planted_wait_is_the_verdict(tmp_path: Path) -> None:
    data = build(load(make.complete(tmp_path / "made")))
    assert data.verdict is not None
    assert data.verdict.kind is Bottleneck.DATA


def test_a_killed_run_is_reported_as_far_as_it_came(tmp_path: Path) -> None:
    run = load(make.write(tmp_path / "made", make.line([make.start_span()]), make.line(make.epoch(0, 1.0))))
    data = build(run)
    assert data.outcome == "running or killed"
    assert data.wall == pytest.approx(11.0)
    html.render(run, tmp_path / "report.html")
    assert "running or killed" in (tmp_path / "report.html").read_text()


def test_a_run_of_nothing_but_its_start_is_reported(tmp_path: Path) -> None:
    run = load(make.write(tmp_path / "made", make.line([make.start_span()])))
    html.render(run, tmp_path / "report.html")
    text.render(run, io.StringIO())
    assert json.loads(as_json.render(run))["verdict"] is None


def test_hostile_names_are_text(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    exception = {"name": "exception", "attributes": [make.attribute("exception.message", hostile)]}
    directory = make.complete(tmp_path / "made", logged=hostile)
    failed = make.fit(events=[exception], status={"code": 2})
    with (directory / "traces.jsonl").open("a") as file:
        file.write(make.line([failed]))
    html.render(load(directory), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("<script") == page.count("</script>") == 2
    assert len(page) < 200_000


def test_terminal_escapes_do_not_reach_the_terminal(tmp_path: Path) -> None:
    run = load(make.complete(tmp_path / "made", logged="\x1b[31mred\x07"))
    out = io.StringIO()
    text.render(run, out)
    assert "\x1b" not in out.getvalue()
    assert "\x07" not in out.getvalue()


def test_json_has_the_numbers(tmp_path: Path) -> None:
    found = json.loads(as_json.render(load(make.complete(tmp_path / "made"))))
    assert found["outcome"] == "completed"
    assert found["epochs"][0]["budget"]["validation"] == pytest.approx(1.0)
    assert found["verdict"]["kind"] == "data"
    assert len(found["kept"]) == 10


def test_the_choice_of_waterfalls_keeps_every_slow_batch(tmp_path: Path) -> None:
    batches = [
        part
        for index in range(3 * MAX_WATERFALLS)
        for part in make.batch(index, index / 10, 0.01, "slow" if index % 100 == 0 else "regular")
    ]
    data = build(load(make.write(tmp_path / "made", make.line(batches))))
    assert len(data.kept) == MAX_WATERFALLS
    assert sum(batch.kept == "slow" for batch in data.kept) == 12
    assert data.kept_in_all == 3 * MAX_WATERFALLS


def test_the_exception_of_a_failed_run_is_on_top_and_is_text(tmp_path: Path) -> None:
    hostile = "bad batch </script><script>alert(3)</script>"
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=1, batches=20, outcome="failed", exception=hostile)))
    data = build(run)
    assert (data.outcome, data.exception) == ("failed", f"RuntimeError: {hostile}")
    html.render(run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "Failed: RuntimeError: bad batch &lt;/script&gt;" in page
    assert "<script>alert" not in page


def test_the_data_of_the_plots_cannot_end_its_script(tmp_path: Path) -> None:
    html.render(load(make.complete(tmp_path / "made", logged="</script><!-- & x")), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    payload = page.split('id="payload">')[1].split("</script>")[0]
    assert not set("<>&") & set(payload)
    assert "</script><!-- & x" in [name for name, _ in json.loads(payload)["logged"]]


def test_a_page_asks_the_network_for_nothing(tmp_path: Path) -> None:
    html.render(load(synthetic_run.make(tmp_path / "run", Shape(epochs=1))), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "default-src 'none'" in page
    assert [word for word in ("src=", "href=http", "@import", "url(", "fetch(") if word in page] == []
    assert page.replace("http://www.w3.org/2000/svg", "").count("http") == page.count("http-equiv")


def test_a_run_without_an_end_is_judged_by_what_is_known_of_it(tmp_path: Path) -> None:
    data = build(load(synthetic_run.make(tmp_path / "run", Shape(epochs=2, outcome=""))))
    assert data.outcome == "running or killed"
    assert len(data.epochs) == 2
    assert data.budget.wall < data.wall
    assert data.verdict is not None
    assert data.verdict.kind is Bottleneck.DATA
    assert sum(seconds for _, seconds in parts_of(data.budget)) == pytest.approx(data.budget.wall)


def test_epochs_without_batches_are_reported(tmp_path: Path) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=2, batches=0)))
    assert [epoch.samples for epoch in build(run).epochs] == [0, 0]
    html.render(run, tmp_path / "report.html")
    text.render(run, io.StringIO())
    as_json.render(run)


def test_a_fit_goes_before_a_test_that_follows_it(tmp_path: Path) -> None:
    data = build(load(synthetic_run.make(tmp_path / "run", Shape(epochs=1, test=True))))
    assert data.entry == "fit"
    assert [(entry.name, entry.outcome) for entry in data.other_entries] == [("test", "completed")]
    assert data.span > data.wall


def test_what_does_not_apply_is_left_out(tmp_path: Path) -> None:
    html.render(load(make.write(tmp_path / "made", make.line([make.start_span(), make.fit()]))), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    for section in ("h-batches", "h-epochs", "h-workers", "h-memory", "h-logged", "h-ranks", "h-time"):
        assert f'id="{section}"' not in page
    assert 'id="h-line"' in page


def test_the_recorded_verdict_goes_before_one_of_our_own(tmp_path: Path) -> None:
    root = make.fit()
    root["attributes"] += [
        make.attribute("training.bottleneck.kind", "launch"),
        make.attribute("training.bottleneck.summary", "Launching kernels took 40% of the time."),
        make.attribute("training.bottleneck.share", 0.4),
    ]
    data = build(load(make.write(tmp_path / "made", make.line([make.start_span(), *make.epoch(0, 1.0), root]))))
    assert data.verdict is not None
    assert (data.verdict.kind, data.verdict.share) == (Bottleneck.LAUNCH, 0.4)


def test_workers_have_their_times_and_cache_hits(tmp_path: Path) -> None:
    data = build(load(synthetic_run.make(tmp_path / "run", Shape(epochs=1, workers=3))))
    assert [worker.worker for worker in data.workers] == [0, 1, 2]
    for worker in data.workers:
        assert worker.cache_hit_rate == pytest.approx(0.75)
        assert 0 < worker.collate_mean < worker.dataset_mean <= worker.dataset_p95


def test_what_the_sanity_check_logged_is_not_on_the_curve(tmp_path: Path) -> None:
    directory = synthetic_run.make(tmp_path / "run", Shape(epochs=2))
    first, *rest = (directory / "metrics.jsonl").read_text().splitlines(keepends=True)
    early = re.sub(r'"timeUnixNano":\s*"\d+"', f'"timeUnixNano":"{synthetic_run.START + 10**9}"', first)
    (directory / "metrics.jsonl").write_text(early.replace("2.9", "77.5") + first + "".join(rest))
    logged = build(load(directory)).logged
    assert [value for _, value in logged["val_loss"]] == pytest.approx([2.9, 1.5, 1.5])
    assert len(logged["train_loss"]) > 2


def test_ranks_share_the_waterfall_of_a_step(tmp_path: Path) -> None:
    for rank in range(2):
        synthetic_run.make(tmp_path / "run", Shape(epochs=1, rank=rank, world_size=2))
    data = build(load(tmp_path / "run"))
    assert [rank.rank for rank in data.ranks] == [0, 1]
    assert data.kept_in_all == len(data.kept)
    for batch in data.kept:
        assert [bar.name for bar in batch.waterfall if bar.kind == "rank"] == [f"rank {1 - batch.rank}"]


def test_json_keys_are_those_that_are_documented(tmp_path: Path) -> None:
    found = json.loads(as_json.render(load(synthetic_run.make(tmp_path / "run", Shape(epochs=1, test=True)))))
    documented = as_json.__doc__ or ""
    for holder in (found, found["verdict"], found["epochs"][0], found["kept"][0], found["other_entries"][0]):
        assert [key for key in holder if f"`{key}`" not in documented] == []
    assert sum(found["budget"].values()) == pytest.approx(found["wall"])


def test_a_run_of_a_hundred_thousand_batches_is_reported_in_ten_seconds(tmp_path: Path) -> None:
    synthetic_run.make(tmp_path / "run", Shape(epochs=100, batches=1000, kept=100, slow=10))
    # Of the CPU: what else the machine does is not the report's.
    begun = time.process_time()
    html.render(load(tmp_path / "run"), tmp_path / "report.html")
    assert time.process_time() - begun < 10
    assert (tmp_path / "report.html").stat().st_size < 1_000_000
