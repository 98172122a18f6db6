"""What is read of a training's numbers, and what is written of a hang."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from ocr_otel import semconv
from ocr_otel.semconv import Section, Stage
from ocr_otel.watchdog import journal, lines, threads
from ocr_otel.watchdog.bounds import FIRST
from ocr_otel.watchdog.cells import Cell, Cells
from ocr_otel.watchdog.hangs import HangWatch
from tests.support.otlp import to_protobuf_json

HANG_AFTER = 0.2
BOUND = FIRST * HANG_AFTER


@dataclass
class Place:
    """A watch on this very process.

    Attributes:
        directory: The rank's.
        header: The journal's.
        cells: The numbers.
    """

    directory: Path
    header: dict[str, Any]
    cells: Cells = field(default_factory=Cells)

    def watch(self, **header: object) -> HangWatch:
        return HangWatch(self.header | header, self.cells, self.directory / "place")

    def section(self, section: Section, stage: Stage = Stage.TRAIN) -> None:
        values = self.cells.values
        values[Cell.SECTION] = list(Section).index(section)
        values[Cell.STAGE] = list(Stage).index(stage)
        values[Cell.SECTION_BEGAN] = time.monotonic_ns()

    def look(self, watch: HangWatch, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            meanwhile()
            watch.look()
            time.sleep(watch.interval())

    def items(self, signal: str) -> list[Any]:
        path = self.directory / f"{signal}.jsonl"
        found = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        request: Any = ExportLogsServiceRequest if signal == "logs" else ExportMetricsServiceRequest
        return [json_format.ParseDict(to_protobuf_json(json.loads(line)), request()) for line in found]

    def records(self) -> list[Any]:
        return [request.resource_logs[0].scope_logs[0].log_records[0] for request in self.items("logs")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "place").mkdir()
    found = threads.stat(os.getpid())
    assert found is not None
    return Place(
        tmp_path,
        {
            "pid": os.getpid(),
            "start_ticks": found.start_ticks,
            "directory": str(tmp_path),
            "target": "files",
            "hang_after": HANG_AFTER,
            "started_unix_nano": 1_700_000_000_000_000_000,
            "resource": {"attributes": lines.attributes({"service.name": "ocr"})},
            "scope": {"name": "ocr_otel", "version": "1"},
        },
    )


def test_the_first_look_counts_nothing_so_that_the_first_hang_is_an_increase(place: Place) -> None:
    watch = place.watch()
    watch.look()
    watch.look()
    [request] = place.items("metrics")
    [metric] = request.resource_metrics[0].scope_metrics[0].metrics
    assert request.resource_metrics[0].resource.attributes[0].value.string_value == "ocr"
    assert (metric.name, metric.unit) == (semconv.METRIC_HANGS, "{hang}")
    assert metric.sum.is_monotonic
    assert metric.sum.aggregation_temporality == 2
    points = {point.attributes[0].value.string_value: point for point in metric.sum.data_points}
    assert set(points) == set(Section)
    for point in points.values():
        assert point.as_int == 0
        assert point.start_time_unix_nano == 1_700_000_000_000_000_000 < point.time_unix_nano


def test_a_hang_is_a_record_and_a_count_with_what_is_known_of_it(place: Place) -> None:
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": "validation", "startTimeUnixNano": "1"}
    writer = journal.JournalWriter(place.directory / "place" / journal.JOURNAL_FILE, place.header)
    writer.note(span | {"spanId": "c" * 16})
    writer.note(span)
    writer.note(span | {"spanId": "d" * 16, "endTimeUnixNano": "2"})
    place.section(Section.EVALUATE, Stage.VALIDATE)
    place.cells.values[Cell.EPOCH] = 2
    place.cells.values[Cell.BATCH_IDX] = 7
    watch = place.watch()
    place.look(watch, BOUND + 0.5)
    [record] = place.records()
    values = {pair.key: pair.value for pair in record.attributes}
    assert record.event_name == semconv.HANG_EVENT
    assert (record.severity_number, record.severity_text) == (13, "WARN")
    assert (record.trace_id.hex(), record.span_id.hex()) == ("a" * 32, "b" * 16)
    assert values[semconv.SECTION].string_value == "evaluate"
    assert (values[semconv.EPOCH].int_value, values[semconv.BATCH_IDX].int_value) == (2, 7)
    assert values[semconv.HANG_BOUND].double_value == pytest.approx(BOUND)
    assert values[semconv.HANG_DURATION].double_value == pytest.approx(BOUND, abs=1.0)
    # This process has not registered a file for its stacks, and is not asked.
    assert "no Python stack (state R" in values[semconv.HANG_STACKS].string_value
    assert semconv.HANG_LINE not in values
    assert record.body.string_value == "Nothing has gone on for 1 s (validate, epoch 2, batch 7)"
    counts = [
        {point.attributes[0].value.string_value: point.as_int for point in metric.sum.data_points}
        for request in place.items("metrics")
        for metric in request.resource_metrics[0].scope_metrics[0].metrics
    ]
    assert counts == [dict.fromkeys(Section, 0), dict.fromkeys(Section, 0) | {"evaluate": 1}]


def test_set_up_has_no_epoch_and_no_batch(place: Place) -> None:
    place.section(Section.SETUP)
    place.look(place.watch(), BOUND + 0.5)
    [record] = place.records()
    assert {pair.key for pair in record.attributes}.isdisjoint({semconv.EPOCH, semconv.BATCH_IDX})
    assert record.body.string_value == "Nothing has gone on for 1 s (setup)"
    assert record.trace_id == b""


@pytest.mark.parametrize("cell", [Cell.SECTION_BEGAN, Cell.BATCH_BEGAN, Cell.BATCH_IDX, Cell.LOOP])
def test_each_number_that_changes_is_progress(place: Place, cell: Cell) -> None:
    place.section(Section.TRAIN)

    def change() -> None:
        place.cells.values[cell] += 1

    place.look(place.watch(), BOUND + 0.5, change)
    assert place.records() == []


def test_nothing_is_watched_where_no_entry_is_recorded_or_nobody_wants_it(place: Place) -> None:
    place.look(place.watch(), BOUND + 0.5)
    assert place.records() == []
    place.section(Section.TRAIN)
    (place.directory / "metrics.jsonl").unlink()
    off = place.watch(hang_after=0)
    off.look()
    assert off.interval() > 3600
    assert place.items("metrics") == []


def test_what_cannot_be_written_is_written_later(place: Place) -> None:
    (place.directory / "logs.jsonl").mkdir()
    place.section(Section.TRAIN)
    watch = place.watch()
    place.look(watch, BOUND + 0.5)
    (place.directory / "logs.jsonl").rmdir()
    watch._written = time.monotonic_ns() - 61_000_000_000
    watch.look()
    watch.look()
    assert len(place.records()) == 1


def test_numbers_that_mean_nothing_do_no_harm(place: Place) -> None:
    values = place.cells.values
    for cell in Cell:
        values[cell] = -(2**63)
    watch = place.watch()
    watch.look()
    for cell in Cell:
        values[cell] = 2**63 - 1
    watch.look()
    values[Cell.SECTION] = 1
    place.look(watch, BOUND + 0.5)
    assert len(place.records()) <= 1


def test_looks_are_more_often_than_what_they_are_to_see(place: Place) -> None:
    assert place.watch().interval() == pytest.approx(HANG_AFTER / 10)
    assert place.watch(hang_after=300).interval() == 5.0
