"""The loop waits for data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler, default_collate

from tests.diagnosis.trainings.case import Case, Training
from tests.diagnosis.trainings.learner import Learner
from tests.diagnosis.trainings.meter import Meter
from tests.diagnosis.trainings.nets import ATTENTION, CONVOLUTIONS, LINES, PERCEPTRON, TINY, WIDE, Net
from tests.diagnosis.trainings.planning import Plan
from tests.diagnosis.trainings.samples import Compressed, Samples, Stream, nothing
from tests.diagnosis.trainings.working import burn, wait

KIND = "data"


def slow_dataset(net: Net, share: float, work: Callable[[float], object], workers: int = 0) -> Case:
    """Each sample takes long; with workers so long that they do not keep up."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        # So many workers make that many batches in the time of one.
        seconds = (plan.whole * workers if workers else plan.planted) / net.batch_size
        return Training(
            Learner(net.make(), meter),
            plan.loader(partial(work, seconds), num_workers=workers),
            threads=net.threads,
        )

    how = f"{work.__name__}-{workers}-workers-{share:.0%}"
    return Case(f"dataset-{how}", KIND, share, build)


def slow_collate(net: Net, share: float, workers: int) -> Case:
    """Putting the samples of a batch together takes long."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        seconds = plan.whole * workers if workers else plan.planted

        def collate(samples: list[torch.Tensor]) -> torch.Tensor:
            # Another process that works would take a core from this one, and the share with it.
            (wait if workers else burn)(seconds)
            return default_collate(samples)

        return Training(Learner(net.make(), meter), plan.loader(nothing, num_workers=workers, collate_fn=collate))

    return Case(f"collate-{workers}-workers-{share:.0%}", KIND, share, build)


def compressed_images(net: Net, edge: int, share: float) -> Case:
    """Images are decompressed in the training's own process."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        images = Compressed(plan.batches * net.batch_size, edge, net.sample)
        return Training(Learner(net.make(), meter), DataLoader(images, batch_size=net.batch_size))

    return Case("images-decompressed", KIND, share, build)


def slow_stream(net: Net, share: float) -> Case:
    """A stream without a length delivers slowly."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        stream = Stream(plan.batches * net.batch_size, net.sample, partial(wait, plan.per_sample))
        return Training(Learner(net.make(), meter), DataLoader(stream, batch_size=net.batch_size))

    return Case(f"stream-{share:.0%}", KIND, share, build)


class _Stalling(BatchSampler):
    """Every so many batches the next shard has to come first."""

    def __init__(self, length: int, batch_size: int, every: int, seconds: float) -> None:
        super().__init__(SequentialSampler(range(length)), batch_size, drop_last=True)
        self._every = every
        self._seconds = seconds

    def __iter__(self) -> Iterator[list[int]]:
        for number, batch in enumerate(super().__iter__()):
            if number % self._every == self._every - 1:
                wait(self._seconds)
            yield batch


def stalls(net: Net, share: float, every: int) -> Case:
    """Most batches come at once, every so many a long time is waited."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        length = plan.batches * net.batch_size
        sampler = _Stalling(length, net.batch_size, every, plan.planted * every)
        return Training(Learner(net.make(), meter), DataLoader(Samples(length, net.sample), batch_sampler=sampler))

    return Case(f"stall-every-{every}-batches", KIND, share, build)


CASES = (
    slow_dataset(PERCEPTRON, 0.80, burn),
    slow_dataset(CONVOLUTIONS, 0.35, burn),
    slow_dataset(LINES, 0.50, burn, workers=1),
    slow_dataset(ATTENTION, 0.40, wait),
    slow_dataset(PERCEPTRON, 0.75, wait, workers=2),
    slow_dataset(WIDE, 0.45, wait, workers=2),
    slow_collate(CONVOLUTIONS, 0.50, workers=0),
    slow_collate(LINES, 0.65, workers=1),
    compressed_images(CONVOLUTIONS, 600, 0.55),
    slow_stream(ATTENTION, 0.60),
    stalls(CONVOLUTIONS, 0.45, every=6),
    slow_dataset(TINY, 0.60, burn),
)
