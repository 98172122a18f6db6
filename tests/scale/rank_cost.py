"""What one rank sends, measured at the door of a receiver: a real training on two ranks with default settings."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any, Final

from ocr_otel import semconv
from tests.support.otlp_server import OtlpGrpcServer, Request
from tests.support.scripts import FOLDER

RANKS: Final = 2
BATCHES: Final = 100
STEP_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 900


def measure() -> dict[str, Any]:
    """Train, and return the numbers of the dearer of the two ranks: the first of a host tells of the host too."""
    with tempfile.TemporaryDirectory() as folder, OtlpGrpcServer() as server:
        arguments = [f"--batches={BATCHES}", f"--step-seconds={STEP_SECONDS}", f"--devices={RANKS}"]
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("OCR_OTEL", "OTEL_"))}
        told = {
            "OCR_OTEL_ENABLED": "true",
            "OCR_OTEL_RUN_ID": "run",
            "OTEL_EXPORTER_OTLP_ENDPOINT": server.endpoint,
        }
        subprocess.run(
            [sys.executable, FOLDER / "on_demand_script.py", *arguments],
            cwd=folder,
            env=clean | told,
            stdout=subprocess.DEVNULL,
            timeout=LONGEST_SECONDS,
            check=True,
        )
        requests = list(server.requests)
    return max((of_rank(requests, rank) for rank in range(RANKS)), key=lambda found: found["series"])


def of_rank(requests: list[Request], rank: int) -> dict[str, Any]:
    """Return what a rank sent."""
    batches: list[int] = []
    roots = spans = trace_bytes = 0
    exports: list[int] = []
    points: set[tuple[str, tuple[str, ...]]] = set()
    series: dict[tuple[str, tuple[str, ...]], int] = {}

    for request in requests:
        if request.path == "/v1/traces":
            mine = [each for each in request.message.resource_spans if _rank(each.resource) == rank]
            own = [span for each in mine for scope in each.scope_spans for span in scope.spans]
            spans += len(own)
            trace_bytes += sum(each.ByteSize() for each in mine)
            kept = sum(span.name == semconv.TRAIN_BATCH for span in own)
            roots += kept
            if kept:
                batches.append(sum(each.ByteSize() for each in mine) // kept)
        elif request.path == "/v1/metrics":
            mine = [each for each in request.message.resource_metrics if _rank(each.resource) == rank]
            metrics = [metric for each in mine for scope in each.scope_metrics for metric in scope.metrics]
            if len(metrics) > 1:
                exports.append(sum(each.ByteSize() for each in mine))
            for metric in metrics:
                data = getattr(metric, metric.WhichOneof("data"))
                for point in data.data_points:
                    key = (metric.name, tuple(sorted(map(str, point.attributes))))
                    points.add(key)
                    # A histogram is a series for each bucket, its sum and its count.
                    series[key] = len(point.bucket_counts) + 2 if metric.WhichOneof("data") == "histogram" else 1
    buckets = sum(number for number in series.values() if number > 1)
    return {
        "batches": BATCHES,
        "step_seconds": STEP_SECONDS,
        "kept_batches": roots,
        "spans": spans,
        "trace_bytes": trace_bytes,
        "spans_of_batch": 1 + (spans - roots) // roots,
        "bytes_of_batch": round(statistics.mean(batches)),
        "exports": len(exports),
        "bytes_of_export": max(exports),
        "points": len(points),
        # And `target_info`.
        "series": sum(series.values()) + 1,
        "series_of_histograms": buckets,
        "histograms": sum(number > 1 for number in series.values()),
    }


def _rank(resource: Any) -> int:
    return next((pair.value.int_value for pair in resource.attributes if pair.key == semconv.RANK), -1)
