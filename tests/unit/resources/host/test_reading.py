"""Counters since the opening, and whole files of the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_otel.resources.host.reading import Growth, fields, read, read_or_none
from ocr_otel.resources.readings import series


def test_a_counter_starts_at_its_first_value_and_never_falls() -> None:
    growth, one, other = Growth(), series("a", x=1), series("a", x=2)
    assert [growth(one, value)[1] for value in (1000, 1004, 3, 5)] == [0, 4, 4, 6]
    assert growth(other, 7) == (other, 0)


def test_a_long_file_is_read_whole(tmp_path: Path) -> None:
    content = b"line\n" * 50_000
    (tmp_path / "long").write_bytes(content)
    assert read(str(tmp_path / "long")) == content
    # The kernel gives these in pieces.
    maps = read("/proc/self/maps")
    assert maps.endswith(b"\n")
    assert maps.count(b"\n") > 100


def test_what_cannot_be_read_is_none_or_an_error(tmp_path: Path) -> None:
    assert read_or_none(str(tmp_path / "nothing")) is None
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path / "nothing"))


def test_fields_are_lines_of_a_name_and_a_number() -> None:
    assert fields(b"usage_usec 5\nnot a field\nrchar: 7\nlimit max\n\n") == {"usage_usec": 5, "rchar": 7}
