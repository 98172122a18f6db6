"""Makes run directories of any size with the SDK and the official OTLP JSON file exporters, without training.

The times are made up, the spans, metrics and files are real: what the vocabulary says is in them, in the same shape.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.json.file import FileMetricExporter, FileSpanExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode

from ocr_otel import semconv
from ocr_otel.profiling import serial
from ocr_otel.profiling.span_events import events_of
from ocr_otel.semconv import Kept, Phase, Stage
from tests.support.synthetic_ranks import Together
from tests.support.synthetic_readings import EVERY, readings
from tests.support.synthetic_window import bottleneck, profile

START: Final = 1_790_000_000_000_000_000
SPANS_A_LINE: Final = 512
SECONDS: Final = {
    Phase.FETCH: 0.020,
    Phase.TRANSFER: 0.002,
    Phase.FORWARD: 0.016,
    Phase.BACKWARD: 0.022,
    Phase.OPTIMIZER: 0.006,
    Phase.CALLBACKS: 0.003,
    Phase.LOOP: 0.001,
}
_CHILDREN: Final = (
    (semconv.FETCH, Phase.FETCH),
    (semconv.TRANSFER, Phase.TRANSFER),
    (semconv.FORWARD, Phase.FORWARD),
    (semconv.BACKWARD, Phase.BACKWARD),
    (semconv.OPTIMIZER_STEP, Phase.OPTIMIZER),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What is made.

    Attributes:
        epochs: Training epochs that end.
        batches: Batches in each.
        kept: Kept regular batches in each; slow and first ones come on top.
        slow: Slow batches in each.
        workers: Dataloader workers; 0 loads in the training process.
        outcome: `completed`, `failed`, or empty for a run without its root, killed or still going on.
        logged: Name of one more logged value.
        exception: Message of the exception of a failed run.
        test: Whether `Trainer.test` follows.
        rank: Whose directory it is.
        world_size: How many there are.
        machine: What is read meanwhile: `gpu`, `cpu`, or empty for nothing.
        windows: Windows of the profiler in each epoch; the last of all failed.
        hostile: Name of an operator in them.
        together: What the ranks do together; None for ranks that do not know of each other.
        pace: How long a forward pass takes, in what is usual.
        seed: Of its noise.
    """

    epochs: int = 6
    batches: int = 300
    kept: int = 40
    slow: int = 4
    workers: int = 2
    outcome: str = "completed"
    logged: str = ""
    exception: str = "CUDA out of memory"
    test: bool = False
    rank: int = 0
    world_size: int = 1
    machine: str = ""
    windows: int = 0
    hostile: str = ""
    together: Together | None = None
    pace: float = 1.0
    seed: int = 7


class _Lines(SpanProcessor):
    """Writes ended spans, many a line, as the SDK's batching does."""

    def __init__(self, exporter: FileSpanExporter) -> None:
        self._exporter = exporter
        self._ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._ended.append(span)
        if len(self._ended) >= SPANS_A_LINE:
            self.force_flush()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        if self._ended:
            self._exporter.export(self._ended)
            self._ended = []
        return True


def make(directory: Path, shape: Shape | None = None) -> Path:
    """Write a run directory and return it."""
    shape = shape or Shape()
    part = directory / f"rank-{shape.rank}" if shape.world_size > 1 else directory
    part.mkdir(parents=True, exist_ok=True)
    description = {"format": 1, "run_id": directory.name, "started_unix_nano": START, "service_name": "ocr", "pid": 7}
    (part / "run.json").write_text(json.dumps(description), encoding="utf-8")
    _Writer(part, shape, directory.name).write()
    return directory


class _Ids(RandomIdGenerator):
    """Gives the ranks' batches of one step the same trace."""

    trace_id = 0

    def generate_trace_id(self) -> int:
        chosen, self.trace_id = self.trace_id, 0
        return chosen or super().generate_trace_id()


