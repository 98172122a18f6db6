"""Spans that are noted until their exporter has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from ocr_otel import semconv
from ocr_otel.telemetry.open_spans import OpenSpans
from ocr_otel.watchdog import journal
from ocr_otel.watchdog.journal import JournalWriter


class Noted:
    """A provider whose open spans are noted in a journal."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failures: list[str] = []
        self.writer = JournalWriter(path, {"run_id": "run"})
        self.spans = OpenSpans(self.writer, lambda cause, error: self.failures.append(cause))
        self.provider = TracerProvider(resource=Resource({"service.name": "s"}), shutdown_on_exit=False)
        self.provider.add_span_processor(self.spans)
        self.tracer = self.provider.get_tracer(semconv.SCOPE)

    def read(self) -> journal.Journal:
        return journal.read(self.path.read_bytes())

    def names(self) -> list[str]:
        return [span["name"] for span in self.read().spans.values()]


@pytest.fixture
def noted(tmp_path: Path) -> Noted:
    return Noted(tmp_path / "journal")


def test_a_span_is_noted_from_its_beginning_until_it_is_handed_on(noted: Noted) -> None:
    root = noted.tracer.start_span("fit", attributes={"training.stage": "fit"}, start_time=5)
    epoch = noted.tracer.start_span("train_epoch", set_span_in_context(root))
    assert noted.names() == ["fit", "train_epoch"]
    epoch.set_status(Status(StatusCode.ERROR))
    epoch.end(9)
    ended = noted.read().spans[f"{epoch.get_span_context().span_id:016x}"]
    assert ended["endTimeUnixNano"] == "9"
    assert ended["parentSpanId"] == f"{root.get_span_context().span_id:016x}"
    assert isinstance(epoch, ReadableSpan)
    noted.spans.handed_on([epoch])
    assert noted.names() == ["fit"]
    found = next(iter(noted.read().spans.values()))
    assert found["startTimeUnixNano"] == "5"
    assert found["attributes"] == [{"key": "training.stage", "value": {"stringValue": "fit"}}]
    assert not found.get("endTimeUnixNano") or found["endTimeUnixNano"] == "0"


def test_what_is_added_later_is_noted_too(noted: Noted) -> None:
    root = noted.tracer.start_span("fit")
    root.set_attribute("training.config.x", 1)
    root.add_event("training.memory", {}, 3)
    assert isinstance(root, ReadableSpan)
    noted.spans.note(root)
    (found,) = noted.read().spans.values()
    assert found["attributes"] == [{"key": "training.config.x", "value": {"intValue": "1"}}]
    assert found["events"][0]["name"] == "training.memory"


def test_batches_and_spans_of_the_application_are_not_noted(noted: Noted) -> None:
    noted.tracer.start_span(semconv.TRAIN_BATCH)
    noted.provider.get_tracer("application").start_span("work")
    assert noted.names() == []


def test_a_full_disk_is_told_once_and_no_span_fails(noted: Noted, monkeypatch: pytest.MonkeyPatch) -> None:
    noted.writer.close()
    noted.writer._file = 10_000_000
    for _ in range(3):
        noted.tracer.start_span("fit").end()
    assert noted.failures == ["journal"]


def test_a_run_of_many_epochs_leaves_a_short_journal(noted: Noted) -> None:
    root = noted.tracer.start_span("fit")
    for epoch in range(3_000):
        span = noted.tracer.start_span("train_epoch", attributes={"training.epoch": epoch, "text": "x" * 500})
        span.end()
        assert isinstance(span, ReadableSpan)
        if epoch < 2_999:
            noted.spans.handed_on([span])
    assert noted.path.stat().st_size < 600_000
    assert noted.names() == ["fit", "train_epoch"]
    assert noted.read().damaged == 0
    root.end()
