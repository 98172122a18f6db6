"""Communication: whose time it is, which rank is named, and what is advised on it."""

from __future__ import annotations

from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.diagnosis import Diagnosis
from ocr_otel.profiling.profile import Communication, Device, Host, WindowProfile
from ocr_otel.semconv import Phase
from tests.unit.diagnosis.observing import ON_CPU, ON_GPU, diagnosed

COMPARED: dict[str, Any] = {semconv.RANKS_COMPARED: 8, semconv.SYNCHRONISATIONS: 1000}
WAITING = {"forward": 30.0, "backward": 30.0, "communication": 30.0}
"""Of a thousand batches: 30 ms each."""


def straggler(rank: int = 3, delay: float = 0.028, phase: str = "fetch") -> dict[str, Any]:
    return COMPARED | {
        semconv.STRAGGLER_RANK: rank,
        semconv.STRAGGLER_RATIO: 0.93,
        semconv.STRAGGLER_SECONDS: delay,
        semconv.STRAGGLER_PHASE: phase,
    }


def test_the_rank_that_all_wait_for_is_named_with_its_phase_and_numbers() -> None:
    found = diagnosed(WAITING, ON_CPU | straggler()).verdict
    assert found.summary == (
        "The training waited for other ranks and their gradients 30% of the time: rank 3 arrives 28 ms after the "
        "others; it spends more in fetch."
    )
    assert [(each.value, each.source) for each in found.evidence[2:]] == [
        ("at 93% of the steps", semconv.STRAGGLER_RATIO),
        ("28 ms in three of four steps at least", semconv.STRAGGLER_SECONDS),
    ]


@pytest.mark.parametrize(
    ("rank", "phase", "advised", "not_advised"),
    [
        (3, "fetch", "On rank 3 look at its shard", "usual"),
        (3, "forward", "a GPU whose clock is held down", "shard ("),
        (3, "backward", "a GPU whose clock is held down", "shard ("),
        (3, "optimizer", "another job", "shard ("),
        (1, "callbacks", "loggers and checkpoints that run on this rank alone", "usual"),
        (1, "loop", "logged and written on this rank alone", "usual"),
        (3, "", "compare its phases with the others'", "shard"),
        (3, "a phase of a later version", "compare its phases with the others'", "shard"),
    ],
)
def test_advice_is_about_the_phase_in_which_the_rank_is_late(
    rank: int, phase: str, advised: str, not_advised: str
) -> None:
    advice = diagnosed(WAITING, ON_GPU | straggler(rank, phase=phase)).verdict.advice
    assert advised in advice
    assert f"rank {rank}" in advice
    assert not_advised not in advice


def test_without_a_gpu_a_slow_rank_is_not_said_to_have_a_hot_one() -> None:
    advice = diagnosed(WAITING, ON_CPU | straggler(phase="forward")).verdict.advice
    assert "CPUs" in advice
    assert "GPU" not in advice


@pytest.mark.parametrize(
    "known",
    [
        # 5 ms of 30: the rest is the exchange.
        straggler(delay=0.005),
        # Rank 0 alone compares: what it waits for when it is itself the last is no rank.
        straggler(rank=0),
    ],
)
def test_a_rank_that_explains_little_of_the_time_is_not_blamed_for_it(known: dict[str, Any]) -> None:
    found = diagnosed(WAITING, ON_CPU | known).verdict
    assert found.summary.endswith("30% of the time.")
    assert "overlap" in found.advice


def test_where_all_were_compared_and_none_is_late_it_says_so() -> None:
    assert "no rank stands out" in diagnosed(WAITING, ON_CPU | COMPARED).verdict.summary
    assert "stands out" not in diagnosed(WAITING, ON_CPU).verdict.summary


def window(device: float | None, host: float = 0.0) -> WindowProfile:
    """A window of a second with so many seconds of exposed communication on a device, or on the host."""
    made = Device(busy=0.95, computing=0.5, exposed_communication=device) if device is not None else None
    collective = Communication("all_reduce", 3, 2**24, host or 0.4, 0.0)
    return WindowProfile(seconds=1.0, batches=(0.25,) * 4, host=Host(), device=made, communication=(collective,))


@pytest.mark.parametrize(
    ("seconds", "known", "shown", "share"),
    [
        # The device's collectives lie in the host's backward.
        ({"forward": 30.0, "backward": 60.0}, ON_GPU, window(0.3), 0.3),
        # All batches tell more than those of a window.
        (WAITING, ON_CPU, window(None, host=0.2), 0.3),
    ],
)
def test_the_larger_of_phase_and_window_is_at_stake(
    seconds: dict[str, float], known: dict[str, Any], shown: WindowProfile, share: float
) -> None:
    assert _communication(diagnosed(seconds, known, shown)) == pytest.approx(share)


def test_a_window_names_the_late_rank_too() -> None:
    found = diagnosed({"forward": 30.0, "backward": 60.0}, ON_GPU | straggler(phase="forward"), window(0.3)).verdict
    assert "exchanged data" in found.summary
    assert "on rank 3 look at a GPU" in found.advice
    assert semconv.STRAGGLER_RATIO in [each.source for each in found.evidence]


def _communication(found: Diagnosis) -> float:
    return next(cause.share for cause in found.causes if cause.kind == Phase.COMMUNICATION)
