"""A journal gives back what was noted, whatever a kill or a disk does to its file."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_otel.watchdog.journal import FORMAT, SHORTENED_FROM, JournalWriter, read

HEADER = {"run_id": "made", "pid": 7}

# Without a limit of time: the machine may be busy. What failed is printed as a whole, and need not be kept in a folder.
examples = settings(deadline=None, database=None)
few_examples = settings(examples, max_examples=40)

_ids = st.integers(0, 7).map(lambda number: f"{number:016x}")
_steps = st.lists(st.tuples(st.sampled_from(["note", "end", "done"]), _ids, st.text(max_size=20)), max_size=25)


def span(span_id: str, name: str = "fit", **more: Any) -> dict[str, Any]:
    return {"traceId": "1" * 32, "spanId": span_id, "name": name, "startTimeUnixNano": "5", **more}


def written(steps: Sequence[tuple[str, str, str]]) -> tuple[bytes, list[dict[str, dict[str, Any]]]]:
    """Write a journal; return its content, and the spans that are open after each of its records."""
    states: list[dict[str, dict[str, Any]]] = [{}]
    now: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal"
        writer = JournalWriter(path, HEADER)
        for kind, span_id, name in steps:
            size = path.stat().st_size
            if kind == "done":
                writer.done(span_id)
                now.pop(span_id, None)
            else:
                now[span_id] = span(span_id, name, **({"endTimeUnixNano": "9"} if kind == "end" else {}))
                writer.note(now[span_id])
            if path.stat().st_size > size:
                states.append(dict(now))
            elif path.stat().st_size < size:
                states = [{}]
        writer.close()
        return path.read_bytes(), states


@examples
@given(_steps)
def test_a_whole_journal_says_what_is_open(steps: list[tuple[str, str, str]]) -> None:
    content, states = written(steps)
    found = read(content)
    assert found.spans == states[-1]
    assert found.header == {"format": FORMAT, **HEADER}
    assert found.damaged == 0


@few_examples
@given(_steps)
def test_one_that_is_cut_anywhere_says_what_its_whole_records_say(steps: list[tuple[str, str, str]]) -> None:
    content, states = written(steps)
    for cut in range(len(content) + 1):
        found = read(content[:cut])
        # A record that only its line end is missing of is whole.
        whole = content[:cut].count(b"\n") + (content[cut : cut + 1] == b"\n")
        assert found.spans == (states[whole - 1] if whole else {})
        assert found.damaged == int(whole == content[:cut].count(b"\n") and content[:cut][-1:] not in (b"", b"\n"))
        assert bool(found.header) == (whole > 0)


@examples
@given(_steps, st.data())
def test_flipped_bits_neither_break_it_nor_invent_a_span(
    steps: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    content, _ = written(steps)
    noted = {json.dumps(each["span"]) for line in content.splitlines() if (each := json.loads(line[8:])).get("span")}
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    found = read(bytes(damaged))
    assert {json.dumps(each) for each in found.spans.values()} <= noted
    assert found.header in ({}, {"format": FORMAT, **HEADER})


@examples
@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_read(content: bytes) -> None:
    assert read(content).spans == {}


def test_a_record_of_another_kind_and_a_span_without_an_id_are_counted(tmp_path: Path) -> None:
    import zlib

    records = [b'{"news":1}', b'{"span":{"name":"fit"}}', b"[1]", b"[" * 100_000]
    content = b"".join(b"%08x%s\n" % (zlib.crc32(each), each) for each in records)
    found = read(content)
    assert (found.spans, found.damaged) == ({}, 4)


def test_a_journal_with_nothing_open_is_as_small_as_at_first(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    writer = JournalWriter(path, HEADER)
    size = path.stat().st_size
    for number in range(1000):
        writer.note(span(f"{number:016x}"))
        writer.done(f"{number:016x}")
    assert path.stat().st_size == size
    writer.note(span("a"))
    writer.close()
    assert list(read(path.read_bytes()).spans) == ["a"]


def test_an_entry_of_many_epochs_does_not_fill_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    writer = JournalWriter(path, HEADER)
    writer.note(span("root", "fit"))
    for number in range(3000):
        writer.note(span(f"{number:016x}", "train_epoch", attributes=["x" * 1000]))
        if number != 7:
            writer.done(f"{number:016x}")
        assert path.stat().st_size < SHORTENED_FROM + 3000
    found = read(path.read_bytes())
    assert list(found.spans) == ["root", f"{7:016x}"]
    assert (found.header["run_id"], found.damaged) == ("made", 0)
    writer.close()


def test_many_open_spans_are_not_written_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    writer = JournalWriter(path, HEADER)
    sizes = []
    for number in range(4000):
        writer.note(span(f"{number:016x}", attributes=["x" * 1000]))
        sizes.append(path.stat().st_size)
    assert sizes == sorted(sizes)
    assert len(read(path.read_bytes()).spans) == 4000
    writer.close()


def test_its_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "journal", HEADER).close()
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600


def test_what_comes_after_the_end_is_ignored(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal", HEADER)
    writer.note(span("a"))
    writer.close()
    writer.note(span("b"))
    writer.close()
    assert list(read((tmp_path / "journal").read_bytes()).spans) == ["a"]


@pytest.mark.parametrize("locked", [False, True])
def test_a_forked_child_lets_go_of_it_also_while_it_is_locked(tmp_path: Path, locked: bool) -> None:
    writer = JournalWriter(tmp_path / "journal", HEADER)
    writer.note(span("a"))
    if locked:
        writer._lock.acquire()
    child = os.fork()
    if child == 0:
        writer.abandon()
        writer.note(span("b"))
        writer.done("a")
        os._exit(0)
    if locked:
        writer._lock.release()
    assert os.waitpid(child, 0)[1] == 0
    writer.note(span("c"))
    assert list(read((tmp_path / "journal").read_bytes()).spans) == ["a", "c"]
    writer.close()
