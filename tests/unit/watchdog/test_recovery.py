"""Runs that died together with their watchdogs are ended once, by whoever comes first."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.watchdog import life
from ocr_otel.watchdog.recovery import find, recover
from tests.support.watchdog_left import leave
from tests.support.watchdog_training import EPOCH, ROOT
from tests.support.watchdog_watching import ROOT as REPOSITORY
from tests.support.watchdog_watching import attributes, metrics, named, spans

HOUR = 3600


def aged(place: Path, seconds: float) -> Path:
    """Make a directory look as if nothing has touched it for a while."""
    for path in (*place.iterdir(), place):
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))
    return place


def test_a_run_whose_process_is_gone_is_ended_where_it_was_seen_last(tmp_path: Path) -> None:
    place = aged(leave(tmp_path / "one"), 0)
    seen = max(int((place / "cells").stat().st_mtime_ns), 0)
    (found,) = recover(tmp_path)
    assert (found.run_id, found.spans, found.left) == ("one", 3, "")
    assert found.end is not None
    assert found.end.cause == "unknown"
    written = spans(tmp_path / "one")
    for name in (semconv.FIT, semconv.TRAIN_EPOCH, semconv.TRAIN_BATCH):
        assert abs(int(named(written, name)["endTimeUnixNano"]) - seen) < 5e8
    assert attributes(named(written, semconv.FIT))[semconv.BATCH_IDX] == 7
    assert metrics(tmp_path / "one")[semconv.METRIC_RUN_ACTIVE]["gauge"]["dataPoints"][0]["asInt"] == "0"
    assert not (tmp_path / "one" / ".watchdog").exists()
    assert list(recover(tmp_path)) == []


def test_a_run_of_before_a_restart_says_so(tmp_path: Path) -> None:
    leave(tmp_path / "one", boot_id="of-before")
    (found,) = recover(tmp_path)
    assert found.end is not None
    assert found.end.cause == "host_restart"
    root = named(spans(tmp_path / "one"), semconv.FIT)
    assert root["status"]["message"] == "its host was started anew while it ran"


@pytest.mark.parametrize("where", ["", "one", "one/rank-1"])
def test_a_directory_of_runs_a_run_and_a_rank_are_searched(tmp_path: Path, where: str) -> None:
    leave(tmp_path / "one" / "rank-1")
    (found,) = recover(tmp_path / where)
    assert found.directory == tmp_path / "one" / "rank-1"


def test_neither_links_nor_deep_directories_are_followed(tmp_path: Path) -> None:
    leave(tmp_path / "elsewhere" / "one")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "elsewhere" / "one")
    leave(tmp_path / "runs" / "deep" / "er" / "still")
    assert find(tmp_path / "runs") == []


def test_a_link_in_the_place_of_a_file_is_not_written_through(tmp_path: Path) -> None:
    leave(tmp_path / "one")
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "one" / "traces.jsonl").symlink_to(tmp_path / "victim")
    (found,) = recover(tmp_path)
    assert found.failed
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_living_process_is_left_alone(tmp_path: Path) -> None:
    place = leave(tmp_path / "one", **life.identity(os.getpid()))
    (found,) = recover(tmp_path)
    assert (found.end, found.left) == (None, "it goes on")
    assert place.exists()


def test_a_run_of_another_host_is_left_alone_unless_it_is_asked_for(tmp_path: Path) -> None:
    leave(tmp_path / "one", host="elsewhere", boot_id="another")
    (found,) = recover(tmp_path)
    assert (found.end, found.left) == (None, "it is of another host, elsewhere")
    (found,) = recover(tmp_path, other_hosts=True)
    assert found.end is not None
    assert found.end.cause == "unknown"


def test_a_process_in_another_container_lives_as_long_as_its_numbers_are_saved(tmp_path: Path) -> None:
    place = leave(tmp_path / "one", pid_namespace="pid:[1]")
    assert [each.left for each in recover(tmp_path)] == ["it goes on"]
    aged(place, 120)
    assert [each.spans for each in recover(tmp_path)] == [3]


def test_a_journal_that_a_watchdog_holds_is_left_alone(tmp_path: Path) -> None:
    place = leave(tmp_path / "one")
    with (place / "journal").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert [each.left for each in recover(tmp_path)] == ["its watchdog is at work"]
    assert [each.spans for each in recover(tmp_path)] == [3]


def test_a_run_with_nothing_open_leaves_nothing(tmp_path: Path) -> None:
    leave(tmp_path / "runs" / "one", spans=False)
    (found,) = recover(tmp_path / "runs")
    assert (found.spans, found.left) == (0, "")
    assert not (tmp_path / "runs" / "one").exists()


@pytest.mark.parametrize("content", [b"", b"\x00" * 112, b"\xff" * 4096, b"short"])
def test_damaged_numbers_do_not_keep_the_spans_from_being_ended(tmp_path: Path, content: bytes) -> None:
    place = leave(tmp_path / "one")
    (place / "cells").write_bytes(content)
    (found,) = recover(tmp_path)
    assert {each["spanId"] for each in spans(tmp_path / "one")} >= {ROOT, EPOCH}
    assert found.left == ""


def test_without_saved_numbers_the_journal_tells_when_it_ended(tmp_path: Path) -> None:
    leave(tmp_path / "one", cells=False)
    (found,) = recover(tmp_path)
    assert found.spans == 2


def test_a_journal_without_its_header_is_ended_by_what_its_place_tells(tmp_path: Path) -> None:
    place = leave(tmp_path / "one")
    content = (place / "journal").read_bytes()
    (place / "journal").write_bytes(b"00000000" + content[8:])
    (tmp_path / "one" / "traces.jsonl").touch()
    aged(place, 120)
    (found,) = recover(tmp_path)
    assert found.left == ""
    assert {each["spanId"] for each in spans(tmp_path / "one")} >= {ROOT, EPOCH}


def test_what_cannot_be_written_is_tried_again_the_next_time(tmp_path: Path) -> None:
    place = leave(tmp_path / "one")
    (tmp_path / "one" / "traces.jsonl").mkdir()
    (found,) = recover(tmp_path)
    assert found.failed
    assert found.left.startswith("it cannot be read or written: ")
    assert place.exists()
    (tmp_path / "one" / "traces.jsonl").rmdir()
    assert [each.spans for each in recover(tmp_path)] == [3]


def test_what_goes_to_an_endpoint_is_put_into_the_spool_and_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    leave(tmp_path / "one", target="otlp")
    (found,) = recover(tmp_path)
    assert not found.delivered
    assert len(spans(tmp_path / "one", "spool/traces-*.jsonl")) == 3


def test_half_a_directory_of_a_process_that_is_gone_is_removed(tmp_path: Path) -> None:
    place = leave(tmp_path / "one")
    (place / "journal").unlink()
    aged(place, 120)
    assert list(recover(tmp_path)) == []
    assert not place.exists()


def test_two_that_recover_at_once_write_each_span_once(tmp_path: Path) -> None:
    runs = [f"run-{number}" for number in range(25)]
    for name in runs:
        leave(tmp_path / name)
    program = (
        "import sys; from pathlib import Path; from ocr_otel.watchdog.recovery import recover\n"
        "print('ready', flush=True); input()\n"
        "print(sum(each.spans for each in recover(Path(sys.argv[1]))))"
    )
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": REPOSITORY}
    both = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], **pipes) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    wrote = [int(process.communicate()[0]) for process in both]
    assert sum(wrote) == 3 * len(runs)
    for name in runs:
        assert len(spans(tmp_path / name)) == 3
        assert not (tmp_path / name / ".watchdog").exists()
