"""One process's telemetry: providers of our own or the application's, its run directory, flush within a bound."""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.json.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Span

from ocr_otel import __version__, semconv
from ocr_otel.private import private_directory
from ocr_otel.settings import Settings
from ocr_otel.telemetry.children import ChildSpan, child_spans
from ocr_otel.telemetry.deliverer import Deliverer
from ocr_otel.telemetry.events import Events
from ocr_otel.telemetry.exporting import Destination, destination
from ocr_otel.telemetry.histograms import AggregatingHistogram, DurationHistogram, RecordingHistogram
from ocr_otel.telemetry.home import describe_run
from ocr_otel.telemetry.identity import RunIdentity, rank_directory, run_directory
from ocr_otel.telemetry.log_bridge import LogBridge
from ocr_otel.telemetry.losses import Losses
from ocr_otel.telemetry.open_spans import OpenSpans
from ocr_otel.telemetry.outlets import OTLP, Outlets
from ocr_otel.telemetry.patience import Patience
from ocr_otel.telemetry.providers import make_meter_provider, make_tracer_provider
from ocr_otel.telemetry.resource import describe_process
from ocr_otel.telemetry.spooling import Spool
from ocr_otel.watchdog import places, stack_signal
from ocr_otel.watchdog.cells import Values, private_cells
from ocr_otel.watchdog.journal import STACKS_FILE
from ocr_otel.watchdog.starting import Watchdog, start

logger: Final = logging.getLogger("ocr_otel")

_LAST_SECONDS: Final = 0.2
"""The end of a process waits at least so long, also where the end of its last run has waited all that it may."""


