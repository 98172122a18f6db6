"""One simulated rank: made-up batches, told by the package's own spans, instruments and verdicts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import perf_counter_ns
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData, ResourceMetrics, ScopeMetrics
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link

from ocr_otel import __version__, semconv
from ocr_otel.callbacks.binding import VERDICTS
from ocr_otel.ranks.exchange import MAX_LISTED
from ocr_otel.recording import batch_trace, ids, journal, rows, sampling
from ocr_otel.recording.batch_trace import KeptBatch, WorkerTiming
from ocr_otel.recording.entries import entry_attributes, entry_summary
from ocr_otel.recording.instruments import Instruments
from ocr_otel.recording.loop import Loop, loop_attributes
from ocr_otel.recording.origin import Origin
from ocr_otel.recording.run_trace import RunTrace
from ocr_otel.recording.summaries import PART_OF_PHASE, Interruptions, phase_nanoseconds
from ocr_otel.semconv import Kept, Outcome, Phase, Stage
from ocr_otel.settings import Settings
from ocr_otel.telemetry import ExemplarPoint, PrivateRandomIds, RunIdentity
from ocr_otel.telemetry.children import child_spans
from ocr_otel.telemetry.guards import Losses
from ocr_otel.telemetry.histograms import AggregatingHistogram, preferred_temporality
from ocr_otel.telemetry.resource import describe_process
from ocr_otel.watchdog.batch_ids import batch_span_id, batch_trace_id

BATCH_SIZE: Final = 32
PARAMETERS: Final = 24_500_000
CONFIGURATION: Final[Mapping[str, Any]] = {
    semconv.LIGHTNING_PACKAGE: "lightning",
    **{
        semconv.CONFIG_PREFIX + name: value
        for name, value in {
            "accelerator": "CUDAAccelerator",
            "accumulate_grad_batches": 1,
            "automatic_optimization": True,
            "callbacks": ["ModelSummary", "OTelCallback"],
            "check_val_every_n_epoch": 1,
            "limit_train_batches": 1.0,
            "limit_val_batches": 1.0,
            "log_every_n_steps": 50,
            "max_epochs": 100,
            "max_steps": -1,
            "min_epochs": 1,
            "module": "LineRecognizer",
            "num_devices": 8,
            "num_nodes": 128,
            "overfit_batches": 0.0,
            "parameters": PARAMETERS,
            "precision": "bf16-mixed",
            "profiler": "PassThroughProfiler",
            "strategy": "DDPStrategy",
            "val_check_interval": 1.0,
            "world_size": 1024,
        }.items()
    },
}
"""What `fit.start` says."""
DESCRIBED: Final[Mapping[str, Any]] = {
    semconv.CONFIG_PREFIX + name: value
    for name, value in {
        "cpus": 96.0,
        "dataloader.batch_size": BATCH_SIZE,
        "dataloader.dataset": "LineImages",
        "dataloader.num_workers": 8,
        "dataloader.persistent_workers": True,
        "dataloader.pin_memory": True,
        "optimizer.class": "AdamW",
        "optimizer.implementation": "fused",
        "optimizer.tensors": 212,
        "parameters": PARAMETERS,
        "torch.threads": 1,
    }.items()
}
"""What is known once the training has begun."""
INTERRUPTIONS: Final = Interruptions(profiling=0.003, cpu_delay=0.4, main_cpu=180.0)
_SHARES: Final = {
    journal.FETCH: 0.05,
    journal.TRANSFER: 0.03,
    journal.FORWARD: 0.35,
    journal.BACKWARD: 0.40,
    journal.COMMUNICATION: 0.05,
    journal.OPTIMIZER: 0.08,
}
"""Of a batch's time; Lightning's loop is the rest."""


@dataclass(frozen=True, slots=True)
class Step:
    """One batch of one rank.

    Attributes:
        batch_idx: Its index.
        start: When it began, monotonic nanoseconds.
        duration: Nanoseconds.
        kept: Why it is kept; None where it is not.
    """

    batch_idx: int
    start: int
    duration: int
    kept: Kept | None


class Around(Protocol):
    """What the host is like; see `recording.surroundings`."""

    def of_loop(self, samples: int) -> Mapping[str, Any]:
        """Return attributes of an epoch of so many samples."""

    def of_slow_batch(self) -> Mapping[str, Any]:
        """Return attributes of a slow batch."""


class _Hashed(Resource):
    """Is hashed once: the encoder asks for it with each span, and it is an eighth of the simulation."""

    def __init__(self, of: Resource) -> None:
        super().__init__(of.attributes, of.schema_url)
        self._once = super().__hash__()

    def __hash__(self) -> int:
        return self._once


def _failed(cause: str, error: Exception) -> None:
    raise AssertionError(cause) from error


class _Into(SpanProcessor):
    def __init__(self, spans: list[ReadableSpan]) -> None:
        self._spans = spans

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            self._spans.append(span)


class Rank:
    """A rank; what `recording` asks of a session is here.

    Args:
        identity: Which rank of which run.
        settings: The settings.
        around: What the host is like.

    Attributes:
        spans: Those that are over and were not taken yet.
        resource: What the process is.
    """

    def __init__(self, identity: RunIdentity, settings: Settings, around: Around) -> None:
        self.identity = identity
        self.losses = Losses()
        self.spans: list[ReadableSpan] = []
        # Both are new for each process; the simulation is one.
        own = {"service.instance.id": str(uuid.uuid4()), "process.pid": 1000 + identity.rank}
        self.resource = _Hashed(describe_process(identity).merge(Resource(own)))
        self._settings = settings
        self._around = around
        provider = TracerProvider(resource=self.resource, shutdown_on_exit=False, id_generator=PrivateRandomIds())
        provider.add_span_processor(_Into(self.spans))
        self.tracer = provider.get_tracer(semconv.SCOPE, __version__)
        self.child_span = child_spans(self.tracer, provider)
        self._ids = ids.preset_ids(self.tracer)
        self._reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._reader], self.resource, shutdown_on_exit=False)
        self.meter = self.meter_provider.get_meter(semconv.SCOPE, __version__)
        self._histograms: list[AggregatingHistogram] = []
        self._scope = InstrumentationScope(semconv.SCOPE, __version__)
        self._cost = 0
        self._instruments = Instruments(self, lambda: None, self._costs, _failed)  # type: ignore[arg-type]
        self._instruments.of_rank.delay = 0.0
        self._detector = sampling.SlowDetector(settings.slow_batch_ratio)
        self._loops = -1
        self._step = 0
        self._done: list[Any] = []

    def duration_histogram(self, name: str) -> AggregatingHistogram:
        """See `telemetry.Session`."""
        described = semconv.METRICS[name]
        histogram = AggregatingHistogram(name, described.unit, described.meaning)
        self._histograms.append(histogram)
        return histogram

    def _costs(self) -> dict[str, int]:
        return dict.fromkeys(("batches", "hooks", "background", "resources", "profiler"), self._cost)

    # --- a training; times are monotonic nanoseconds, `offset` is what Unix time is ahead of them ---------------------

    def begin(self, start: int, offset: int) -> None:
        """Begin to fit."""
        self._start = start
        self._run = RunTrace(self.tracer, semconv.FIT, start + offset, CONFIGURATION, Origin())
        self._instruments.begin_entry((Stage.TRAIN, Stage.VALIDATE))

    def begin_epoch(self, epoch: int, batches: int, start: int, offset: int) -> Loop:
        """Begin an epoch of so many batches."""
        self._loops += 1
        attributes = {semconv.STAGE: str(Stage.TRAIN), semconv.EPOCH: epoch}
        self.loop = Loop(
            stage=Stage.TRAIN,
            epoch=epoch,
            start=start,
            span=self._run.begin_epoch(start + offset, attributes),
            own_span=True,
            total_batches=batches,
            settings=self._settings,
            detector=self._detector,
            number=self._loops,
            next_progress=1 << 62,
            count_always=False,
        )
        if epoch == 0:
            self._run.root.set_attributes(dict(DESCRIBED))
        return self.loop

    def train(
        self, first_idx: int, starts: npt.NDArray[np.int64], durations: npt.NDArray[np.int64], offset: int
    ) -> None:
        """Do some batches, all over before metrics are collected the next time.

        Args:
            first_idx: Index of the first.
            starts: When they began.
            durations: Nanoseconds.
            offset: See above.
        """
        loop, number = self.loop, len(starts)
        threshold, median = self._detector.threshold, self._detector.median
        table = np.zeros((number, rows.WIDTH), dtype=np.int64)
        table[:, rows.SAMPLES], table[:, rows.START], table[:, rows.DURATION] = BATCH_SIZE, starts, durations
        for part, share in _SHARES.items():
            table[:, rows.PARTS + part] = (durations * share).astype(np.int64)
        kept, exemplars = [], []
        workers = []
        for at in range(number):
            batch_idx, start, duration = first_idx + at, int(starts[at]), int(durations[at])
            why = loop.planned(batch_idx)
            if duration > threshold and self._detector.may_keep(start + duration):
                why = Kept.SLOW
            self._step += 1
            timing = WorkerTiming(
                batch_idx % 8, 2000 + 8 * self.identity.rank + batch_idx % 8, start - 9 * duration // 10,
                start - duration // 10, start, BATCH_SIZE, None, None, duration // 2,
            )  # fmt: skip
            workers.append([timing])
            if why is not None:
                kept.append(at)
                exemplars.append(self._emit(Step(batch_idx, start, duration, why), median, timing, offset))
        phases = phase_nanoseconds(table)
        loop.made(workers)
        loop.add(table, phases)
        self._detector.found += int(np.count_nonzero(durations > threshold))
        self._instruments.workers_done(Stage.TRAIN, [timing for group in workers for timing in group])
        # Rates are of the last half minute of this process's own time.
        table[:, rows.START] += perf_counter_ns() - int(starts[-1] + durations[-1])
        self._instruments.batches_done(Stage.TRAIN, table, phases, kept)
        self._instruments.kept_done(Stage.TRAIN, [(point.value, point) for point in exemplars])
        self._instruments.epoch = loop.epoch
        self._instruments.last_batch_unix = (int(starts[-1] + durations[-1]) + offset) / 1e9
        self._cost += number * 20_000

    def _emit(self, step: Step, median: int, timing: WorkerTiming, offset: int) -> ExemplarPoint:
        loop, start, end = self.loop, step.start, step.start + step.duration
        intervals, at, bounds = [], start, {}
        for part, share in _SHARES.items():
            bounds[part] = (at, at + int(step.duration * share))
            at = bounds[part][1]
        # The wait for other ranks is the end of the backward pass.
        bounds[journal.BACKWARD] = (bounds[journal.BACKWARD][0], bounds[journal.COMMUNICATION][1])
        order = (journal.FETCH, journal.TRANSFER, journal.FORWARD, journal.COMMUNICATION, journal.BACKWARD)
        intervals = [(part, *bounds[part]) for part in order]
        # Lightning runs forward and backward inside the optimiser's step.
        intervals.append((journal.OPTIMIZER, bounds[journal.FORWARD][0], bounds[journal.OPTIMIZER][1]))
        phases = {phase: int(step.duration * _SHARES.get(part, 0)) for phase, part in PART_OF_PHASE.items()}
        phases[Phase.LOOP] = step.duration - sum(phases.values())
        assert step.kept is not None
        trace_id = batch_trace_id(self.identity.run_id, 0, loop.number, 0, step.batch_idx)
        context = batch_trace.emit(
            self,  # type: ignore[arg-type]
            self._ids,
            KeptBatch(
                stage=Stage.TRAIN,
                kept=step.kept,
                epoch=loop.epoch,
                batch_idx=step.batch_idx,
                dataloader_idx=None,
                global_step=self._step,
                samples=BATCH_SIZE,
                start=start,
                end=end,
                ratio=step.duration / median if median else None,
                phases=phases,
                intervals=intervals,
                device={},
                workers=[timing],
                different=self._around.of_slow_batch() if step.kept is Kept.SLOW else {},
            ),
            trace_id,
            batch_span_id(trace_id, self.identity.rank),
            Link(loop.span.get_span_context()),
            offset,
        )
        loop.keep(step.duration, context)
        return ExemplarPoint(step.duration / 1e9, end + offset, context.trace_id, context.span_id)

    def end_epoch(self, end: int, offset: int) -> None:
        """End the epoch, as `Recorder.end_loop` does."""
        loop = self.loop
        summary = loop.summary(end, ("", 0), 0, INTERRUPTIONS)
        self._done.append(summary)
        self._instruments.loop_done(Stage.TRAIN, summary.wall)
        self._instruments.steps_skipped(0)
        self._instruments.global_step = self._step
        around = {**self._around.of_loop(summary.samples), **self._of_ranks(summary.batches)}
        judged = VERDICTS.of_epochs((summary,), summary.wall, {**CONFIGURATION, **DESCRIBED, **around}, None)
        judged.tell(loop.span, end + offset)
        loop.span.set_attributes(
            {**loop_attributes(summary), semconv.GLOBAL_STEP: self._step, **judged.attributes, **around}
        )
        for context in loop.slowest():
            loop.span.add_link(context)
        loop.span.end(end + offset)

    def end(self, end: int, offset: int) -> None:
        """End the training, as `Recorder.end_entry` does."""
        summary = entry_summary(
            entry=semconv.FIT,
            outcome=Outcome.COMPLETED,
            start=self._start,
            end=end,
            done=self._done,
            first_batch_at=self._start + 1_000_000_000,
            checkpoint_ns=0,
            mfu=None,
            destination="",
            directory="",
        )
        of_ranks = self._of_ranks(summary.epochs[-1].batches)
        around = {**self._around.of_loop(sum(epoch.samples for epoch in summary.epochs)), **of_ranks}
        judged = VERDICTS.of_epochs(summary.epochs, summary.wall, {**CONFIGURATION, **DESCRIBED, **around}, None)
        judged.tell(self._run.root, end + offset)
        self._run.end(end + offset, entry_attributes(summary, judged.attributes) | of_ranks, None, False)
        self._instruments.end_entry(Outcome.COMPLETED)

    def _of_ranks(self, steps: int) -> dict[str, Any]:
        """Return what rank 0 says where no rank is late, as `ranks.Exchange` does."""
        number = self.identity.world_size
        if self.identity.rank or number < 2:
            return {}
        found: dict[str, Any] = {semconv.RANKS_COMPARED: number, semconv.SYNCHRONISATIONS: steps}
        return found | ({semconv.RANKS_DELAY: [0.0] * number} if number <= MAX_LISTED else {})

    # --- what is exported ---------------------------------------------------------------------------------------------

    def take_spans(self) -> list[ReadableSpan]:
        """Take the spans that are over."""
        taken = self.spans[:]
        self.spans.clear()
        return taken

    def metrics(self, beside: list[ScopeMetrics], started: int, now: int) -> MetricsData:
        """Collect what one export holds.

        Args:
            beside: Resource readings of the host and of this process.
            started: Unix nanoseconds of the run's begin.
            now: Unix nanoseconds of the export.
        """
        data = self._reader.get_metrics_data()
        assert data is not None
        (own,) = data.resource_metrics[0].scope_metrics
        temporality = preferred_temporality()
        histograms = [metric for each in self._histograms if (metric := each.collect(temporality)) is not None]
        merged = []
        for scope in beside:
            if scope.scope.name == semconv.SCOPE:
                own = replace(own, metrics=[*own.metrics, *scope.metrics])
            else:
                merged.append(scope)
        own = replace(own, scope=self._scope, metrics=[*own.metrics, *histograms])
        timed = [_at(scope, started, now) for scope in (*merged, own)]
        return MetricsData([ResourceMetrics(self.resource, timed, "")])


def _at(scope: ScopeMetrics, started: int, now: int) -> ScopeMetrics:
    """Return the same points, at another time."""
    metrics = []
    for metric in scope.metrics:
        points = [
            replace(point, time_unix_nano=now, start_time_unix_nano=started if point.start_time_unix_nano else None)
            for point in metric.data.data_points
        ]
        metrics.append(replace(metric, data=replace(metric.data, data_points=points)))
    return replace(scope, metrics=metrics)
