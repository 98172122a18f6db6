"""Batches travel in envelopes that nobody sees."""

import copy
import gc
import pickle
import weakref

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

from ocr_otel.recording.batch_trace import WorkerTiming
from ocr_otel.training.dataloaders import DataLoaderSeam
from ocr_otel.training.worker import Envelope, WorkerInit


class Counting(Dataset):
    """Counts its cache."""

    def __init__(self) -> None:
        self.cache_hits = 0

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        self.cache_hits += 1
        return index


class Stream(IterableDataset):
    """Ten samples, whose number nobody knows before."""

    def __iter__(self):
        return iter(range(10))


class Broken(Dataset):
    """Fails at its fifth sample."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        if index == 4:
            raise OSError("cannot read sample")
        return index


def timed(loader: DataLoader) -> tuple[list, list[WorkerTiming]]:
    timings: list = []
    seam = DataLoaderSeam(timings.append, {})
    seam.install(loader)
    batches = list(loader)
    seam.remove()
    return batches, [WorkerTiming(*each) for each in timings]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_batches_are_those_of_an_untouched_loader(workers: int) -> None:
    def loader() -> DataLoader:
        return DataLoader(TensorDataset(torch.arange(20)), batch_size=3, num_workers=workers)

    expected = [batch[0].tolist() for batch in loader()]
    batches, timings = timed(loader())
    assert [batch[0].tolist() for batch in batches] == expected
    assert all(type(batch) is list for batch in batches)
    assert [timing.samples for timing in timings] == [3] * 6 + [2]
    assert all(timing.start <= timing.collate <= timing.end for timing in timings)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_last_batch_of_a_stream_holds_what_was_left(workers: int) -> None:
    batches, timings = timed(DataLoader(Stream(), batch_size=4, num_workers=workers))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    assert [timing.samples for timing in timings] == [4, 4, 2]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_that_a_dataset_makes_itself_are_one_item_each(workers: int) -> None:
    _, timings = timed(DataLoader([[1, 2, 3], [4, 5, 6]], batch_size=None, num_workers=workers))
    assert [timing.samples for timing in timings] == [1, 1]


@pytest.mark.parametrize("workers", [0, 1])
def test_cache_counters_are_found_behind_a_subset(workers: int) -> None:
    _, timings = timed(DataLoader(Subset(Counting(), range(8)), batch_size=4, num_workers=workers))
    assert [timing.cache_hits for timing in timings] == [4, 4]
    assert [timing.cache_misses for timing in timings] == [None, None]


@pytest.mark.parametrize("workers", [0, 1])
def test_what_the_dataset_raises_arrives_unchanged(workers: int) -> None:
    with pytest.raises(OSError, match="cannot read sample"):
        timed(DataLoader(Broken(), batch_size=2, num_workers=workers))


def test_a_loader_is_left_as_it_was() -> None:
    loader = DataLoader(TensorDataset(torch.arange(8)), num_workers=1, worker_init_fn=print)
    before = dict(vars(loader))
    timed(loader)
    assert vars(loader) == before


def test_an_iterator_that_outlives_the_seam_still_gives_plain_batches() -> None:
    timings: list = []
    seam = DataLoaderSeam(timings.append, {})
    loader = DataLoader(TensorDataset(torch.arange(8)), batch_size=2, num_workers=1, persistent_workers=True)
    seam.install(loader)
    iterator = iter(loader)
    next(iterator)
    seam.remove()
    assert all(type(batch) is list for batch in iterator)
    assert all(type(batch) is list for batch in loader)
    assert len(timings) == 1


@pytest.mark.parametrize("persistent", [False, True])
def test_a_loader_that_nobody_needs_any_more_is_gone_with_its_workers_at_once(persistent: bool) -> None:
    # A Trainer with `reload_dataloaders_every_n_epochs` makes new ones for each epoch.
    seam = DataLoaderSeam(lambda timing: None, {})
    loader = DataLoader(TensorDataset(torch.arange(8)), num_workers=1, persistent_workers=persistent)
    seam.install(loader)
    iterator = iter(loader)
    next(iterator)
    (worker,) = iterator._workers
    gone = weakref.ref(loader)
    gc.disable()
    try:
        del loader, iterator
        assert gone() is None
        assert not worker.is_alive()
    finally:
        gc.enable()
    other = DataLoader(TensorDataset(torch.arange(8)))
    seam.install(other)
    assert len(seam._loaders) == 1
    seam.remove()
    assert "_get_iterator" not in vars(other)


def test_a_copied_and_a_pickled_loader_are_plain_loaders_of_their_own() -> None:
    loader = DataLoader(TensorDataset(torch.arange(4)), batch_size=2)
    timings: list = []
    DataLoaderSeam(timings.append, {}).install(loader)
    for other in (copy.deepcopy(loader), pickle.loads(pickle.dumps(loader))):
        other.dataset.tensors[0][:] = 9
        assert [batch[0].tolist() for batch in other] == [[9, 9], [9, 9]]
    assert not timings
    assert [batch[0].tolist() for batch in loader] == [[0, 1], [2, 3]]


def test_a_loader_with_an_iterator_of_its_own_is_not_touched() -> None:
    class Custom(DataLoader):
        def _get_iterator(self):
            return iter([1, 2])

    batches, timings = timed(Custom(TensorDataset(torch.arange(4))))
    assert (batches, timings) == ([1, 2], [])


def test_an_envelope_pins_what_is_inside() -> None:
    class Pinnable:
        pinned = False

        def pin_memory(self):
            self.pinned = True
            return self

    envelope = Envelope(Pinnable(), (0, 0, 0, 0, 0, 0, None, None, 0)).pin_memory()
    assert envelope.batch.pinned


def test_the_worker_side_needs_no_opentelemetry() -> None:
    import subprocess
    import sys

    code = "import sys, ocr_otel.training.worker; print([m for m in sys.modules if m.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
    assert pickle.loads(pickle.dumps(WorkerInit(print)))