class Session:
    """The telemetry of one process.

    Attributes:
        identity: Which process of which run.
        who: The same as attributes of an entry's spans, where the application's provider has a resource without it.
        tracer: Makes our spans.
        child_span: Makes those that are over already.
        meter: Makes our instruments.
        directory: Where this rank's files are written; None when telemetry goes elsewhere.
        losses: What was made and not delivered.
        events: Emits events as log records.
        logs: Sends what the program logs; None where that is not wanted.
        meter_provider: Where the instruments of others are made that are to go the same way.
        watchdog: Ends what is open should the process be killed; None where there is none.
        cells: Numbers that it sees.
        patience: What the end of an entry, and of the process, may still wait for telemetry.
    """

    def __init__(self, settings: Settings, identity: RunIdentity, target: Destination) -> None:
        self.identity = identity
        self.losses: Losses = Losses()
        self.directory: Path | None = None
        self.pid: int = os.getpid()
        self.watchdog: Watchdog | None = None
        self._target = target
        self._timeout = settings.flush_timeout
        self.patience: Patience = Patience(settings.flush_timeout)
        self._deliverer = Deliverer()
        self._aggregating: list[AggregatingHistogram] = []
        self._scope = InstrumentationScope(semconv.SCOPE, __version__)
        self._spool: Spool | None = None
        self._open_spans: OpenSpans | None = None
        tracer_provider = trace.get_tracer_provider()
        meter_provider = metrics.get_meter_provider()
        self._tracer_provider: TracerProvider | None = None
        self._meter_provider: MeterProvider | None = None
        self._home: Path | None = None
        self._runs_dir = settings.runs_dir.absolute()
        resource: Resource | None = None
        if not isinstance(tracer_provider, TracerProvider) or not isinstance(meter_provider, MeterProvider):
            resource = describe_process(identity)
            self._home = self._make_home(settings, resource)
            if self._home is not None and settings.watchdog and not isinstance(tracer_provider, TracerProvider):
                self._start_watchdog(self._home, settings, resource)
        outlets = Outlets(target, self.directory, self._spool)
        if not isinstance(tracer_provider, TracerProvider):
            assert resource is not None
            exporters = outlets.spans()
            tracer_provider = make_tracer_provider(resource, exporters, self.losses, self._open_spans)
            self._tracer_provider = tracer_provider
            trace.set_tracer_provider(tracer_provider)
        self._flush_traces: Callable[[int], Any] = tracer_provider.force_flush
        if isinstance(meter_provider, MeterProvider):
            self._aggregates = False
        else:
            assert resource is not None
            points = outlets.metrics()
            self._aggregates = not any(isinstance(each, MetricReader) for each in points)
            meter_provider = self._meter_provider = make_meter_provider(
                resource, points, self.losses, self._aggregating, self._scope, to_files=target.kind == "files"
            )
            metrics.set_meter_provider(meter_provider)
        self._flush_metrics = meter_provider.force_flush
        self.meter_provider = meter_provider
        self.cells: Values = self.watchdog.cells.values if self.watchdog is not None else private_cells()
        self.events: Events = Events(lambda: resource or describe_process(identity), outlets.logs, self.losses)
        self.logs: LogBridge | None = None
        known: dict[str, str | int] = {
            semconv.RUN_ID: identity.run_id,
            semconv.RANK: identity.rank,
            semconv.WORLD_SIZE: identity.world_size,
        }
        self.who: Mapping[str, str | int] = known if self._tracer_provider is None else {}
        self.tracer: trace.Tracer = tracer_provider.get_tracer(semconv.SCOPE, __version__)
        self.child_span: ChildSpan = child_spans(self.tracer, self._tracer_provider)
        self.meter: metrics.Meter = meter_provider.get_meter(semconv.SCOPE, __version__)
        atexit.register(self.shutdown)

    def duration_histogram(self, name: str) -> DurationHistogram:
        """Make the histogram of seconds that `semconv` describes under `name`."""
        described = semconv.METRICS[name]
        if not self._aggregates:
            return RecordingHistogram(self.meter, name, described.unit, described.meaning)
        histogram = AggregatingHistogram(name, described.unit, described.meaning)
        self._aggregating.append(histogram)
        return histogram

    def entry_begins(self) -> None:
        """Let its end wait anew, and make sure that the stacks of this process can still be asked for.

        Raises:
            OSError: It cannot be seen whether they can.
        """
        self.patience.renew()
        if self.watchdog is not None:
            stack_signal.renew()

    @property
    def run_directory(self) -> Path | None:
        """Where the files of all ranks are written; None when telemetry goes elsewhere."""
        return run_directory(self._runs_dir, self.identity) if self.directory is not None else None

    def note(self, span: ReadableSpan) -> None:
        """Note a span that is over and will be made later, for the case that the process is killed before."""
        if self._open_spans is not None:
            self._open_spans.note(span)

    def changed(self, span: Span) -> None:
        """Note what was added to an open span."""
        if isinstance(span, ReadableSpan):
            self.note(span)

    def flush(self) -> bool:
        """Hand on what is recorded; wait for it at most as long as there is patience left of the entry's.

        Where a spool keeps it, it is handed on when it is there: the training does not wait for the endpoint.

        Returns:
            Whether everything was handed over in time.
        """
        millis = int(self._timeout * 1000)

        def deliver() -> None:
            self._flush_traces(millis)
            self._flush_metrics(millis)
            if self.logs is not None:
                self.logs.tell_left_out()
            self.events.flush(millis)

        made = self.losses.made
        with self.patience.spending() as seconds:
            delivered = self._bounded(deliver, seconds)
        if delivered and self._tracer_provider is not None:
            self._settle(made)
        return delivered

    def _settle(self, made: int) -> None:
        if self._target.kind == "files" and self.directory is None:
            self.losses.spans["no_directory"] = made
        else:
            self.losses.settle(made, 1 if self._target.kind == "files" else len(self._target.traces))

    def shutdown(self) -> None:
        """Flush and stop our own providers, within the bound; the application's are left alone.

        The bound is that of the last entry's end and of this together: a process's end is delayed once.
        """
        if os.getpid() != self.pid:
            return
        atexit.unregister(self.shutdown)
        ends = monotonic() + max(_LAST_SECONDS, self.patience.left)
        if self.logs is not None:
            self.logs.remove()

        def stop() -> None:
            if self._tracer_provider is not None:
                self._tracer_provider.shutdown()
            if self._meter_provider is not None:
                self._meter_provider.shutdown(timeout_millis=self._timeout * 1000)
            self.events.shutdown()
            if self._spool is not None:
                self._spool.drain(max(0.0, ends - monotonic() - _LAST_SECONDS / 2))

        self._bounded(stop, ends - monotonic())
        left = self._spool.close() if self._spool is not None else 0
        if left:
            logger.warning(
                "ocr_otel: %d bytes are not delivered yet and wait in %s: %s.", left, self._home, self._who_delivers()
            )
        if left:
            # Who watches finds nothing open when this process is gone, and what waits to be delivered.
            return
        if self.watchdog is not None:
            stack_signal.unregister()
            self.watchdog.finish()
        if self._home is not None:
            places.leave_nothing(self._home, self._runs_dir)

    def _who_delivers(self) -> str:
        later = f"`ocr-otel replay {self._home} --endpoint URL` sends them"
        return f"they are tried for ten minutes more, and then {later}" if self.watchdog is not None else later

    def spans_lost(self) -> dict[str, int]:
        """Return the spans lost so far, by cause; those still queued count as delivered."""
        return {cause: number for cause, number in self.losses.spans.items() if number}

    def where(self) -> str:
        """Say where telemetry goes."""
        return str(self.directory) if self.directory else self._target.describe()

    def _bounded(self, action: Callable[[], None], seconds: float) -> bool:
        # The SDK's flush ignores its deadline while an export hangs, so it is waited for from outside.
        done = self._deliverer.hand_over(action)
        if done.wait(seconds):
            return True
        if self._spool is None:
            logger.warning("ocr_otel: telemetry was not delivered within %.0f s and is given up.", self._timeout)
        return False

    def _make_home(self, settings: Settings, resource: Resource) -> Path | None:
        """Make the directory of this rank, where something is written there; None where nothing is, or none can be."""
        files = self._target.kind == "files"
        to_otlp = bool(OTLP & {*self._target.traces, *self._target.metrics})
        if not files and not (to_otlp and (settings.spool or settings.watchdog)):
            return None
        planned = rank_directory(settings.runs_dir, self.identity)
        try:
            home = private_directory(planned.absolute())
            if files:
                describe_run(home, self.identity, resource)
                self.directory = home
            elif settings.spool:
                self._spool = Spool(home / "spool", settings.spool_size, self.losses)
        except OSError as error:
            self.losses.lose(0, "no_directory", f"{planned} cannot be written: {error.strerror or error}")
            return None
        return home

    def _start_watchdog(self, home: Path, settings: Settings, resource: Resource) -> None:
        header: Mapping[str, Any] = {
            "run_id": self.identity.run_id,
            "traces": self.identity.traces,
            "rank": self.identity.rank,
            "target": "files" if self._target.kind == "files" else "otlp",
            "runs_dir": str(self._runs_dir),
            "hang_after": settings.hang_after,
            "started_unix_nano": time.time_ns(),
            **_described(resource, self._scope),
        }
        self.watchdog = watchdog = start(home, header, self._no_watchdog)
        if watchdog is None:
            return
        self._open_spans = OpenSpans(watchdog.journal, self._journal_failed)
        try:
            # The thread that makes a session is the one that trains.
            stack_signal.register(watchdog.directory / STACKS_FILE, threading.get_native_id())
        except (OSError, RuntimeError) as error:
            logger.warning("ocr_otel: should this training hang, its stacks cannot be told: %s", error)

    def _no_watchdog(self, why: str) -> None:
        logger.warning("ocr_otel: what is open when this process is killed stays open, because %s.", why)

    def _journal_failed(self, cause: str, error: Exception) -> None:
        logger.warning("ocr_otel: what is open is not noted any more (%s): %s", cause, error)


def _described(resource: Resource, scope: InstrumentationScope) -> dict[str, Any]:
    """Return resource and scope as OTLP JSON has them."""
    context = trace.SpanContext(1, 1, is_remote=False)
    request = encode_spans([ReadableSpan("", context, resource=resource, instrumentation_scope=scope)]).to_dict()
    found = request["resourceSpans"][0]
    return {"resource": found["resource"], "scope": found["scopeSpans"][0]["scope"]}


_current: Session | None = None


def session_for_process(settings: Settings, identity: Callable[[], RunIdentity]) -> Session | None:
    """Return this process's telemetry; the first call sets it up, later Trainers share it.

    Args:
        settings: The settings.
        identity: Asked once, when there is no session yet.

    Returns:
        The session, or None where `OTEL_SDK_DISABLED` is true.

    Raises:
        SettingsError: The environment names an exporter that is not there.
    """
    global _current
    if _current is None or _current.pid != os.getpid():
        target = destination()
        if target.kind == "disabled":
            return None
        _current = Session(settings, identity(), target)
    return _current
