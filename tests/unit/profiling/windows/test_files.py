"""Trace files: compressed, bounded in size, the newest stays."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from ocr_otel.profiling.windows.files import PROFILE_SUFFIX, TRACE_SUFFIX, TraceFiles


def written(files: TraceFiles, number: int, size: int) -> str:
    name = files.new_name("periodic")
    scratch = files.scratch(name)
    scratch.write_bytes(os.urandom(size))
    path = files.compress(scratch, name)
    os.utime(path, ns=(number, number))
    files.write_profile(name, "{}")
    return name


def test_the_trace_is_what_was_written(tmp_path: Path) -> None:
    files = TraceFiles(tmp_path, 3, 10**9)
    scratch = files.scratch("3-001-periodic")
    scratch.write_bytes(b"trace" * 1000)
    path = files.compress(scratch, "3-001-periodic")
    assert path == tmp_path / "profiles" / ("3-001-periodic" + TRACE_SUFFIX)
    assert gzip.decompress(path.read_bytes()) == b"trace" * 1000


def test_another_entry_takes_no_name_that_is_given(tmp_path: Path) -> None:
    first = TraceFiles(tmp_path, 0, 10**9)
    names = [written(first, 1, 10), first.new_name("start"), written(first, 2, 10), first.new_name("start")]
    assert names == ["0-001-periodic", "0-002-start", "0-003-periodic", "0-004-start"]
    # The last of them is not written yet.
    again = TraceFiles(tmp_path, 0, 10**9)
    assert [again.new_name("anomaly"), again.new_name("start")] == ["0-005-anomaly", "0-006-start"]
    assert TraceFiles(tmp_path, 10, 10**9).new_name("start") == "10-001-start"


def test_another_attempt_takes_no_name_that_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = TraceFiles(tmp_path, 0, 10**9)
    written(first, 1, 10)
    written(first, 2, 10)
    # A process that knows nothing of the one before.
    monkeypatch.setattr("ocr_otel.profiling.windows.files._given", {})
    assert TraceFiles(tmp_path, 0, 10**9).new_name("anomaly") == "0-003-anomaly"


def test_the_oldest_go_first_with_what_lies_beside_them(tmp_path: Path) -> None:
    files = TraceFiles(tmp_path, 0, 25_000)
    names = [written(files, number, 10_000) for number in (1, 2, 3)]
    assert files.make_room() == names[:1]
    left = sorted(path.name for path in (tmp_path / "profiles").glob("*" + TRACE_SUFFIX))
    assert left == [name + TRACE_SUFFIX for name in names[1:]]
    assert not (tmp_path / "profiles" / (names[0] + PROFILE_SUFFIX)).exists()
    assert (tmp_path / "profiles" / (names[1] + PROFILE_SUFFIX)).exists()


def test_the_newest_stays_however_large(tmp_path: Path) -> None:
    files = TraceFiles(tmp_path, 0, 1_000_000)
    written(files, 1, 600_000)
    name = written(files, 2, 3_000_000)
    files.make_room()
    assert [path.name for path in (tmp_path / "profiles").glob("*" + TRACE_SUFFIX)] == [name + TRACE_SUFFIX]
