"""Reading run directories: whole, cut, damaged, running, killed, growing, and none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.runs import RunError, RunReader, find, load, newest
from ocr_otel.runs.lines import LineReader
from tests.support import run_directory as make
from tests.support import synthetic_run
from tests.support.synthetic_ranks import Together
from tests.support.synthetic_run import Shape


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
        assert run.damaged_lines == len(run.damaged)


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
    assert run.left_out == 2


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


def test_every_rank_has_its_process_and_its_epochs(tmp_path: Path) -> None:
    for rank in range(2):
        together = Together(hosts=2, clock=0.2)
        synthetic_run.make(
            tmp_path / "run", Shape(epochs=2, batches=4, rank=rank, world_size=2, outcome="", together=together)
        )
    first, second = load(tmp_path / "run").by_rank
    assert [each.resource["host.name"] for each in (first, second)] == ["trainer-1", "trainer-2"]
    assert [len(each.epochs) for each in (first, second)] == [2, 2]
    assert [semconv.CLOCK_OFFSET in each.epochs[0].attributes for each in (first, second)] == [False, True]


def test_an_entry_has_the_resource_of_its_own_attempt(tmp_path: Path) -> None:
    first = make.line([make.span(semconv.FIT_START, 2, 1, 0.0, 0.0)])
    again = make.line([make.span(semconv.FIT_START, 4, 3, 9.0, 0.0), make.span(semconv.FIT, 3, 0, 9.0, 5.0)])
    lines = [_attempt(line, number) for number, line in enumerate((first, again))]
    run = load(make.write(tmp_path / "made", *lines))
    assert [entry.resource[semconv.ATTEMPT] for entry in run.entries] == [0, 1]
    assert run.resource[semconv.ATTEMPT] == 0


def _attempt(line: str, number: int) -> str:
    request = json.loads(line)
    request["resourceSpans"][0]["resource"]["attributes"].append(make.attribute(semconv.ATTEMPT, number))
    return f"{json.dumps(request)}\n"


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


def test_what_the_official_exporter_writes_is_read(tmp_path: Path) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=2, test=True)))
    assert run.run_id == "run"
    assert [(entry.name, len(entry.epochs)) for entry in run.entries] == [("fit", 2), ("test", 0)]
    assert run.entries[0].root is not None
    assert run.entries[0].root.attributes[semconv.BATCHES] == 600
    assert run.entries[0].configuration[semconv.CONFIG_PREFIX + "callbacks"] == ["ModelCheckpoint", "RichProgressBar"]
    assert [len(epoch.checkpoints) for epoch in run.entries[0].epochs] == [2, 2]
    assert [span.name for span in run.others] == [semconv.SANITY_CHECK, semconv.CHECKPOINT_SAVE]
    assert {point.value for point in run.points if point.name == semconv.METRIC_BATCHES} == {300, 600}
    assert run.batches[0].span.links == (run.entries[0].epochs[0].span.span_id,)


def test_numbers_lists_and_maps_in_attributes(tmp_path: Path) -> None:
    values = {
        "big": {"intValue": "9007199254740993"},
        "small": {"intValue": 3},
        "nan": {"doubleValue": "NaN"},
        "yes": {"boolValue": True},
        "list": {"arrayValue": {"values": [{"stringValue": "a"}, {"arrayValue": {"values": [{"intValue": "1"}]}}]}},
        "map": {"kvlistValue": {"values": [{"key": "k", "value": {"doubleValue": 0.5}}]}},
        "odd": {"intValue": "many"},
        "none": {},
    }
    root = make.fit() | {"attributes": [{"key": key, "value": value} for key, value in values.items()]}
    run = load(make.write(tmp_path / "made", make.line([make.start_span(), root])))
    assert run.entries[0].root is not None
    found = run.entries[0].root.attributes
    assert found["big"] == 9007199254740993
    assert found["list"] == ["a", [1]]
    assert found["map"] == {"k": 0.5}
    assert (found["small"], found["yes"], found["odd"], found["none"]) == (3, True, 0, None)
    assert run.entries[0].root.number("nan", 7.0) == 7.0


def test_a_growing_run_is_read_on_and_is_in_the_end_what_is_read_at_once(tmp_path: Path) -> None:
    whole = synthetic_run.make(tmp_path / "whole", Shape(epochs=3))
    growing = tmp_path / "growing"
    growing.mkdir()
    (growing / "traces.jsonl").touch()
    reader = RunReader(growing)
    seen = []
    for name in ("metrics.jsonl", "traces.jsonl"):
        content = (whole / name).read_bytes()
        for start in range(0, len(content), 70_001):
            with (growing / name).open("ab") as file:
                file.write(content[start : start + 70_001])
            seen.append(reader.read().spans)
    assert len(set(seen)) > 3
    assert seen == sorted(seen)
    grown, at_once = reader.read(), load(whole)
    assert (grown.spans, grown.entries, grown.others) == (at_once.spans, at_once.entries, at_once.others)
    assert (grown.batches, grown.points) == (at_once.batches, at_once.points)
    assert grown.damaged_lines == 0


def test_children_that_come_before_their_parent_are_inside_it_all_the_same(tmp_path: Path) -> None:
    root, *inside = make.batch(0, 1.0, 0.1)
    run = load(make.write(tmp_path / "made", make.line(inside[::-1]), make.line([root])))
    assert [child.name for child in run.batches[0].span.children] == ["dataloader_worker", "fetch", "forward"]


def test_a_span_that_was_delivered_twice_counts_once(tmp_path: Path) -> None:
    twice = make.line([make.start_span(), *make.batch(0, 1.0, 0.1)])
    run = load(make.write(tmp_path / "made", twice, twice))
    assert (run.spans, len(run.batches), len(run.batches[0].span.children)) == (6, 1, 3)


def test_lines_that_hurt_a_parser_are_damaged_lines(tmp_path: Path) -> None:
    lines = ["[" * 200_000 + "\n", "\ufffe\n", '{"a": ' + "9" * 5000 + "}\n", make.line([make.start_span()])]
    run = load(make.write(tmp_path / "made", *lines))
    assert run.damaged_lines == 3
    assert run.spans == 1


def test_an_entry_whose_start_was_lost_is_known_by_its_root(tmp_path: Path) -> None:
    run = load(make.write(tmp_path / "made", make.line([*make.epoch(0, 1.0), make.fit()])))
    assert [(entry.name, len(entry.epochs)) for entry in run.entries] == [("fit", 1)]


def test_an_empty_run_and_one_of_a_newer_form_are_named(tmp_path: Path) -> None:
    empty = make.write(tmp_path / "empty")
    with pytest.raises(RunError, match="empty is empty: it holds no span and no metric; a run directory holds"):
        load(empty)
    (empty / "traces.jsonl").write_text("{\n")
    with pytest.raises(RunError, match="but 1 damaged lines"):
        load(empty)
    newer = make.complete(tmp_path / "newer")
    (newer / "run.json").write_text('{"format": 2}')
    with pytest.raises(RunError, match="written in format 2, and this version of ocr_otel reads 1"):
        load(newer)


def test_losses_of_every_rank_are_read_and_the_course_of_the_first(tmp_path: Path) -> None:
    for rank in range(2):
        synthetic_run.make(tmp_path / "run", Shape(epochs=3, rank=rank, world_size=2))
    points = [point for point in load(tmp_path / "run").points if point.name == semconv.METRIC_SPANS_DROPPED]
    assert [point.rank for point in points] == [0, 0, 0, 1]


def test_the_points_of_a_series_share_their_attributes(tmp_path: Path) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=1, machine="cpu")))
    of_one = [point for point in run.points if point.name == semconv.PROCESS_MEMORY]
    assert len(of_one) > 6
    assert len({id(point.attributes) for point in of_one}) == len({str(point.attributes) for point in of_one}) == 3


def test_what_held_the_memory_when_it_ran_out_is_read(tmp_path: Path) -> None:
    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=1, outcome="failed", machine="gpu")))
    root = run.entries[0].root
    assert root is not None
    held = root.event(semconv.OUT_OF_MEMORY)
    assert held is not None
    assert held[semconv.OOM_DEVICE] == "cuda:0"
    assert all(epoch.span.event(semconv.OUT_OF_MEMORY) is None for epoch in run.entries[0].epochs)


def test_windows_of_all_ranks_are_read_with_their_epochs_and_where_their_files_lie(tmp_path: Path) -> None:
    for rank in range(2):
        shape = Shape(epochs=2, batches=20, windows=1, rank=rank, world_size=2)
        synthetic_run.make(tmp_path / "run", shape)
    windows = load(tmp_path / "run").windows
    assert sorted((window.rank, window.epoch) for window in windows) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [window.span.start for window in windows] == sorted(window.span.start for window in windows)
    for window in windows:
        assert window.directory == str(tmp_path / "run" / f"rank-{window.rank}")
        names = [event.name for event in window.span.events]
        assert names.count(semconv.BOTTLENECK_EVENT) == 3
        assert semconv.PROFILE_OPERATOR_EVENT in names


def test_a_window_that_does_not_say_its_epoch_has_that_of_the_span_around_it(tmp_path: Path) -> None:
    inside, alone = (make.span(semconv.PROFILE, 900 + parent, parent, 2.0, 0.1) for parent in (200, 7))
    run = load(make.write(tmp_path / "made", make.line([make.start_span(), *make.epoch(1, 1.0), inside, alone])))
    assert {window.span.parent_id[-2:]: window.epoch for window in run.windows} == {"c8": 1, "07": -1}
