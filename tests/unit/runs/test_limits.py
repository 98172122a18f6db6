"""Long runs, read in bounded time and memory."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.runs import Limits, RunReader, load
from ocr_otel.runs.limits import picked
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape

SMALL = Limits(whole=50_000, head=20_000, tail=60_000, picks=20, batches=40, spans=500, exports=12, landmarks=50)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose files are much longer than the limits, with the spans of one trace a line, as recorded live."""
    run = synthetic_run.make(tmp_path_factory.mktemp("runs") / "long", Shape(epochs=20, batches=100, kept=30))
    lines = []
    for line in (run / "traces.jsonl").read_bytes().splitlines():
        resource = json.loads(line)["resourceSpans"][0]
        spans = [span for scope in resource["scopeSpans"] for span in scope["spans"]]
        for _, of_trace in groupby(spans, key=lambda span: span["traceId"]):
            scopes = [{"spans": list(of_trace)}]
            lines.append(json.dumps({"resourceSpans": [{"resource": resource["resource"], "scopeSpans": scopes}]}))
    (run / "traces.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return run


def test_without_limits_everything_is_read_and_kept(long_run: Path) -> None:
    run = RunReader(long_run).read()
    assert not run.sampled
    assert run.spans == load(long_run).spans


def test_of_a_long_run_beginning_epochs_and_end_are_there_and_of_the_rest_a_choice(long_run: Path) -> None:
    whole, some = load(long_run), RunReader(long_run, SMALL).read()
    assert some.sampled
    assert some.spans < 0.6 * whole.spans
    assert some.entries[-1].configuration == whole.entries[-1].configuration
    assert some.entries[-1].root is not None
    assert some.entries[-1].root.attributes == whole.entries[-1].root.attributes
    numbers = [int(epoch.span.number(semconv.EPOCH)) for epoch in some.entries[-1].epochs]
    assert numbers == list(range(20))


def test_last_batches_are_those_of_the_whole_run_and_have_their_spans(long_run: Path) -> None:
    whole, some = load(long_run).batches[-1], RunReader(long_run, SMALL).read().batches[-1]
    assert some.span.span_id == whole.span.span_id
    assert [child.span_id for child in some.span.children] == [child.span_id for child in whole.span.children]


def test_what_is_kept_is_bounded_while_a_run_is_followed(long_run: Path, tmp_path: Path) -> None:
    growing = tmp_path / "growing"
    growing.mkdir()
    reader = None
    held = []
    lines = (long_run / "traces.jsonl").read_bytes().splitlines(keepends=True)
    for start in range(0, len(lines), 10):
        with (growing / "traces.jsonl").open("ab") as file:
            file.writelines(lines[start : start + 10])
        reader = reader or RunReader(growing, SMALL)
        held.append(len(reader.read().batches))
    assert reader is not None
    run = reader.read()
    assert not run.sampled, "it was read as it grew"
    assert run.spans == load(growing).spans, "all of it was read"
    assert max(held) < 400
    assert run.batches[-1].span.span_id == load(growing).batches[-1].span.span_id


def test_slow_batches_stay_where_regular_ones_are_let_go(long_run: Path) -> None:
    limits = replace(SMALL, whole=10**9)
    run, whole = RunReader(long_run, limits).read(), load(long_run)
    slow = [batch.span.seconds for batch in run.batches if batch.slow]
    assert len(run.batches) < len(whole.batches) / 3
    assert max(slow) == max(batch.span.seconds for batch in whole.batches if batch.slow)


def test_exports_are_thinned_and_the_first_and_last_stay(long_run: Path) -> None:
    limits = replace(SMALL, whole=10**9)
    some = [point.time for point in RunReader(long_run, limits).read().points]
    whole = [point.time for point in load(long_run).points]
    assert len(set(some)) <= 13 < len(set(whole))
    assert (some[0], some[-1]) == (whole[0], whole[-1])


def test_parts_yield_each_complete_line_once(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"".join(b"%03d\n" % number for number in range(100)) + b"cut")
    parts = [(0, 10, 99), (8, 300, 1), (9, 300, 1), (200, 300, 1), (380, 403, 99)]
    lines = [line for line, _ in picked(path, parts)]
    assert lines == [
        b"000\n",
        b"001\n",
        b"002\n",
        b"003\n",
        b"004\n",
        b"050\n",
        b"095\n",
        b"096\n",
        b"097\n",
        b"098\n",
        b"099\n",
    ]


def test_file_that_became_shorter_is_read_from_its_beginning(tmp_path: Path) -> None:
    first = synthetic_run.make(tmp_path / "a", Shape(epochs=2))
    second = synthetic_run.make(tmp_path / "b", Shape(epochs=1))
    reader = RunReader(first)
    before = reader.read().spans
    os.replace(second / "traces.jsonl", first / "traces.jsonl")
    assert reader.read().spans == before + load(first).spans


def test_progress_ends_with_all_bytes(long_run: Path) -> None:
    told: list[tuple[int, int]] = []
    load(long_run, lambda done, total: told.append((done, total)))
    size = sum(path.stat().st_size for path in long_run.glob("*.jsonl"))
    assert told[-1] == (size, size)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
