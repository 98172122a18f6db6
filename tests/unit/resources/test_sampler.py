"""The sampler reads at its rate, survives what its sources do, and ends when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

import pytest

from ocr_otel.resources import sampler as samplers
from ocr_otel.resources.readings import Reading, Unavailable, series
from ocr_otel.resources.sampler import STOP_SECONDS, Hangs, Sampler
from ocr_otel.resources.timeline import Timeline
from ocr_otel.telemetry.failures import MAX_FAILURES

VALUE = series("m")


class Counting:
    """A source that counts how often it is read, and does something then."""

    def __init__(self, name: str = "counting", do: Callable[[int], None] = lambda number: None) -> None:
        self.name = name
        self.reads = 0
        self.opened = 0
        self.closed = 0
        self._do = do

    def open(self) -> None:
        self.opened += 1

    def read(self) -> Iterable[Reading]:
        self.reads += 1
        self._do(self.reads)
        yield series("m", source=self.name), self.reads

    def close(self) -> None:
        self.closed += 1


class Absent(Counting):
    def open(self) -> None:
        raise Unavailable("there is none")


def sampler_of(*sources: Counting, interval: float = 0.02) -> tuple[Sampler, Timeline, list[tuple[str, Exception]]]:
    timeline = Timeline()
    failures: list[tuple[str, Exception]] = []
    made = Sampler("test", sources, interval, timeline, lambda cause, error: failures.append((cause, error)))
    return made, timeline, failures


def test_it_reads_at_once_then_at_its_rate_and_a_last_time_at_the_end() -> None:
    source = Counting()
    sampler, timeline, failures = sampler_of(source, interval=0.1)
    sampler.start()
    time.sleep(0.35)
    before = source.reads
    sampler.stop()
    assert before in (3, 4, 5)
    assert source.reads == before + 1
    assert (source.opened, source.closed) == (1, 1)
    assert timeline.latest("m", 0)[0][1] == source.reads
    assert not failures
    assert 0 < sampler.cpu_ns < 0.2e9
    assert not [thread for thread in threading.enumerate() if thread.name == "ocr_otel-test"]


def test_it_may_be_started_again() -> None:
    source = Counting()
    sampler, _, _ = sampler_of(source)
    for _ in range(2):
        sampler.start()
        sampler.stop()
    assert (source.opened, source.closed) == (2, 2)
    assert source.reads >= 2


def test_what_is_not_there_is_left_out_without_a_failure() -> None:
    absent, there = Absent(), Counting()
    sampler, _, failures = sampler_of(absent, there)
    sampler.start()
    sampler.stop()
    assert absent.reads == 0
    assert absent.closed == 1
    assert there.reads
    assert not failures


def test_a_source_that_fails_now_and_then_is_kept_and_one_that_always_does_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def now_and_then(number: int) -> None:
        if number % 3 == 0:
            raise OSError("now and then")

    def always(number: int) -> None:
        raise ValueError("always")

    some, all_ = Counting("some", now_and_then), Counting("all", always)
    sampler, _, failures = sampler_of(some, all_)
    sampler.start()
    time.sleep(0.3)
    sampler.stop()
    assert all_.reads == MAX_FAILURES
    assert all_.closed == 1
    assert some.reads > 5
    assert {cause for cause, _ in failures} == {"some", "all"}
    assert [record.getMessage() for record in caplog.records] == [
        "ocr_otel: all failed 3 times and is off for the rest of this run, which is recorded without it: "
        "ValueError: always"
    ]


@pytest.mark.timeout(30)
def test_a_thread_that_fails_itself_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sampler, timeline, failures = sampler_of(Counting())

    def tick(opened: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(sampler, "_tick", tick)
    sampler.start()
    sampler.stop()
    assert [(cause, str(error)) for cause, error in failures] == [("test", "planted")]
    assert timeline.latest("m", 0) == []


@pytest.mark.timeout(30)
def test_a_reading_that_hangs_holds_nobody_up_and_is_told_once(monkeypatch) -> None:
    monkeypatch.setattr(samplers, "HANGS_AFTER_NS", 100_000_000)
    released = threading.Event()
    source = Counting("driver", lambda number: released.wait(20) and None)
    sampler, timeline, failures = sampler_of(source)
    sampler.start()
    time.sleep(0.2)
    sampler.watch()
    begun = time.monotonic()
    sampler.stop()
    sampler.watch()
    assert time.monotonic() - begun < STOP_SECONDS + 0.5
    ((cause, error),) = failures
    assert cause == "driver"
    assert isinstance(error, Hangs)
    assert timeline.latest("m", 0) == []
    # While it hangs, no second thread goes into the same driver.
    sampler.start()
    assert source.opened == 1
    released.set()


@pytest.mark.timeout(30)
def test_a_reading_that_comes_back_when_it_is_looked_at_did_not_hang(monkeypatch) -> None:
    monkeypatch.setattr(samplers, "HANGS_AFTER_NS", 100_000_000)
    released = threading.Event()
    sampler, _, failures = sampler_of(Counting("driver", lambda number: released.wait(20) and None))
    # As after a machine that stood still: who looks is awake first.
    monkeypatch.setattr(samplers, "sleep", lambda seconds: (released.set(), time.sleep(seconds)))
    sampler.start()
    time.sleep(0.2)
    sampler.watch()
    sampler.stop()
    assert failures == []
