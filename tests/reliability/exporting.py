"""A process that exports spans through a spool; as a program it does so until it is killed.

It prints the ids of the spans that it has handed over.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from ocr_otel.telemetry.exporting import load_exporter
from ocr_otel.telemetry.guards import CountingProcessor, GuardedSpanExporter
from ocr_otel.telemetry.losses import Losses
from ocr_otel.telemetry.spooling import Spool

LIMIT = 50_000_000
EXPORTERS = {"grpc": "otlp_proto_grpc", "http": "otlp_proto_http"}


class Timed(SpanExporter):
    """Measures how long exports take, and notes what was handed over."""

    def __init__(self, inner: SpanExporter) -> None:
        self.inner = inner
        self.longest = 0.0
        self.batches = 0

    def export(self, spans: Any) -> SpanExportResult:
        began = time.monotonic()
        result = self.inner.export(spans)
        self.longest = max(self.longest, time.monotonic() - began)
        self.batches += 1
        return result


class Process:
    """What a process has: a tracer, and a spool."""

    def __init__(self, directory: Path, protocol: str, limit: int = LIMIT) -> None:
        self.losses = Losses()
        self.spool = Spool(directory, limit, self.losses)
        self.timed = Timed(self.spool.spans(load_exporter("traces", EXPORTERS[protocol])))
        self.provider = TracerProvider()
        self.provider.add_span_processor(CountingProcessor(self.losses))
        self.provider.add_span_processor(BatchSpanProcessor(GuardedSpanExporter(self.timed, self.losses)))
        self.made: Counter[str] = Counter()

    def record(self, batches: int, spans: int = 50) -> None:
        """Make spans and hand them over, in so many requests."""
        tracer = self.provider.get_tracer("test")
        for _ in range(batches):
            for index in range(spans):
                span = tracer.start_span("train_batch", attributes={"training.batch.index": index, "text": "x" * 20})
                span.end()
                assert isinstance(span, ReadableSpan)
                assert span.context is not None
                self.made[f"{span.context.span_id:016x}"] += 1
            self.provider.force_flush()

    def close(self) -> int:
        """End it."""
        self.provider.shutdown()
        return self.spool.close()

    @property
    def lost(self) -> int:
        """Spans that were counted as lost."""
        return sum(self.losses.spans.values())


def main() -> None:
    """Export until killed."""
    process = Process(Path(sys.argv[1]), sys.argv[2])
    while True:
        before = set(process.made)
        process.record(1)
        print(*(set(process.made) - before), flush=True)


if __name__ == "__main__":
    main()
