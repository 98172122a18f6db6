"""What a training that is gone would have said: its open spans with an end, and what ran when it went. No I/O."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.semconv import Kept, Outcome, Section, Stage
from ocr_otel.watchdog.batch_ids import batch_span_id, batch_trace_id
from ocr_otel.watchdog.cells import Cell
from ocr_otel.watchdog.ending import End
from ocr_otel.watchdog.journal import Journal
from ocr_otel.watchdog.lines import attribute, attributes

_ENTRIES: Final = frozenset((semconv.FIT, semconv.VALIDATE, semconv.TEST, semconv.PREDICT))
_LOOP_SPANS: Final = {
    Stage.TRAIN: (semconv.TRAIN_EPOCH,),
    Stage.SANITY_CHECK: (semconv.SANITY_CHECK,),
    Stage.VALIDATE: (semconv.VALIDATION, semconv.VALIDATE),
    Stage.TEST: (semconv.TEST,),
    Stage.PREDICT: (semconv.PREDICT,),
}
_STAGES: Final = tuple(Stage)
_SECTIONS: Final = tuple(Section)
_LOCAL: Final = 0x100
"""Flags of OTLP: it is known whether the parent, or what a link leads to, is remote, and it is not."""
_ERROR: Final = 2
_INTERNAL: Final = 1
_CUMULATIVE: Final = 2

JsonSpan = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Closing:
    """What is left to say of a training.

    Attributes:
        spans: Its spans, each with an end.
        metrics: The metrics that tell that it runs no more; none where no entry was open.
    """

    spans: list[JsonSpan] = field(default_factory=list)
    metrics: list[dict[str, Any]] = field(default_factory=list)


def close(journal: Journal, cells: Sequence[int], end: End, now: int) -> Closing:
    """Return what is left to say.

    Args:
        journal: What was open.
        cells: The shared numbers; all 0 where they are lost.
        end: How the process ended.
        now: When, Unix nanoseconds.
    """
    whole = [span for span in journal.spans.values() if _is_whole(span)]
    ended = [dict(span) for span in whole if "endTimeUnixNano" in span]
    running = [span for span in whole if "endTimeUnixNano" not in span]
    if not running:
        return Closing(ended)
    told = _told(end)
    closed = [
        _closed(span, end, now, told | (_of_entry(cells) if span["name"] in _ENTRIES else {})) for span in running
    ]
    for extra in (_batch(journal.header, running, cells), _checkpoint(running, cells)):
        if extra is not None:
            closed.append(_closed(extra, end, now, told))
    began = min(int(span["startTimeUnixNano"]) for span in running)
    return Closing(ended + closed, _metrics(int(journal.header.get("started_unix_nano") or began), now))


def _is_whole(span: Mapping[str, Any]) -> bool:
    return str(span.get("startTimeUnixNano", "")).isdigit() and isinstance(span.get("traceId"), str) and "name" in span


def _closed(span: Mapping[str, Any], end: End, now: int, more: Mapping[str, Any]) -> JsonSpan:
    kept = [each for each in span.get("attributes", ()) if each.get("key") not in more]
    return {
        **span,
        "endTimeUnixNano": str(max(now, int(span["startTimeUnixNano"]))),
        "attributes": kept + attributes(more),
        "status": {"code": _ERROR, "message": end.summary},
    }


def _told(end: End) -> dict[str, Any]:
    told: dict[str, Any] = {semconv.END_CAUSE: str(end.cause), semconv.END_SUMMARY: end.summary}
    if end.signal is not None:
        told[semconv.END_SIGNAL] = end.signal
    if end.exit_code is not None:
        told[semconv.END_EXIT_CODE] = end.exit_code
    return told


def _section(cells: Sequence[int]) -> Section | None:
    # Cells that were lost are 0, and so is the number of a section.
    number = cells[Cell.SECTION]
    return _SECTIONS[number] if cells[Cell.OFFSET] and 0 <= number < len(_SECTIONS) else None


def _stage(cells: Sequence[int]) -> Stage | None:
    number = cells[Cell.STAGE]
    return _STAGES[number] if 0 <= number < len(_STAGES) else None


def _of_entry(cells: Sequence[int]) -> dict[str, Any]:
    found: dict[str, Any] = {semconv.OUTCOME: str(Outcome.KILLED)}
    section = _section(cells)
    if section is None:
        return found
    found[semconv.SECTION] = str(section)
    found[semconv.GLOBAL_STEP] = int(cells[Cell.GLOBAL_STEP])
    if section is not Section.SETUP:
        for name, cell in ((semconv.EPOCH, Cell.EPOCH), (semconv.BATCH_IDX, Cell.BATCH_IDX)):
            if cells[cell] >= 0:
                found[name] = int(cells[cell])
    if cells[Cell.RSS] > 0:
        found[semconv.MEMORY_RSS] = int(cells[Cell.RSS])
    return found


def _batch(header: Mapping[str, Any], running: Sequence[JsonSpan], cells: Sequence[int]) -> JsonSpan | None:
    """Return the batch that ran."""
    began, index, batches, stage = (
        cells[Cell.BATCH_BEGAN],
        cells[Cell.BATCH_IDX],
        cells[Cell.BATCHES],
        _stage(cells),
    )
    # Behind the last batch of a loop, the loop asks its dataloader once more.
    runs = began != 0 and _section(cells) in (Section.TRAIN, Section.EVALUATE) and index >= 0
    if not runs or stage is None or 0 <= batches <= index:
        return None
    trace_id = batch_trace_id(
        str(header.get("traces", header.get("run_id", ""))), cells[Cell.ENTRY], cells[Cell.LOOP], 0, index
    )
    loop = next((span for span in reversed(running) if span["name"] in _LOOP_SPANS[stage]), None)
    span: JsonSpan = {
        "traceId": f"{trace_id:032x}",
        "spanId": f"{batch_span_id(trace_id, header.get('rank', 0)):016x}",
        "name": semconv.BATCH_SPAN_BY_STAGE[stage],
        "kind": _INTERNAL,
        "flags": _LOCAL,
        "startTimeUnixNano": str(began + cells[Cell.OFFSET]),
        "attributes": [
            attribute(semconv.STAGE, str(stage)),
            attribute(semconv.KEPT, str(Kept.ERROR)),
            attribute(semconv.EPOCH, int(cells[Cell.EPOCH])),
            attribute(semconv.BATCH_IDX, int(index)),
            attribute(semconv.GLOBAL_STEP, int(cells[Cell.GLOBAL_STEP])),
        ],
    }
    if loop is not None:
        span["links"] = [{"traceId": loop["traceId"], "spanId": loop["spanId"], "flags": _LOCAL}]
    return span


def _checkpoint(running: Sequence[JsonSpan], cells: Sequence[int]) -> JsonSpan | None:
    """Return the checkpoint that was written."""
    if _section(cells) is not Section.CHECKPOINT or not cells[Cell.SECTION_BEGAN]:
        return None
    parent = running[-1]
    return {
        "traceId": parent["traceId"],
        "spanId": os.urandom(8).hex(),
        "parentSpanId": parent["spanId"],
        "name": semconv.CHECKPOINT_SAVE,
        "kind": _INTERNAL,
        "flags": _LOCAL,
        "startTimeUnixNano": str(cells[Cell.SECTION_BEGAN] + cells[Cell.OFFSET]),
        "attributes": [],
    }


def _metrics(began: int, now: int) -> list[dict[str, Any]]:
    active, runs = semconv.METRICS[semconv.METRIC_RUN_ACTIVE], semconv.METRICS[semconv.METRIC_RUNS]
    killed = attributes({semconv.OUTCOME_LABEL: str(Outcome.KILLED)})
    times = {"startTimeUnixNano": str(min(began, now)), "timeUnixNano": str(now)}
    count = {**times, "attributes": killed, "asInt": "1"}
    return [
        {
            "name": active.name,
            "description": active.meaning,
            "unit": active.unit,
            "gauge": {"dataPoints": [{"timeUnixNano": str(now), "asInt": "0"}]},
        },
        {
            "name": runs.name,
            "description": runs.meaning,
            "unit": runs.unit,
            "sum": {"aggregationTemporality": _CUMULATIVE, "isMonotonic": True, "dataPoints": [count]},
        },
    ]
