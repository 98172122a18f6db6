"""The stream of a simulated fleet: minutes of training of many ranks as OTLP requests, in the order of their time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Final, Literal

import numpy as np
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.trace import ReadableSpan

from ocr_otel import semconv
from ocr_otel.settings import Settings
from ocr_otel.telemetry import RunIdentity
from tests.scale.host import Host, of_further_rank
from tests.scale.rank import Rank

RANKS_OF_HOST: Final = 8
CHUNK_SECONDS: Final = 20.0
"""Training that is simulated at once: what its spans take in memory is what limits it."""
SLOW_EVERY: Final = 50
"""One step in so many takes three times as long, on all ranks: a step of DDP is as long as that of its slowest rank."""


@dataclass(frozen=True, slots=True)
class Training:
    """What is simulated.

    Attributes:
        run_id: The run.
        ranks: Ranks.
        epochs: Epochs.
        epoch_seconds: How long each takes.
        step_seconds: How long a batch takes.
        export_seconds: From one export of metrics to the next; the SDK's default.
    """

    run_id: str
    ranks: int
    epochs: int = 2
    epoch_seconds: float = 300.0
    step_seconds: float = 0.25
    export_seconds: float = 60.0

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        return round(self.epoch_seconds / self.step_seconds)

    @property
    def seconds(self) -> float:
        """The whole of it."""
        return self.epochs * self.epoch_seconds


@dataclass(slots=True)
class Sent:
    """What was made, for comparison with what has arrived.

    Attributes:
        spans: Spans.
        span_bytes: Bytes of their requests.
        points: Points of metrics.
        point_bytes: Bytes of theirs.
        exports: Exports of metrics of each rank.
        batch_spans: Spans by trace of a batch.
        kept: Why by trace of a batch: all reasons that a rank had.
        run_traces: Traces of runs.
    """

    spans: int = 0
    span_bytes: int = 0
    points: int = 0
    point_bytes: int = 0
    exports: int = 0
    batch_spans: dict[int, int] = field(default_factory=dict)
    kept: dict[int, set[str]] = field(default_factory=dict)
    run_traces: set[int] = field(default_factory=set)

    def count(self, trace_id: int, spans: list[ReadableSpan]) -> None:
        """Count spans of a trace."""
        self.spans += len(spans)
        reasons = {
            str(span.attributes[semconv.KEPT]) for span in spans if span.attributes and semconv.KEPT in span.attributes
        }
        if not reasons:
            self.run_traces.add(trace_id)
            return
        self.batch_spans[trace_id] = self.batch_spans.get(trace_id, 0) + len(spans)
        self.kept.setdefault(trace_id, set()).update(reasons)


@dataclass(frozen=True, slots=True)
class Request:
    """An OTLP request.

    Attributes:
        signal: What is in it.
        body: Protobuf.
    """

    signal: Literal["traces", "metrics"]
    body: bytes


def requests(training: Training, settings: Settings, host: Host, sent: Sent) -> Iterator[Request]:
    """Make the stream.

    A rank's SDK sends each kept batch by itself, with its resource. What the eight ranks of a host send at the same
    moment is one request here, with eight resources: the same data in fewer calls, as the agent puts it together too.

    Args:
        training: What is simulated.
        settings: Of each rank.
        host: What the ranks' hosts are like.
        sent: Is told what is in the requests, as they are taken.
    """
    offset = time.time_ns() - perf_counter_ns()
    start = perf_counter_ns() - int(training.seconds * 1e9)
    identities = [
        RunIdentity(
            training.run_id, rank, rank % RANKS_OF_HOST, training.ranks, rank // RANKS_OF_HOST, strategy="DDPStrategy"
        )
        for rank in range(training.ranks)
    ]
    ranks = [Rank(identity, settings, host) for identity in identities]
    random = np.random.default_rng(training.ranks)
    for rank in ranks:
        rank.begin(start, offset)
    yield from _spans(ranks, sent)
    due = start + int(training.export_seconds * 1e9)
    now = start
    chunk = round(CHUNK_SECONDS / training.step_seconds)
    for epoch in range(training.epochs):
        for rank in ranks:
            rank.begin_epoch(epoch, training.batches, now, offset)
        for first in range(0, training.batches, chunk):
            number = min(chunk, training.batches - first)
            steps = training.step_seconds * (1 + 0.03 * random.standard_normal(number))
            steps[(np.arange(first, first + number) + 1) % SLOW_EVERY == 0] *= 3
            # Ranks wait for each other at the end of each step.
            starts = now + np.concatenate([[0], np.cumsum(steps)[:-1]]) * 1e9
            for rank in ranks:
                own = steps * (1 - 0.001 * random.random(number))
                rank.train(first, starts.astype(np.int64), (own * 1e9).astype(np.int64), offset)
            now += int(steps.sum() * 1e9)
            yield from _spans(ranks, sent)
            while now >= due:
                yield from _metrics(ranks, host, start + offset, due + offset, sent)
                due += int(training.export_seconds * 1e9)
        for rank in ranks:
            rank.end_epoch(now, offset)
    for rank in ranks:
        rank.end(now, offset)
    yield from _spans(ranks, sent)
    yield from _metrics(ranks, host, start + offset, now + offset, sent)


def _spans(ranks: list[Rank], sent: Sent) -> Iterator[Request]:
    by_trace: dict[int, dict[int, list[ReadableSpan]]] = {}
    for number, rank in enumerate(ranks):
        for span in rank.take_spans():
            assert span.context is not None
            by_host = by_trace.setdefault(span.context.trace_id, {})
            by_host.setdefault(number // RANKS_OF_HOST, []).append(span)
    for trace_id, by_host in by_trace.items():
        for spans in by_host.values():
            sent.count(trace_id, spans)
            body = encode_spans(spans).SerializeToString()
            sent.span_bytes += len(body)
            yield Request("traces", body)


def _metrics(ranks: list[Rank], host: Host, started: int, now: int, sent: Sent) -> Iterator[Request]:
    of_first = host.scopes()
    of_others = of_further_rank(of_first)
    sent.exports += 1
    for number, rank in enumerate(ranks):
        data = rank.metrics(of_first if number % RANKS_OF_HOST == 0 else of_others, started, now)
        sent.points += _points(data)
        body = encode_metrics(data).SerializeToString()
        sent.point_bytes += len(body)
        yield Request("metrics", body)


def _points(data: MetricsData) -> int:
    return sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
