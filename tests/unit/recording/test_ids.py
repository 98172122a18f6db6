"""Ids of batches are derived; all others leave the training's random numbers alone."""

import random
from concurrent.futures import ThreadPoolExecutor

from ocr_otel.recording.ids import PresetIds
from ocr_otel.watchdog.batch_ids import batch_span_id, batch_trace_id


def test_all_ranks_agree_on_a_trace_and_differ_in_their_spans() -> None:
    trace = batch_trace_id("run", 0, 2, 0, 7)
    assert trace == batch_trace_id("run", 0, 2, 0, 7)
    assert len({batch_span_id(trace, rank) for rank in range(512)}) == 512


def test_no_two_batches_share_a_trace() -> None:
    found = {
        batch_trace_id(run, entry, loop, loader, batch)
        for run in ("a", "b")
        for entry in range(3)
        for loop in range(5)
        for loader in range(2)
        for batch in range(50)
    }
    assert len(found) == 2 * 3 * 5 * 2 * 50


def test_a_preset_id_is_used_once() -> None:
    ids = PresetIds()
    ids.preset(5, 6)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(ids.generate_trace_id).result() != 5
    assert (ids.generate_trace_id(), ids.generate_span_id()) == (5, 6)
    assert ids.generate_trace_id() != 5
    assert ids.generate_span_id() != 6


def test_ids_neither_follow_nor_disturb_the_global_seed() -> None:
    random.seed(7)
    expected = random.random()
    random.seed(7)
    first = PresetIds().generate_trace_id()
    assert random.random() == expected
    random.seed(7)
    assert PresetIds().generate_trace_id() != first