class _Writer:
    def __init__(self, part: Path, shape: Shape, run_id: str) -> None:
        self._shape = shape
        self._part = part
        self._kept: dict[tuple[int, int], SpanContext] = {}
        self._resource = Resource({
            "service.name": "ocr", "host.name": "trainer-1", "process.pid": 7,
            semconv.RUN_ID: run_id, semconv.RANK: shape.rank, semconv.WORLD_SIZE: shape.world_size,
            semconv.TORCH_VERSION: "2.9.0", semconv.LIGHTNING_VERSION: "2.6.0",
            **(shape.together.resource(shape.rank, shape.world_size) if shape.together else {}),
        })  # fmt: skip
        self._ids = _Ids()
        self._exporter = FileSpanExporter(part / "traces.jsonl")
        self._metrics = FileMetricExporter(part / "metrics.jsonl")
        self._provider = TracerProvider(resource=self._resource, shutdown_on_exit=False, id_generator=self._ids)
        self._lines = _Lines(self._exporter)
        self._provider.add_span_processor(self._lines)
        self._tracer = self._provider.get_tracer(semconv.SCOPE)
        self._random = random.Random(shape.seed + shape.rank)
        self._ahead = shape.together.ahead(shape.rank, shape.world_size) if shape.together else 0.0
        self._now = 0.0
        self._phases = dict.fromkeys(Phase, 0.0)
        self._done = 0
        self._read_at = 0.0

    def write(self) -> None:
        shape = self._shape
        fit = self._begin(semconv.FIT, None, {semconv.STAGE: "fit"})
        configuration = {
            semconv.CONFIG_PREFIX + "max_epochs": shape.epochs,
            semconv.CONFIG_PREFIX + "callbacks": ["ModelCheckpoint", "RichProgressBar"],
            semconv.CONFIG_PREFIX + "dataloader.num_workers": shape.workers,
        }
        self._end(self._begin(semconv.FIT_START, fit, configuration))
        self._lines.force_flush()
        sanity = self._begin(semconv.SANITY_CHECK, fit, {semconv.STAGE: "sanity_check"})
        self._now += 0.4
        self._end(sanity)
        self._now += 0.8
        for epoch in range(shape.epochs):
            self._epoch(epoch, fit)
        if shape.outcome == "":
            self._batches(shape.epochs, fit)
        else:
            self._finish(fit)
        self._lines.force_flush()
        self._provider.shutdown()
        self._exporter.shutdown()
        self._metrics.shutdown()

    def _finish(self, fit: Span) -> None:
        shape = self._shape
        useful = sum(self._phases[each] for each in (Phase.TRANSFER, Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER))
        saved = self._begin(semconv.CHECKPOINT_SAVE, fit, {semconv.CHECKPOINT_FILE: "last.ckpt"})
        self._now += 0.3
        self._end(saved)
        if shape.windows:
            self._judged(fit)
        if shape.machine:
            fit.set_attribute(semconv.MEMORY_GROWTH, 41.0 * 2**20)
        fit.set_attributes({
            semconv.OUTCOME: shape.outcome, semconv.TIME_TO_FIRST_BATCH: 1.2, semconv.GOODPUT: useful / self._now,
            semconv.BATCHES: self._done, semconv.SAMPLES: 16 * self._done,
        })  # fmt: skip
        if shape.together and shape.together.attempt:
            fit.set_attribute(semconv.RESTART_REASON, shape.together.reason)
            fit.add_link(SpanContext(99, 99, is_remote=True))
        if shape.outcome == "failed":
            attributes = {"exception.type": "RuntimeError", "exception.message": shape.exception}
            fit.add_event(semconv.EXCEPTION_EVENT, attributes, timestamp=self._unix())
            if shape.machine:
                held = {
                    semconv.OOM_DEVICE: "cuda:0", semconv.OOM_REQUESTED: 2**31, semconv.OOM_TOTAL: 80 * 2**30,
                    semconv.OOM_ALLOCATED: 71 * 2**30, semconv.OOM_PARAMETERS: 3 * 2**30, semconv.OOM_OTHER: 62 * 2**30,
                    semconv.OOM_LARGEST: ["float32 (256, 64, 128, 128), 1 GiB", "float32 (256, 4096), 4 MiB"],
                }  # fmt: skip
                fit.add_event(semconv.OUT_OF_MEMORY, held, timestamp=self._unix())
            fit.set_status(Status(StatusCode.ERROR, "RuntimeError"))
        self._end(fit)
        if shape.test:
            self._now += 2.0
            test = self._begin(semconv.TEST, None, {semconv.OUTCOME: "completed"})
            self._end(self._begin(semconv.TEST + semconv.START_SUFFIX, test, {}))
            self._now += 3.0
            self._end(test)

    def _epoch(self, number: int, fit: Span) -> None:
        before, began = dict(self._phases), self._now
        span = self._begin(semconv.TRAIN_EPOCH, fit, {semconv.EPOCH: number, semconv.STAGE: "train"})
        durations = self._batches(number, span)
        for window in range(shape.windows if (shape := self._shape).batches else 0):
            self._window(number, window, span)
        logged = self._logged(number)
        validation = self._begin(semconv.VALIDATION, span, {semconv.EPOCH: number, semconv.STAGE: "validate"})
        self._now += 1.5
        inside = self._begin(semconv.CHECKPOINT_SAVE, validation, {semconv.CHECKPOINT_FILE: f"best-{number}.ckpt"})
        self._now += 0.5
        self._end(inside)
        validation.set_attributes({semconv.LOGGED_PREFIX + name: value for name, value in logged.items()})
        self._end(validation)
        saved = self._begin(semconv.CHECKPOINT_SAVE, span, {semconv.CHECKPOINT_FILE: f"epoch-{number}.ckpt"})
        self._now += 0.25
        self._end(saved)
        self._now += 0.1
        durations.sort()
        attributes: dict[str, Any] = {
            semconv.BATCHES: len(durations), semconv.SAMPLES: 16 * len(durations),
            semconv.GLOBAL_STEP: self._done, semconv.SLOW_BATCHES: self._shape.slow,
            semconv.MEMORY_RSS: int(1.2e9 + 4e7 * number),
            semconv.SLOWEST_CALLBACK: "RichProgressBar", semconv.SLOWEST_CALLBACK_SECONDS: 0.2,
            **{semconv.phase_seconds(phase): self._phases[phase] - before[phase] for phase in Phase},
            **{semconv.LOGGED_PREFIX + name: value for name, value in logged.items()},
        }  # fmt: skip
        if durations:
            mean = sum(durations) / len(durations)
            attributes |= {
                semconv.BATCH_MEAN: mean, semconv.BATCH_P50: durations[len(durations) // 2],
                semconv.BATCH_P95: durations[int(0.95 * (len(durations) - 1))],
                semconv.BATCH_P99: durations[int(0.99 * (len(durations) - 1))], semconv.BATCH_MAX: durations[-1],
                semconv.THROUGHPUT: 16 / mean,
                semconv.DATA_WAIT_RATIO: (self._phases[Phase.FETCH] - before[Phase.FETCH]) / sum(durations),
            }  # fmt: skip
        if together := self._shape.together:
            rank, world_size = self._shape.rank, self._shape.world_size
            attributes |= together.clocks(rank, world_size) | (
                {} if rank else together.compared(world_size, self._done)
            )
        span.set_attributes(attributes | (self._summary(number) if self._shape.machine else {}))
        self._end(span)
        self._points(16 * len(durations) / max(0.1, self._now - began), logged)

    def _window(self, epoch: int, number: int, parent: Span) -> None:
        shape = self._shape
        name = f"{shape.rank}-{epoch * shape.windows + number + 1:03d}-periodic"
        span = self._begin(semconv.PROFILE, parent, {
            semconv.PROFILE_MODE: "periodic", semconv.STAGE: "train", semconv.EPOCH: epoch,
            semconv.PROFILE_BATCHES: 3, semconv.PROFILE_FIRST_BATCH: 0, semconv.PROFILE_OVERHEAD: 0.031,
            semconv.PROFILE_SLOWDOWN: 1.21,
        })  # fmt: skip
        for index in range(3):
            if (epoch, index) in self._kept:
                span.add_link(self._kept[epoch, index])
        self._now += 0.3
        if epoch == shape.epochs - 1 and number == shape.windows - 1 and number:
            span.set_attribute(semconv.PROFILE_FAILED, "RuntimeError: no trace to export")
        else:
            shown = profile(epoch, 0, device=shape.machine != "cpu", hostile=shape.hostile)
            folder = self._part / "profiles"
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.pt.trace.json.gz").write_bytes(b"")
            (folder / f"{name}.profile.json").write_text(serial.dumps(shown), encoding="utf-8")
            span.set_attributes({semconv.PROFILE_FILE: f"{name}.pt.trace.json.gz", semconv.PROFILE_FILE_SIZE: 812_000})
            for event, attributes in events_of(shown):
                span.add_event(event, attributes, self._unix())
            self._judged(span)
        self._end(span)

    def _judged(self, span: Span) -> None:
        for rank, (kind, share) in enumerate((("data", 0.29), ("logging", 0.12), ("transfer", 0.03)), start=1):
            found = bottleneck(kind, share, rank)
            span.add_event(semconv.BOTTLENECK_EVENT, found, self._unix())
            if rank == 1:
                span.set_attributes({name: value for name, value in found.items() if name != semconv.BOTTLENECK_RANK})

    def _summary(self, number: int) -> dict[str, float]:
        found = {
            semconv.MAIN_CPU: 0.93, semconv.WORKERS_CPU: 1.2, semconv.MAIN_MEMORY_MAX: 1.2e9 + 4e7 * number,
            semconv.READ_REQUESTED: 4.8e7, semconv.READ_DEVICE: 1e7, semconv.CACHE_SHARE: 0.81,
            semconv.PRESSURE_IO: 0.11,
        }  # fmt: skip
        if self._shape.machine == "gpu":
            found |= {semconv.GPU_USED_MEAN: 0.58 + 0.01 * number, semconv.GPU_USED_P95: 0.83}
        return found

    def _logged(self, number: int) -> dict[str, float]:
        values = {"train_loss": 2.6 / (number + 1), "val_loss": 2.8 / (number + 1) + 0.1, "val_cer": 0.9 / (number + 1)}
        return values | ({self._shape.logged: 0.5 + number} if self._shape.logged else {})

    def _batches(self, epoch: int, parent: Span) -> list[float]:
        shape = self._shape
        every = max(1, shape.batches // max(1, shape.kept))
        # The same steps are slow on every rank, by different amounts.
        slow = set(random.Random(epoch).sample(range(shape.batches), min(shape.slow, shape.batches)))
        durations = []
        for index in range(shape.batches):
            phases = {phase: seconds * self._random.uniform(0.9, 1.15) for phase, seconds in SECONDS.items()}
            phases[Phase.FORWARD] *= shape.pace
            if index in slow:
                phases[Phase.FETCH] *= self._random.uniform(6, 14)
            if shape.together:
                phases = shape.together.step(SECONDS, epoch, index, shape.rank, shape.world_size)
            kept = (
                Kept.SLOW if index in slow
                else Kept.FIRST if index < 2
                else Kept.REGULAR if index % every == 0
                else None
            )  # fmt: skip
            if kept is not None:
                self._batch(epoch, index, kept, phases, parent)
            for phase, seconds in phases.items():
                self._phases[phase] += seconds
            durations.append(sum(phases.values()))
            self._now += durations[-1]
            self._done += 1
            self._read()
        return durations

    def _batch(self, epoch: int, index: int, kept: Kept, phases: Mapping[Phase, float], parent: Span) -> None:
        attributes = {
            semconv.STAGE: str(Stage.TRAIN), semconv.KEPT: str(kept), semconv.EPOCH: epoch, semconv.BATCH_IDX: index,
            semconv.GLOBAL_STEP: self._done, semconv.SAMPLES: 16,
            semconv.SLOW_RATIO: sum(phases.values()) / sum(SECONDS.values()),
            **{semconv.phase_seconds(phase): seconds for phase, seconds in phases.items()},
        }  # fmt: skip
        if self._shape.machine == "gpu":
            # The host only asks for the work: on the device it takes longer.
            attributes |= {
                semconv.device_seconds(phase): 1.5 * phases[phase] for phase in (Phase.FORWARD, Phase.BACKWARD)
            }
        if kept is Kept.SLOW and self._shape.machine:
            attributes |= {
                semconv.SLOW_REASONS: ["io_rose", "io_pressure"],
                semconv.SLOW_READ: 4e7, f"{semconv.SLOW_READ}.median": 9e6,
                semconv.SLOW_PRESSURE_IO: 0.34, f"{semconv.SLOW_PRESSURE_IO}.median": 0.02,
            }  # fmt: skip
        links = [Link(parent.get_span_context())]
        start = self._now
        self._ids.trace_id = (epoch + 1) << 64 | (index + 1)
        root = self._tracer.start_span(
            semconv.TRAIN_BATCH, Context(), start_time=self._unix(), attributes=attributes, links=links
        )
        made = 0.9 * phases[Phase.FETCH] + 0.02
        number = index % self._shape.workers if self._shape.workers else -1
        where = {semconv.WORKER_ID: number, semconv.WORKER_PID: 70 + number, semconv.WORKER_SAMPLES: 16}
        where |= {semconv.CACHE_HITS: 12, semconv.CACHE_MISSES: 4}
        begins = start + phases[Phase.FETCH] - made
        worker = self._add(semconv.WORKER, root, begins, begins + made, where)
        self._add(semconv.WORKER_DATASET, worker, begins, begins + 0.8 * made)
        self._add(semconv.WORKER_COLLATE, worker, begins + 0.8 * made, begins + made)
        at = start
        for name, phase in _CHILDREN:
            waited = phases.get(Phase.COMMUNICATION, 0.0) if phase is Phase.BACKWARD else 0.0
            child = self._add(name, root, at, at + phases[phase] + waited)
            if name == semconv.FORWARD:
                self._add("decode.beam_search", child, at, at + phases[phase] / 3)
            at += phases[phase]
            if waited:
                self._add(semconv.COMMUNICATION, child, at, at + waited)
            at += waited
        root.end(self._unix(start + sum(phases.values())))
        self._kept[epoch, index] = root.get_span_context()

    def _begin(self, name: str, parent: Span | None, attributes: Mapping[str, Any]) -> Span:
        context = Context() if parent is None else trace.set_span_in_context(parent, Context())
        return self._tracer.start_span(name, context, start_time=self._unix(), attributes=attributes)

    def _end(self, span: Span) -> None:
        span.end(self._unix())

    def _add(self, name: str, parent: Span, start: float, end: float, attributes: Any = None) -> Span:
        context = trace.set_span_in_context(parent, Context())
        span = self._tracer.start_span(name, context, start_time=self._unix(start), attributes=attributes)
        span.end(self._unix(end))
        return span

    def _unix(self, seconds: float | None = None) -> int:
        return START + int(((self._now if seconds is None else seconds) + self._ahead) * 1e9)

    def _read(self) -> None:
        if not self._shape.machine or self._now < self._read_at + EVERY:
            return
        self._read_at = self._now
        found: dict[str, list[tuple[Mapping[str, Any], float]]] = {}
        for name, attributes, value in readings(self._now, self._shape.workers, self._shape.machine == "gpu"):
            found.setdefault(name, []).append((attributes, value))
        self._export([self._metric(name, values) for name, values in found.items()])

    def _export(self, metrics: list[Metric]) -> None:
        scope = ScopeMetrics(InstrumentationScope(semconv.SCOPE), metrics, "")
        self._metrics.export(MetricsData([ResourceMetrics(self._resource, [scope], "")]))

    def _points(self, throughput: float, logged: Mapping[str, float]) -> None:
        by_stage = {semconv.STAGE: "train"}
        self._export(
            [
                self._metric(semconv.METRIC_THROUGHPUT_SAMPLES, [(by_stage, throughput)]),
                self._metric(semconv.METRIC_LOGGED, [({semconv.METRIC_NAME: k}, v) for k, v in logged.items()]),
                self._metric(semconv.METRIC_BATCHES, [(by_stage, self._done)]),
                self._metric(semconv.METRIC_SAMPLES, [(by_stage, 16 * self._done)]),
                self._metric(semconv.METRIC_RUN_ACTIVE, [({}, 1)]),
                self._metric(semconv.METRIC_OVERHEAD, [({semconv.PART: "spans"}, 0.002 * self._now)]),
                self._metric(semconv.METRIC_SPANS_DROPPED, [({semconv.CAUSE: "none"}, 0)]),
                self._metric(semconv.METRIC_ERRORS, [({semconv.CAUSE: "none"}, 0)]),
                self._metric(
                    semconv.METRIC_PHASE_DURATION,
                    [({**by_stage, semconv.PHASE: str(phase)}, seconds) for phase, seconds in self._phases.items()],
                ),
            ]
        )

    def _metric(self, name: str, values: Iterable[tuple[Mapping[str, Any], float]]) -> Metric:
        described = semconv.all_metrics()[name]
        data: Any
        if described.kind == "histogram":
            data = Histogram(
                [
                    HistogramDataPoint(dict(a), START, self._unix(), self._done, v, [self._done], [], 0.0, v)
                    for a, v in values
                ],
                AggregationTemporality.CUMULATIVE,
            )
        else:
            points = [NumberDataPoint(dict(a), START, self._unix(), v) for a, v in values]
            cumulative = AggregationTemporality.CUMULATIVE
            summed = described.kind in ("counter", "updowncounter")
            data = Sum(points, cumulative, described.kind == "counter") if summed else Gauge(points)
        return Metric(name, described.meaning, described.unit, data)
