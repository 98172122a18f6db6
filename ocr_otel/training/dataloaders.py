"""The training process's side of the dataloader: takes the workers' times, hands the batches on untouched."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from torch.utils.data import DataLoader

from ocr_otel.recording.journal import Timing
from ocr_otel.training.worker import Envelope, ReportingFetcher, WorkerInit
from ocr_otel.training.wrapping import is_own, unset

Sink = Callable[[Timing], None]


class DataLoaderSeam:
    """Times what the dataloaders of one Trainer do.

    Only loaders that make their iterator as `torch.utils.data.DataLoader` does are touched; of any other only the
    wait is known.

    Args:
        sink: Takes each batch's times, in the order in which the loop gets the batches.
        worker_ids: Gets the worker's id for the pid of each that is started.
        started: Told each time when a loader has made its iterator: the loader and the nanoseconds that took.
        failed: Takes a failure with its cause.
    """

    def __init__(
        self,
        sink: Sink,
        worker_ids: dict[int, int],
        started: Callable[[object, int], None] | None = None,
        failed: Callable[[str, Exception], None] | None = None,
    ) -> None:
        self.sink: Sink = sink
        self._worker_ids = worker_ids
        self._failed = failed
        self._started = started
        # Weakly: a Trainer that loads anew for each epoch drops the old loaders, with their datasets and workers.
        self._loaders: list[weakref.ref[DataLoader[Any]]] = []

    def install(self, loader: object) -> None:
        """Let the iterators that a loader makes from now on be timed."""
        if not isinstance(loader, DataLoader) or type(loader)._get_iterator is not DataLoader._get_iterator:
            return
        if is_own(loader, "_get_iterator"):
            return
        loader._get_iterator = _TimedIterators(self, loader)  # type: ignore[method-assign]
        self._loaders = [each for each in self._loaders if each() is not None]
        self._loaders.append(weakref.ref(loader))

    def remove(self) -> None:
        """Leave all loaders as they were; iterators that live on go on unwrapping, into nothing."""
        self.sink = _nowhere
        for each in self._loaders:
            loader = each()
            if loader is not None:
                unset(loader, "_get_iterator")
        self._loaders.clear()

    def iterator(self, loader: DataLoader[Any]) -> Any:
        """Make a loader's iterator, timed."""
        before = perf_counter_ns()
        iterator = self._make(loader)
        took = perf_counter_ns() - before
        try:
            if self._started is not None:
                self._started(loader, took)
            for number, worker in enumerate(getattr(iterator, "_workers", ())):
                self._worker_ids[worker.pid] = number
        except Exception as error:
            self._fail(error)
        return iterator

    def _make(self, loader: DataLoader[Any]) -> Any:
        if loader.num_workers == 0:
            iterator: Any = DataLoader._get_iterator(loader)
            try:
                iterator._dataset_fetcher = ReportingFetcher(iterator._dataset_fetcher, self)
            except Exception as error:
                self._fail(error)
            return iterator
        worker_init_fn = loader.worker_init_fn
        loader.worker_init_fn = WorkerInit(worker_init_fn)
        try:
            iterator = DataLoader._get_iterator(loader)
        finally:
            loader.worker_init_fn = worker_init_fn
        self._unwrap(iterator)
        return iterator

    def _fail(self, error: Exception) -> None:
        if self._failed is not None:
            self._failed("dataloader", error)

    def _unwrap(self, iterator: Any) -> None:
        # Without a strong reference to the iterator: a cycle would leave it to the garbage collector, which may run in
        # any thread; its destructor waits for the workers to end.
        reference = weakref.ref(iterator)
        next_data = type(iterator)._next_data

        def next_batch() -> Any:
            data = next_data(reference())
            if type(data) is Envelope:
                self.sink(data.timing)
                return data.batch
            return data

        iterator._next_data = next_batch


def _nowhere(timing: Timing) -> None:
    """Where the times of loaders go that outlive their Trainer's run."""


class _TimedIterators:
    """A loader's `_get_iterator`. A copy belongs to the copied loader; a pickled one makes plain iterators."""

    def __init__(self, seam: DataLoaderSeam | None, loader: DataLoader[Any]) -> None:
        self._seam = seam
        # It hangs on the loader: a strong reference were a cycle, and would leave the workers of a persistent one that
        # nobody needs any more to the garbage collector.
        self._loader = weakref.ref(loader)

    def __call__(self) -> Any:
        loader = self._of()
        return DataLoader._get_iterator(loader) if self._seam is None else self._seam.iterator(loader)

    def __deepcopy__(self, memo: dict[int, Any]) -> _TimedIterators:
        loader = self._of()
        return _TimedIterators(None, memo.get(id(loader), loader))

    def __reduce__(self) -> tuple[Any, ...]:
        return _TimedIterators, (None, self._of())

    def _of(self) -> DataLoader[Any]:
        loader = self._loader()
        assert loader is not None
        return loader
