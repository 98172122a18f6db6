"""What is done beside the training is tried again when it fails, and given up when it fails again and again."""

from __future__ import annotations

import threading
import time

import pytest

from ocr_otel.recording import background
from ocr_otel.recording.background import Background
from ocr_otel.telemetry.failures import MAX_FAILURES

INTERVAL = 0.01


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "INTERVAL_SECONDS", INTERVAL)


class Work:
    """Is called, and fails in each call whose number does not divide by `every`."""

    def __init__(self, every: int) -> None:
        self.calls = 0
        self._every = every

    def __call__(self) -> None:
        self.calls += 1
        if self.calls % self._every:
            raise RuntimeError("planted")


@pytest.mark.timeout(30)
def test_a_part_that_fails_in_a_row_is_off_is_said_once_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    always, now_and_then, never = Work(10**9), Work(MAX_FAILURES), Work(1)
    failures: list[str] = []
    works = {"always": always, "now and then": now_and_then, "never": never}
    made = Background(works, lambda part, error: failures.append(part))
    made.start()
    while never.calls < 12:
        time.sleep(INTERVAL)
    made.stop(5.0)
    assert always.calls == failures.count("always") == MAX_FAILURES
    assert now_and_then.calls >= 11
    assert "never" not in failures
    assert [record.getMessage() for record in caplog.records] == [
        "ocr_otel: always failed 3 times and is off for the rest of this run, which is recorded without it: "
        "RuntimeError: planted"
    ]


@pytest.mark.timeout(30)
def test_its_thread_ends_when_nothing_is_left_to_do_and_the_next_entry_has_a_new_one() -> None:
    always = Work(10**9)
    made = Background({"always": always}, lambda part, error: None)
    for entry in (1, 2):
        before = threading.enumerate()
        made.start()
        (thread,) = [each for each in threading.enumerate() if each not in before]
        thread.join(20)
        assert not thread.is_alive()
        made.stop(5.0)
        assert always.calls == entry * MAX_FAILURES


@pytest.mark.timeout(30)
def test_who_ends_it_waits_no_longer_than_said() -> None:
    released = threading.Event()
    held = threading.Event()

    def hang() -> None:
        held.set()
        released.wait(20)

    made = Background({"hangs": hang}, lambda part, error: None)
    made.start()
    assert held.wait(20)
    began = time.monotonic()
    made.stop(0.2)
    assert 0.15 < time.monotonic() - began < 5
    released.set()
