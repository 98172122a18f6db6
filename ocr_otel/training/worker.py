"""What runs inside a dataloader's worker process: time the dataset and `collate_fn`, send it home with the batch.

Imported by spawned workers, so it knows nothing but torch and the standard library.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import perf_counter_ns, thread_time_ns
from typing import Any, Final

from torch.utils.data import get_worker_info
from torch.utils.data._utils.pin_memory import pin_memory
from torch.utils.data.dataloader import _DatasetKind

MAX_WRAPPERS: Final = 8
"""How deep a dataset's own cache counters are looked for behind wrappers such as `Subset`."""

Timing = tuple[int, int, int, int, int, int, int | None, int | None, int]
"""Worker id, pid, start, start of collate, end (monotonic ns), samples, cache hits, cache misses, CPU ns of the thread
until the start of collate; -1 where that was not asked."""

CPU_TIME_EVERY_NS: Final = 10_000_000
"""A thread's CPU time is a system call, and two of them are 1 % of a batch of half a millisecond: it is asked at
most so often."""


class Envelope:
    """A batch on its way from a worker, with the times that it took to make it.

    The iterator in the training process takes the batch out before anybody sees it.
    """

    __slots__ = ("batch", "timing")

    def __init__(self, batch: Any, timing: Timing) -> None:
        self.batch: Any = batch
        self.timing: Timing = timing

    def pin_memory(self) -> Envelope:
        """Called by torch's pinning thread in place of walking into the batch."""
        return Envelope(pin_memory(self.batch), self.timing)


class TimedFetcher:
    """Wraps a dataset fetcher of torch: the same batches, and the times of the last one."""

    def __init__(self, fetcher: Any, worker_id: int) -> None:
        self._fetcher = fetcher
        self._worker_id = worker_id
        self._collate = fetcher.collate_fn
        self._batched = bool(getattr(fetcher, "auto_collation", False))
        self._samples = 0
        self._collate_began = 0
        self._collate_began_cpu = -1
        self._cpu_asked = 0
        self._counters = _cache_counters(fetcher.dataset)
        self._before = self._counts()
        self._pid = os.getpid()
        self.timing: Timing | None = None
        fetcher.collate_fn = self._timed_collate

    def fetch(self, possibly_batched_index: Any) -> Any:
        """Make a batch; its times are in `timing`. What the dataset raises passes through."""
        self.timing = None
        start = self._collate_began = perf_counter_ns()
        start_cpu = self._collate_began_cpu = -1
        if start - self._cpu_asked >= CPU_TIME_EVERY_NS:
            self._cpu_asked = start
            start_cpu = self._collate_began_cpu = thread_time_ns()
        self._samples = len(possibly_batched_index) if isinstance(possibly_batched_index, (list, tuple)) else 1
        batch = self._fetcher.fetch(possibly_batched_index)
        end = perf_counter_ns()
        hits = misses = None
        if self._counters is not None:
            try:
                hits, misses = self._new_counts()
            except Exception:
                # Attributes of the user's, which may do anything when they are asked for.
                self._counters = None
        cpu = self._collate_began_cpu - start_cpu if start_cpu >= 0 else -1
        self.timing = (self._worker_id, self._pid, start, self._collate_began, end, self._samples, hits, misses, cpu)
        return batch

    def _timed_collate(self, samples: Any) -> Any:
        self._collate_began = perf_counter_ns()
        if self._collate_began_cpu >= 0:
            self._collate_began_cpu = thread_time_ns()
        if self._batched and isinstance(samples, list):
            # The last batch of a stream holds fewer than were asked for.
            self._samples = len(samples)
        return self._collate(samples)

    def _new_counts(self) -> tuple[int | None, int | None]:
        before, self._before = self._before, self._counts()
        hits, misses = (
            None if was is None or now is None else now - was for was, now in zip(before, self._before, strict=True)
        )
        return hits, misses

    def _counts(self) -> tuple[int | None, int | None]:
        return _count(self._counters, "cache_hits"), _count(self._counters, "cache_misses")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fetcher, name)


class SendingFetcher(TimedFetcher):
    """In a worker: sends each batch in an envelope."""

    def fetch(self, possibly_batched_index: Any) -> Envelope:
        """Make a batch and put it into an envelope."""
        batch = super().fetch(possibly_batched_index)
        assert self.timing is not None
        return Envelope(batch, self.timing)


class ReportingFetcher(TimedFetcher):
    """In the training process: reports each batch's times at once.

    Args:
        fetcher: The fetcher of torch.
        receiver: Its attribute `sink` takes the times.
    """

    def __init__(self, fetcher: Any, receiver: Any) -> None:
        super().__init__(fetcher, -1)
        self._receiver = receiver

    def fetch(self, possibly_batched_index: Any) -> Any:
        """Make a batch and report its times."""
        batch = super().fetch(possibly_batched_index)
        self._receiver.sink(self.timing)
        return batch


class WorkerInit:
    """Stands in for a loader's `worker_init_fn`: calls the user's, then lets this worker's fetchers be timed."""

    def __init__(self, worker_init_fn: Callable[[int], Any] | None) -> None:
        self._worker_init_fn = worker_init_fn

    def __call__(self, worker_id: int) -> None:
        """Runs in the worker, before its fetcher is made."""
        if self._worker_init_fn is not None:
            self._worker_init_fn(worker_id)
        create: Any = _DatasetKind.create_fetcher

        def create_timed(*args: Any, **kwargs: Any) -> Any:
            fetcher = create(*args, **kwargs)
            info = get_worker_info()
            try:
                return SendingFetcher(fetcher, worker_id if info is None else info.id)
            except Exception:
                return fetcher

        setattr(_DatasetKind, "create_fetcher", staticmethod(create_timed))  # noqa: B010  (mypy: a method)


def _cache_counters(dataset: Any) -> Any:
    for _ in range(MAX_WRAPPERS):
        if _count(dataset, "cache_hits") is not None or _count(dataset, "cache_misses") is not None:
            return dataset
        dataset = getattr(dataset, "dataset", None)
        if dataset is None:
            break
    return None


def _count(dataset: Any, name: str) -> int | None:
    value = getattr(dataset, name, None) if dataset is not None else None
    return value if isinstance(value, int) else None
