"""Lines in segments: their order, their acknowledgement, and what is left when a process ends in the middle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocr_otel.spool import SIGNALS, Position, SpoolFull, SpoolInUse, Store, append, claim, spools, tidy, waiting_in
from ocr_otel.spool.files import PositionFile, segment_sizes

LIMIT = 10_000_000


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "run" / "spool"


def contents(store: Store) -> list[bytes]:
    return [line.content for line in store.lines("traces")]


def take_all(store: Store) -> list[bytes]:
    taken = []
    while (line := store.read("traces")) is not None:
        taken.append(line.content)
        store.acknowledge("traces", line.after)
    return taken


def test_lines_come_back_in_their_order(place: Path) -> None:
    store = Store(place, LIMIT)
    for number in range(5):
        store.append("traces", b"%d" % number)
        store.append("metrics", b"m%d" % number)
    assert contents(store) == [b"0", b"1", b"2", b"3", b"4"]
    assert take_all(store) == [b"0", b"1", b"2", b"3", b"4"]
    assert store.waiting() == {"metrics": 15}


def test_nobody_else_may_read_it(place: Path) -> None:
    Store(place, LIMIT).append("traces", b"secret")
    assert place.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}


def test_a_spool_that_was_emptied_leaves_nothing(place: Path) -> None:
    store = Store(place, LIMIT)
    store.append("traces", b"1")
    take_all(store)
    assert store.close() == 0
    assert not place.exists()


def test_what_waits_is_there_for_the_next_process(place: Path) -> None:
    store = Store(place, LIMIT)
    for number in range(4):
        store.append("traces", b"%d" % number)
    first = store.read("traces")
    assert first is not None
    store.acknowledge("traces", first.after)
    assert store.close() == 6
    assert sorted(path.name for path in place.iterdir()) == ["lock", "traces-00000001.jsonl", "traces.position"]
    again = Store(place, LIMIT)
    assert again.waiting() == {"traces": 6}
    again.append("traces", b"4")
    assert take_all(again) == [b"1", b"2", b"3", b"4"]
    assert again.close() == 0


def test_segments_are_bounded_and_removed_when_they_are_acknowledged(place: Path) -> None:
    store = Store(place, 1_600_000)
    for _ in range(10):
        store.append("traces", bytes(49_999))
    sizes = segment_sizes(place)["traces"]
    assert list(sizes) == list(range(1, 6))
    assert set(sizes.values()) == {100_000}
    for _ in range(4):
        line = store.read("traces")
        assert line is not None
        store.acknowledge("traces", line.after)
    assert list(segment_sizes(place)["traces"]) == [3, 4, 5]
    take_all(store)
    assert segment_sizes(place)["traces"] == {}
    store.append("traces", b"x")
    assert list(segment_sizes(place)["traces"]) == [6]


def test_a_limit_is_kept_and_room_comes_back(place: Path) -> None:
    store = Store(place, 1_000_000)
    for _ in range(10):
        store.append("traces", bytes(99_999))
    with pytest.raises(SpoolFull, match="1,000,000 bytes"):
        store.append("metrics", b"x")
    assert sum(path.stat().st_size for path in place.glob("*.jsonl")) == 1_000_000
    line = store.read("traces")
    assert line is not None
    store.acknowledge("traces", line.after)
    store.append("metrics", b"x")


def test_cut_and_empty_lines_are_told_or_passed_over(place: Path) -> None:
    place.mkdir(parents=True)
    (place / "traces-00000003.jsonl").write_bytes(b"one\n\n\ntwo\ncut")
    (place / "traces-00000005.jsonl").write_bytes(b"three\n")
    (place / "traces-00000007.jsonl").write_bytes(b"\n\n")
    store = Store(place, LIMIT)
    assert take_all(store) == [b"one", b"two", b"cut", b"three"]
    assert store.close() == 0


@pytest.mark.parametrize("content", [b"", b"x", b"-1 7", b"1", b"9" * 400])
def test_a_position_that_cannot_be_read_is_the_beginning(place: Path, content: bytes) -> None:
    place.mkdir(parents=True)
    (place / "traces-00000001.jsonl").write_bytes(b"one\n")
    (place / "traces.position").write_bytes(content)
    assert PositionFile(place, "traces").read() == Position()
    assert contents(Store(place, LIMIT)) == [b"one"]


def test_a_position_behind_the_end_is_the_end(place: Path) -> None:
    place.mkdir(parents=True)
    (place / "traces-00000001.jsonl").write_bytes(b"one\n")
    (place / "traces.position").write_bytes(b"%010d %020d\n" % (1, 500))
    store = Store(place, LIMIT)
    assert contents(store) == []
    store.append("traces", b"two")
    assert take_all(store) == [b"two"]


def test_a_short_write_leaves_nothing_of_the_line(place: Path) -> None:
    store = Store(place, LIMIT)
    store.append("traces", b"one")
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError):  # noqa: PT011
            store.append("traces", bytes(200))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (place / "traces-00000001.jsonl").read_bytes() == b"one\n"
    store.append("traces", b"two")
    assert take_all(store) == [b"one", b"two"]


def test_one_process_at_a_time(place: Path) -> None:
    store = Store(place, LIMIT)
    with pytest.raises(SpoolInUse):
        Store(place, LIMIT)
    beside = claim(place, LIMIT)
    assert beside.directory.name == "spool-2"
    beside.append("traces", b"1")
    assert spools(place.parent) == [place, beside.directory]
    store.close()
    Store(place, LIMIT).close()


def test_a_dead_process_does_not_hold_it(place: Path) -> None:
    child = os.fork()
    if child == 0:
        Store(place, LIMIT).append("traces", b"1")
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert take_all(Store(place, LIMIT)) == [b"1"]


def test_others_append_for_a_process_that_is_gone(place: Path) -> None:
    append(place, "traces", b"one\n")
    append(place, "traces", b"two")
    assert place.stat().st_mode & 0o777 == 0o700
    store = Store(place, LIMIT)
    line = store.read("traces")
    assert line is not None
    store.acknowledge("traces", line.after)
    append(place, "traces", b"three")
    assert take_all(store) == [b"two"]
    store.discover()
    assert take_all(store) == [b"three"]
    append(place, "traces", b"four")
    assert store.close() > 0, "what came last is not removed with the rest"
    assert take_all(Store(place, LIMIT)) == [b"four"]


def test_own_and_foreign_lines_may_alternate(place: Path) -> None:
    store = Store(place, LIMIT)
    store.append("traces", b"1")
    append(place, "traces", b"2")
    store.discover()
    start, _ = store.append("traces", b"3")
    assert start == Position(2, 2), "what is between is sent first"
    append(place, "traces", b"4")
    assert take_all(store) == [b"1", b"2", b"3"]
    assert store.close() == 2


def test_appending_names_a_signal_that_there_is(place: Path) -> None:
    with pytest.raises(ValueError, match="one of traces, metrics, logs"):
        append(place, "profiles", b"x")
    assert set(SIGNALS) == {"traces", "metrics", "logs"}


def test_what_waits_can_be_seen_from_outside(place: Path) -> None:
    assert waiting_in(place) is None
    store = Store(place, LIMIT)
    assert waiting_in(place) is None
    store.append("traces", b"12345")
    store.append("logs", b"1")
    seen = waiting_in(place)
    assert seen is not None
    assert (seen.size, seen.in_use) == (8, True)
    take_all(store)
    store.close()
    seen = waiting_in(place)
    assert seen is not None
    assert (seen.size, seen.in_use) == (2, False)


def test_an_emptied_spool_of_a_killed_process_is_tidied_away(place: Path) -> None:
    child = os.fork()
    if child == 0:
        store = Store(place, LIMIT)
        store.append("traces", b"1")
        take_all(store)
        os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    assert place.exists()
    append(place.parent / "spool-2", "logs", b"1")
    assert tidy(place.parent)
    assert spools(place.parent) == [place.parent / "spool-2"]
    append(place, "traces", b"1")
    store = Store(place, LIMIT)
    take_all(store)
    assert tidy(place.parent), "somebody holds it"
    store.close()


def test_links_are_not_followed(place: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "traces-00000001.jsonl").write_bytes(b"not ours\n")
    place.mkdir(parents=True)
    (place / "traces-00000001.jsonl").symlink_to(outside / "traces-00000001.jsonl")
    with pytest.raises(OSError):  # noqa: PT011
        contents(Store(place, LIMIT))
    (place.parent / "spool-2").symlink_to(outside)
    assert spools(place.parent) == [place]
