"""A leak is named with its slope; warming up, noise and a jump are not accused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from ocr_otel.resources.leak import ALPHA, MIN_EPOCHS, find_leak

MB = 1 << 20
SEEDS = 300
Floats = npt.NDArray[np.float64]
Shape = Callable[[Floats, np.random.Generator], Floats]


def run(epochs: int, noise: float, shape: Shape, seed: int) -> list[tuple[int, float]]:
    """Return 4 GB of resident memory with noise and a shape over the epochs, both in megabytes."""
    random = np.random.default_rng(seed)
    epoch = np.arange(epochs, dtype=np.float64)
    megabytes = 4000 + random.normal(0, noise, epochs) + shape(epoch, random)
    return [(int(number), float(size * MB)) for number, size in zip(epoch, megabytes, strict=True)]


def share_named(epochs: int, noise: float, shape: Shape) -> float:
    return sum(find_leak(run(epochs, noise, shape, seed)) is not None for seed in range(SEEDS)) / SEEDS


def jump(epoch: Floats, random: np.random.Generator) -> Floats:
    return 200.0 * (epoch >= random.integers(1, len(epoch)))


def leak(epoch: Floats, _: np.random.Generator) -> Floats:
    return 5.0 * epoch


INNOCENT: dict[str, Shape] = {
    "noise": lambda epoch, random: np.zeros_like(epoch),
    "warm-up": lambda epoch, random: 600 * (1 - np.exp(-epoch / 1.2)),
    "slow warm-up": lambda epoch, random: 300 * (1 - np.exp(-epoch / 3)),
    "jump": jump,
    "jump after warm-up": lambda epoch, random: jump(epoch, random) + 300 * (1 - np.exp(-epoch)),
    "sawtooth": lambda epoch, random: 10.0 * (epoch % 4),
    "allocator that wanders": lambda epoch, random: np.cumsum(random.normal(0, 1, len(epoch))),
    "shrinking": lambda epoch, random: -5 * epoch,
}


@pytest.mark.parametrize("epochs", [9, 12, 20, 40])
@pytest.mark.parametrize("name", INNOCENT)
def test_what_is_no_leak_is_seldom_accused(name: str, epochs: int) -> None:
    if name == "slow warm-up":
        # Six megabytes an epoch are still to come at the ninth.
        epochs = max(12, epochs)
    shape = INNOCENT[name]
    assert share_named(epochs, 3.0, shape) <= ALPHA


@pytest.mark.parametrize(
    ("epochs", "noise", "least"), [(9, 0.5, 0.99), (12, 2.0, 0.9), (20, 4.0, 0.95), (60, 8.0, 0.99)]
)
def test_five_megabytes_an_epoch_are_named(epochs: int, noise: float, least: float) -> None:
    assert share_named(epochs, noise, leak) >= least


@pytest.mark.parametrize("seed", range(20))
def test_the_slope_is_that_of_the_leak_also_with_a_jump_and_a_warm_up(seed: int) -> None:
    def shape(epoch: Floats, random: np.random.Generator) -> Floats:
        return leak(epoch, random) + jump(epoch, random) + 300 * (1 - np.exp(-epoch / 1.2))

    found = find_leak(run(30, 2.0, shape, seed))
    assert found is not None
    assert found.slope == pytest.approx(5 * MB, rel=0.15)
    assert found.confidence > 0.95
    assert found.last == 29
    assert found.first >= 2


def test_epochs_that_are_missing_do_not_change_the_slope() -> None:
    values = [(epoch, (4000.0 + 5 * epoch) * MB) for epoch in range(40) if epoch % 3]
    found = find_leak(values)
    assert found is not None
    assert found.slope == pytest.approx(5 * MB)


@pytest.mark.parametrize("epochs", range(MIN_EPOCHS + 2))
def test_a_few_epochs_prove_nothing(epochs: int) -> None:
    assert find_leak([(epoch, 5.0 * MB * epoch) for epoch in range(epochs)]) is None


def test_less_than_a_megabyte_an_epoch_is_drift() -> None:
    assert find_leak([(epoch, 0.5 * MB * epoch) for epoch in range(40)]) is None


def test_constant_memory_is_none() -> None:
    assert find_leak([(epoch, 4e9) for epoch in range(40)]) is None


def test_of_a_long_run_only_the_latest_epochs_count() -> None:
    grown_once = [(epoch, min(epoch, 200) * 5.0 * MB) for epoch in range(400)]
    assert find_leak(grown_once) is None
    grows_now = [(epoch, max(epoch, 330) * 5.0 * MB) for epoch in range(400)]
    found = find_leak(grows_now)
    assert found is not None
    assert found.first >= 400 - 64
