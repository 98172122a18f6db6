"""The bridge of `logging`, on a real provider that keeps what it gets in memory."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, attach, detach, set_value
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    LogRecordExporter,
    LogRecordExportResult,
    SimpleLogRecordProcessor,
)

from ocr_otel.telemetry.failures import MAX_FAILURES
from ocr_otel.telemetry.log_bridge import LogBridge, Rate

Make = Callable[..., LogBridge]
# Not of the tree of loggers: pytest's own handler writes each record there, and raises where one cannot be written.
log = logging.Logger("tests.program")
log.addHandler(logging.NullHandler())


def nowhere() -> tuple[Context | None, Mapping[str, Any]]:
    return None, {}


@pytest.fixture
def kept() -> InMemoryLogRecordExporter:
    return InMemoryLogRecordExporter()


@pytest.fixture
def failures() -> list[str]:
    return []


@pytest.fixture
def make(kept: InMemoryLogRecordExporter, failures: list[str]) -> Iterator[Make]:
    made: list[LogBridge] = []

    def bridge(place: Any = nowhere, exporter: LogRecordExporter = kept) -> LogBridge:
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
        made.append(
            LogBridge(
                LoggingHandler(logger_provider=provider),
                logging.INFO,
                place,
                lambda _, error: failures.append(str(error)),
            )
        )
        made[-1].install()
        return made[-1]

    before = logging.Logger.callHandlers, warnings.showwarning
    yield bridge
    for each in made:
        each.remove()
    assert (logging.Logger.callHandlers, warnings.showwarning) == before


def bodies(kept: InMemoryLogRecordExporter) -> list[Any]:
    return [each.log_record.body for each in kept.get_finished_logs()]


def test_nothing_is_sent_any_more_when_it_is_removed(make: Make, kept: InMemoryLogRecordExporter) -> None:
    bridge = make()
    log.error("one")
    bridge.remove()
    log.error("two")
    assert bodies(kept) == ["one"]


def test_a_record_that_cannot_be_written_is_sent_as_its_template(make: Make, kept: InMemoryLogRecordExporter) -> None:
    make()
    log.error("%d things", "no number")
    assert bodies(kept) == ["%d things"]


class Talking:
    """Logs while it is written."""

    def __str__(self) -> str:
        log.error("inside")
        return "outside"


def test_what_is_logged_while_a_record_is_sent_is_not(make: Make, kept: InMemoryLogRecordExporter) -> None:
    make()
    log.error("%s", Talking())
    assert bodies(kept) == ["outside"]


class Complaining(LogRecordExporter):
    """Logs whenever it exports, as an exporter does whose receiver is gone."""

    def __init__(self) -> None:
        self.exports = 0

    def export(self, batch: Any) -> LogRecordExportResult:
        self.exports += 1
        logging.getLogger("opentelemetry.exporter").error("cannot reach it")
        logging.getLogger("urllib3.connectionpool").warning("retrying")
        logging.getLogger("ocr_otel").warning("lost")
        return LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing to do."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """Nothing to do."""
        return True


def test_an_exporter_that_complains_is_not_asked_to_send_that(make: Make) -> None:
    exporter = Complaining()
    make(exporter=exporter)
    log.error("one")
    assert exporter.exports == 1


def test_what_is_logged_where_instrumentation_is_suppressed_is_not_sent(
    make: Make, kept: InMemoryLogRecordExporter
) -> None:
    make()
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    logging.getLogger("urllib3.connectionpool").error("of an export")
    detach(token)
    assert bodies(kept) == []


def test_a_warning_that_a_program_catches_is_its_own(make: Make, kept: InMemoryLogRecordExporter) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        make()
        with warnings.catch_warnings(record=True) as caught:
            warnings.warn("caught", UserWarning, stacklevel=1)
        assert len(caught) == 1
        assert bodies(kept) == []


def test_it_is_off_after_failures_and_the_program_notices_nothing(make: Make, failures: list[str]) -> None:
    def broken() -> tuple[Context | None, Mapping[str, Any]]:
        raise RuntimeError("no place")

    make(broken)
    for _ in range(MAX_FAILURES + 5):
        log.error("one")
    assert failures == ["no place"] * MAX_FAILURES


def test_another_handler_of_opentelemetry_is_left_to_it(
    make: Make, kept: InMemoryLogRecordExporter, caplog: pytest.LogCaptureFixture
) -> None:
    handler = LoggingHandler(logger_provider=LoggerProvider(shutdown_on_exit=False))
    logging.getLogger().addHandler(handler)
    try:
        make()
        log.error("one")
    finally:
        logging.getLogger().removeHandler(handler)
    assert bodies(kept) == []
    assert "another handler of OpenTelemetry" in caplog.text


def test_long_messages_are_cut_and_secrets_taken_out(
    make: Make, kept: InMemoryLogRecordExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("READER_API_KEY", "swordfish-99")
    make()
    log.error("the key swordfish-99 %s", "word " * 100_000, extra={"label": "a sample"})
    (record,) = kept.get_finished_logs()
    assert isinstance(record, ReadableLogRecord)
    assert len(str(record.log_record.body)) <= 1_000
    assert "swordfish" not in str(record.log_record.body)
    assert dict(record.log_record.attributes or {}) == {}


def test_the_rate_lets_a_burst_through_then_so_many_a_second_and_counts() -> None:
    now = [0.0]
    rate = Rate(3, 2.0, lambda: now[0])
    assert [rate.admits() for _ in range(5)] == [True, True, True, False, False]
    assert rate.take_left_out() == 2
    now[0] = 1.0
    assert [rate.admits() for _ in range(3)] == [True, True, False]
    now[0] = 1_000.0
    assert [rate.admits() for _ in range(4)] == [True, True, True, False]
    assert (rate.take_left_out(), rate.take_left_out()) == (2, 0)
