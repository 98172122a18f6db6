"""A profile is the same after it went through JSON; anything else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_otel.profiling import serial
from ocr_otel.profiling.kineto.analysis import profile_of
from ocr_otel.profiling.profile import WindowProfile
from tests.support.kineto_traces import KINDS, write


@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_comes_back(kind: str, tmp_path: Path) -> None:
    profile = profile_of(write(KINDS[kind](stack=True), tmp_path / "trace.json"))
    text = serial.dumps(profile)
    assert serial.loads(text) == profile
    assert serial.loads(text.encode()) == profile
    assert "\n" not in text
    # It goes through a pipe, and lies beside each trace.
    assert len(text) < 100_000


def test_the_smallest_profile_comes_back() -> None:
    profile = WindowProfile(seconds=0.0)
    assert serial.loads(serial.dumps(profile)) == profile


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"seconds": "long"}', '{"seconds": 1', "Traceback ..."])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - msgspec says where it differs
        serial.loads(text)
