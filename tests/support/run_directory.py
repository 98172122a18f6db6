"""Makes run directories from plain data, in the shape that recorded trainings have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ocr_otel import semconv
from ocr_otel.semconv import Phase

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def attribute(name: str, value: Any) -> dict[str, Any]:
    """An OTLP-JSON attribute."""
    if isinstance(value, bool):
        return {"key": name, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": name, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": name, "value": {"doubleValue": value}}
    return {"key": name, "value": {"stringValue": str(value)}}


def span(name: str, span_id: int, parent: int, start: float, seconds: float, **more: Any) -> dict[str, Any]:
    """An OTLP-JSON span of trace 1 (or `trace`); times in seconds from the run's beginning."""
    return {
        "traceId": f"{more.pop('trace', 1):032x}",
        "spanId": f"{span_id:016x}",
        **({"parentSpanId": f"{parent:016x}"} if parent else {}),
        "name": name,
        "startTimeUnixNano": str(START + int(start * SECOND)),
        "endTimeUnixNano": str(START + int((start + seconds) * SECOND)),
        "attributes": [attribute(key, value) for key, value in more.pop("attributes", {}).items()],
        **more,
    }


def line(spans: list[dict[str, Any]]) -> str:
    """A line of `traces.jsonl`."""
    resource = {"attributes": [attribute(semconv.RUN_ID, "made"), attribute("process.pid", 7)]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}) + "\n"


def epoch(number: int, start: float, logged: str = "train_loss") -> list[dict[str, Any]]:
    """An epoch of 10 s with 8 s in batches, 1 s of validation and 0.5 s of checkpoint."""
    first = 100 * (number + 1)
    attributes = {
        semconv.EPOCH: number,
        semconv.BATCHES: 80,
        semconv.SAMPLES: 640,
        semconv.phase_seconds(Phase.FETCH): 5.0,
        semconv.phase_seconds(Phase.FORWARD): 3.0,
        semconv.THROUGHPUT: 80.0,
        semconv.BATCH_P50: 0.1,
        semconv.LOGGED_PREFIX + logged: 0.5 / (number + 1),
    }
    return [
        span(semconv.TRAIN_EPOCH, first, 1, start, 10.0, attributes=attributes),
        span(semconv.VALIDATION, first + 1, first, start + 8.0, 1.0),
        span(semconv.CHECKPOINT_SAVE, first + 2, first, start + 9.0, 0.5,
             attributes={semconv.CHECKPOINT_FILE: "best.ckpt"}),
    ]  # fmt: skip


def batch(index: int, start: float, seconds: float, kept: str = "regular") -> list[dict[str, Any]]:
    """A kept batch with a fetch, a forward and a worker."""
    first, trace = 10_000 + 10 * index, 10 + index
    attributes = {semconv.STAGE: "train", semconv.KEPT: kept, semconv.EPOCH: 0, semconv.BATCH_IDX: index}
    return [
        span(semconv.TRAIN_BATCH, first, 0, start, seconds, trace=trace, attributes=attributes),
        span(semconv.FETCH, first + 1, first, start, seconds / 2, trace=trace),
        span(semconv.FORWARD, first + 2, first, start + seconds / 2, seconds / 2, trace=trace),
        span(semconv.WORKER, first + 3, first, start - 0.01, seconds / 3, trace=trace,
             attributes={semconv.WORKER_ID: index % 2, semconv.WORKER_PID: 70 + index % 2}),
        span(semconv.WORKER_DATASET, first + 4, first + 3, start - 0.01, seconds / 4, trace=trace),
    ]  # fmt: skip


def start_span() -> dict[str, Any]:
    """`fit.start`."""
    return span(semconv.FIT_START, 2, 1, 0.0, 0.0, attributes={semconv.CONFIG_PREFIX + "max_epochs": 2})


def fit(seconds: float = 22.0, **more: Any) -> dict[str, Any]:
    """The root of a completed run."""
    attributes = {semconv.OUTCOME: "completed", semconv.BATCHES: 160, semconv.SAMPLES: 1280}
    return span(semconv.FIT, 1, 0, 0.0, seconds, attributes=attributes, **more)


def write(directory: Path, *lines: str) -> Path:
    """Write a run directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "traces.jsonl").write_text("".join(lines), encoding="utf-8")
    (directory / "metrics.jsonl").write_text("", encoding="utf-8")
    (directory / "run.json").write_text('{"format": 1}', encoding="utf-8")
    return directory


def complete(directory: Path, logged: str = "train_loss") -> Path:
    """A run of two epochs with ten kept batches, one of them slow."""
    batches = [part for index in range(10) for part in batch(index, index, 0.1, "slow" if index == 7 else "regular")]
    return write(
        directory,
        line([start_span()]),
        line(batches),
        line(epoch(0, 1.0, logged)),
        line([*epoch(1, 11.0, logged), fit()]),
    )
