"""The wait for other ranks, seen around a real DistributedDataParallel in a group of one rank, which waits little."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from ocr_otel.ranks import Synchronisations
from ocr_otel.recording import journal as parts
from ocr_otel.recording.journal import EXIT, Journal, TimedContext
from ocr_otel.training.collectives import CollectivesSeam


class Contexts:
    """Those of the profiler seam that collectives need, over a journal of their own."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.synchronisation = TimedContext(self.journal, parts.COMMUNICATION)

    def communication(self, name: str) -> TimedContext:
        return TimedContext(self.journal, parts.COMMUNICATION, name)


class Strategy:
    """A strategy of Lightning's, as far as it is seen."""

    def __init__(self) -> None:
        self.model = DistributedDataParallel(torch.nn.Linear(3, 1))
        self.precision_plugin = SimpleNamespace(backward=lambda loss, *_: loss.backward())
        self.asked: list[str] = []

    def barrier(self, name: str | None = None) -> None:
        self.asked.append("barrier")

    def reduce(self, tensor: Any, **_: Any) -> Any:
        self.barrier()
        return tensor

    def step(self) -> None:
        self.precision_plugin.backward(self.model(torch.ones(2, 3)).sum(), None, None)


@pytest.fixture
def strategy() -> Iterator[Strategy]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield Strategy()
    dist.destroy_process_group()


class Seen:
    def __init__(self, strategy: Strategy) -> None:
        self.contexts = Contexts()
        self.synchronisations = Synchronisations()
        self.failures: list[str] = []
        self.seam = CollectivesSeam(
            strategy,
            self.contexts,
            self.synchronisations,
            lambda cause, error: self.failures.append(f"{cause} {error}"),
        )
        self.seam.training_begins()

    @property
    def intervals(self) -> int:
        codes = list(self.contexts.journal.codes)
        entered = [code for code in codes if not code & EXIT]
        assert sorted(entered) == sorted(code & ~EXIT for code in codes if code & EXIT)
        return len(entered)


def test_each_backward_pass_is_a_synchronisation(strategy: Strategy) -> None:
    seen = Seen(strategy)
    for _ in range(3):
        strategy.step()
    part = seen.synchronisations.take()
    assert part.first == 0
    assert len(part.waits) == 3
    assert (part.waits >= 0).all()
    assert seen.intervals == 3
    assert seen.failures == []


def test_accumulated_gradients_are_none(strategy: Strategy) -> None:
    seen = Seen(strategy)
    with strategy.model.no_sync():
        strategy.step()
    strategy.step()
    assert len(seen.synchronisations.take().waits) == 1
    assert seen.intervals == 1


def test_the_wait_in_other_collectives_counts_once_for_the_next(strategy: Strategy, monkeypatch: Any) -> None:
    def slow(name: str | None = None) -> None:
        import time

        time.sleep(0.05)

    monkeypatch.setattr(strategy, "barrier", slow)
    seen = Seen(strategy)
    strategy.reduce(torch.ones(1))
    strategy.step()
    strategy.step()
    waits = seen.synchronisations.take().waits / 1e9
    assert 0.05 <= waits[0] < 0.09
    assert waits[1] < 0.04


def test_what_another_thread_exchanges_is_not_the_trainings_wait(strategy: Strategy) -> None:
    seen = Seen(strategy)
    thread = threading.Thread(target=strategy.barrier)
    thread.start()
    thread.join(10)
    assert strategy.asked == ["barrier"]
    assert seen.intervals == 0


def test_a_backward_pass_that_fails_leaves_nothing_open(strategy: Strategy) -> None:
    seen = Seen(strategy)
    loss = strategy.model(torch.ones(2, 3)).sum()

    def fail(_: Any) -> None:
        raise ValueError("planted")

    strategy.model.module.weight.register_hook(fail)
    with pytest.raises(ValueError, match="planted"):
        strategy.precision_plugin.backward(loss, None, None)
    assert seen.intervals == 0
    assert seen.failures == []


@pytest.mark.timeout(120)
def test_compiled_backward_passes_are_left_alone(strategy: Strategy) -> None:
    compiled_autograd = pytest.importorskip("torch._dynamo.compiled_autograd")
    seen = Seen(strategy)
    with compiled_autograd._enable(torch.compile(backend="eager")):
        loss = torch.nn.Linear(3, 1)(torch.ones(2, 3)).sum()
        strategy.precision_plugin.backward(loss, None, None)
    assert len(seen.synchronisations.take().waits) == 0
    assert seen.failures == []


def test_afterwards_all_is_as_it_was(strategy: Strategy) -> None:
    backward = strategy.precision_plugin.backward
    own = set(vars(strategy))
    Seen(strategy).seam.remove()
    assert set(vars(strategy)) == own
    assert strategy.precision_plugin.backward is backward


def test_a_loss_without_a_gradient_is_the_users_own_error(strategy: Strategy) -> None:
    seen = Seen(strategy)
    with pytest.raises(RuntimeError, match="does not require grad"):
        strategy.precision_plugin.backward(torch.ones(()), None, None)
    assert len(seen.failures) == 1
