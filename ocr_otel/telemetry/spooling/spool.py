"""The spool of a process, and the exporters that write into it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final

from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from ocr_otel.spool import SIGNALS, Signal, Store, claim
from ocr_otel.telemetry.losses import Losses
from ocr_otel.telemetry.spooling.accounts import Accounts
from ocr_otel.telemetry.spooling.couriers import courier
from ocr_otel.telemetry.spooling.exporters import DurableLogExporter, DurableMetricExporter, DurableSpanExporter
from ocr_otel.telemetry.spooling.sender import Sender

_LAST_MOMENT: Final = 0.3
"""Seconds that `close` waits for the answers to requests under way, whose data would else be sent twice."""


class Spool:
    """What an OTLP endpoint has not acknowledged is kept on disk and sent until it has.

    Each request is on disk before it is sent, and in its order. After a kill, the one request whose answer had not
    come is sent again; what the endpoint refuses for good is dropped and counted. Where the disk does not take a
    request it is tried from memory, and counted as lost when the endpoint does not take it either.

    A forked child has none of it: nothing is written or sent there.

    Args:
        directory: Where it lies; a neighbour of it where another process still sends from there.
        limit: Bytes that its files may take.
        losses: Counts what is lost.
        hold: Makes the hold on the directory.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, directory: Path, limit: int, losses: Losses, hold: Callable[[Path, int], Store] = claim) -> None:
        self._pid = os.getpid()
        self._store = hold(directory, limit)
        self._accounts = Accounts(losses)
        self._senders: dict[Signal, Sender] = {}
        for signal in SIGNALS:
            try:
                self._senders[signal] = Sender(signal, self._store, self._accounts)
            except (RuntimeError, MemoryError) as error:
                losses.lose(0, "no_thread", f"{signal} are sent without a spool, as no thread can be started: {error}")

    @property
    def dropped(self) -> Mapping[tuple[Signal, str], int]:
        """Items that were taken over and are lost, by signal and cause."""
        return self._accounts.dropped

    def spans(self, exporter: SpanExporter) -> SpanExporter:
        """Return what to use in an exporter's place: itself where it is not one of the SDK's OTLP exporters."""
        return DurableSpanExporter(self._senders["traces"]) if self.deliver("traces", exporter) else exporter

    def metrics(self, exporter: MetricExporter) -> MetricExporter:
        """Return what to use in an exporter's place: itself where it is not one of the SDK's OTLP exporters."""
        if not self.deliver("metrics", exporter):
            return exporter
        return DurableMetricExporter(self._senders["metrics"], exporter)

    def logs(self, exporter: LogRecordExporter) -> LogRecordExporter:
        """Return what to use in an exporter's place: itself where it is not one of the SDK's OTLP exporters."""
        return DurableLogExporter(self._senders["logs"]) if self.deliver("logs", exporter) else exporter

    def deliver(self, signal: Signal, exporter: Any) -> bool:
        """Send a signal as an exporter does.

        Returns:
            False where it cannot be done: it is another kind of exporter, or the signal is sent by another one.
        """
        found = courier(exporter, signal)
        return found is not None and signal in self._senders and self._senders[signal].attach(found)

    def offer(self, signal: Signal, make: Callable[[], Any]) -> None:
        """Send what others append of a signal of which this process has made nothing yet.

        Args:
            signal: The signal.
            make: Makes the exporter, when there is something to send.
        """
        if signal in self._senders:
            self._senders[signal].offer(lambda: courier(make(), signal))

    def drain(self, seconds: float) -> bool:
        """Wait until the endpoint has acknowledged everything.

        Args:
            seconds: How long to wait.

        Returns:
            Whether it has.
        """
        if os.getpid() != self._pid:
            return True
        ends = monotonic() + seconds
        self._store.discover()
        for sender in self._senders.values():
            sender.hurry()
        return all(sender.wait(ends) for sender in self._senders.values())

    def waiting(self) -> Mapping[Signal, int]:
        """Return the bytes that the endpoint has not acknowledged, by signal, where there are any."""
        return self._store.waiting()

    def close(self) -> int:
        """Stop sending. An empty spool leaves no files.

        Returns:
            Bytes that wait, for `ocr_otel.telemetry.delivery` or `ocr-otel replay`.
        """
        if os.getpid() != self._pid:
            return 0
        for sender in self._senders.values():
            sender.close()
        ends = monotonic() + _LAST_MOMENT
        for sender in self._senders.values():
            sender.join(ends)
            sender.abort()
        return self._store.close()
