"""Reading run directories: whole, cut, damaged, running, killed, growing, and none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_otel.runs import RunError, find, load, newest
from ocr_otel.runs.lines import LineReader
from tests.support import run_directory as make


def test_a_complete_run(tmp_path: Path) -> None:
    run = load(make.complete(tmp_path / "made"))
    (entry,) = run.entries
    assert (entry.name, len(entry.epochs), len(run.batches)) == ("fit", 2, 10)
    assert entry.root is not None
    assert entry.configuration == {"training.config.max_epochs": 2}
    assert [len(epoch.validations) for epoch in entry.epochs] == [1, 1]
    assert entry.epochs[0].checkpoints[0].seconds == pytest.approx(0.5)
    assert run.resource["process.pid"] == 7
    assert not run.damaged
    worker = next(child for child in run.batches[3].span.children if child.name == "dataloader_worker")
    assert [child.name for child in worker.children] == ["dataset"]


def test_a_last_line_cut_anywhere_loses_that_line_alone(tmp_path: Path) -> None:
    directory = make.complete(tmp_path / "made")
    whole = (directory / "traces.jsonl").read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last, len(whole) - 1):
        (directory / "traces.jsonl").write_bytes(whole[:cut])
        run = load(directory)
        assert len(run.batches) == 10
        assert len(run.entries[0].epochs) == 1
        assert run.damaged == ([] if cut == last else ["traces.jsonl:4"])


def test_a_damaged_line_in_the_middle_is_counted_and_passed_over(tmp_path: Path) -> None:
    directory = make.write(
        tmp_path / "made", make.line([make.start_span()]), '{"resourceSpans": [\n', "[1]\n", make.line(make.epoch(0, 1))
    )
    run = load(directory)
    assert run.damaged == ["traces.jsonl:2", "traces.jsonl:3"]
    assert len(run.entries[0].epochs) == 1


def test_spans_of_a_strange_shape_are_left_out(tmp_path: Path) -> None:
    strange = [{"name": "fit"}, {**make.fit(), "startTimeUnixNano": "soon"}, {**make.fit(), "attributes": "none"}]
    run = load(make.write(tmp_path / "made", make.line(strange), '{"resourceSpans": 5}\n', "{}\n"))
    assert run.spans == 1


def test_a_run_that_goes_on_or_was_killed_has_no_root_and_is_read(tmp_path: Path) -> None:
    run = load(make.write(tmp_path / "made", make.line([make.start_span()]), make.line(make.epoch(0, 1.0))))
    assert run.entries[0].root is None
    assert len(run.entries[0].epochs) == 1


def test_a_growing_file_is_read_on_from_where_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    reader = LineReader(path)
    assert list(reader.read()) == []
    path.write_text('{"a": 1}\n{"b"')
    assert list(reader.read()) == [(1, {"a": 1})]
    assert list(reader.read()) == []
    with path.open("a") as file:
        file.write(': 2}\n{"c": 3}\n')
    assert list(reader.read()) == [(2, {"b": 2}), (3, {"c": 3})]
    assert not reader.damaged


def test_ranks_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    for rank in range(2):
        make.write(tmp_path / "made" / f"rank-{rank}", make.line(make.batch(rank, 0, 0.1)))
    run = load(tmp_path / "made")
    assert run.ranks == 2
    assert [batch.rank for batch in run.batches] == [0, 1]


def test_what_is_no_run_is_named_with_what_a_run_is(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for given, says in (("empty", "is not a run directory"), ("file", "is not a directory")):
        with pytest.raises(RunError, match=f"{given} {says}: a run directory holds traces.jsonl"):
            load(tmp_path / given)
    with pytest.raises(RunError, match="neither a path nor a run in"):
        find("nothing", tmp_path)
    with pytest.raises(RunError, match="there is no run in"):
        newest(tmp_path)
    with pytest.raises(RunError, match="is not there"):
        newest(tmp_path / "absent")


def test_the_newest_run_is_the_one_written_last(tmp_path: Path) -> None:
    import os

    for age, name in enumerate(("c", "a", "b")):
        directory = make.complete(tmp_path / name)
        os.utime(directory / "traces.jsonl", (1000 - age, 1000 - age))
    assert newest(tmp_path).name == "c"
    assert find("a", tmp_path) == tmp_path / "a"
