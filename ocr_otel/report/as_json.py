"""The report as JSON, for CI and scripts; its keys are a contract.

`format` grows when a key changes its meaning or goes; keys may be added without. Times are seconds, `start` from the
beginning of the run, memory bytes, shares 0 to 1; null is what is unknown or does not apply.

- `format`, `run_id`, `service`, `began` (Unix seconds), `entry`, `outcome`, `exception`, `wall`, `batches`, `samples`,
  `slow_batches`, `skipped_steps`, `batch_p50`, `batch_p95`, `goodput`, `time_to_first_batch`, `mfu`
- `verdict`: null, or `kind`, `share`, `summary`, `advice`, `confidence` (`high`, `medium` or `low`), `speedup` (how
  many times as fast it would be without it: an upper bound, or null), `evidence` (a list of `name`, `value`, `source`)
- `causes`: what limits the training, by rank, each with the keys of `verdict`, which is the first of them; `basis`:
  what they rest on, in words
- `windows_in_all`; `windows`: the profiler's, a list of `mode`, `stage`, `epoch` and `first_batch` (-1 where unknown),
  `batches`, `rank`, `start`, `seconds`, `overhead` (time that the training stood still), `slowdown` (of its batches, 1
  is none), `file`, `file_size`, `present` (whether the trace file is still there), `failed` (why it has no trace, or no
  reading of it), `traces` (of its batches, those that were kept), `causes`, `notes`, and `tables`: a list of `title`,
  `columns` (a list of `name`, `meaning`, `unit`) and `rows` (text as people read it)
- `budget`: seconds by part of the wall time, all parts of `PARTS`; they add up to `wall`, of a run without an end to
  the time up to which its parts are known
- `epochs`: a list of `epoch`, `start`, `wall`, `budget`, `samples`, `throughput`, `data_wait`, `p50`, `p95`, `p99`,
  `longest`, `slow_batches`, `memory`, `device_memory`, `mfu`, `skipped_steps`, `logged`, `verdict`, `resources`
  (numbers by the name of their attribute, in its unit)
- `kept_in_all`; `kept`: a list of `stage`, `kept`, `epoch`, `batch_idx`, `rank`, `start`, `seconds`, `samples`,
  `ratio`, `exception`, `phases`, `device` (seconds of phases in the device's stream), `trace_id`, `differences` (a list
  of `name`, `value`, `meaning`), `records` (what the program logged in it, as below)
- `workers`, `ranks`: lists of the fields of `WorkerRow` and `RankRow`
- `attempt`: which attempt of its job it is, and why the one before ended, in words; empty for a first one
- `straggling`: `sentence`, `rank` (that the others wait for, or null), `basis` (what the delays of `ranks` rest on),
  and `steps`: kept steps of several ranks, a list of `trace_id`, `epoch`, `batch_idx`, `last` (rank, or null) and
  `delays` (seconds by rank), thinned where there are very many
- `logged`: for each name its list of `[seconds, value]`
- `configuration`, `environment`: text by name
- `resources`: what was read of the machine, of the first rank: `interval` (seconds between exports),
  `out_of_memory` (what held the memory when it ran out, a list of `name`, `value`, `meaning`), `growth` (a sentence,
  empty without one), `notes` (what is not there, and why), and `plots`: a list of `group`, `title`, `unit`
  (UCUM; counters are rates), `left_out`, and `lines`: a list of `name`, `metric`, `mean`, `low`, `high`, `last`, and
  `points`, `[seconds, value]`, thinned where there are very many
- `other_entries`: a list of `name`, `outcome`, `seconds`
- `hangs`: a list of `at`, `rank`, `section`, `seconds`, `line`, `stacks`
- `records`: what the program logged, each wording once, a list of `at`, `level` (`error`, `warning`, `info`, `debug`),
  `logger`, `text`, `times`, `rank`, `place`, those of the first time; `records_in_all`: how much that was, in words
- `overhead` (seconds by part), `dropped`, `errors`, `damaged` (`file:line`), `left_out`
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from ocr_otel.diagnosis import Diagnosis, TimeBudget
from ocr_otel.report.build import build
from ocr_otel.report.card import bound_of, parts_of
from ocr_otel.report.data import BatchRow, EpochRow
from ocr_otel.report.drawn import PARTS
from ocr_otel.report.ranks import Straggling
from ocr_otel.report.readings import Line, Resources
from ocr_otel.report.windows import WindowRow
from ocr_otel.runs import Run

FORMAT: Final = 1


def render(run: Run) -> str:
    """Return a JSON object with the keys above."""
    data = build(run)
    causes = _causes(data.diagnosis)
    found: dict[str, Any] = {
        "format": FORMAT,
        "run_id": data.run_id,
        "service": data.service,
        "began": data.began,
        "entry": data.entry,
        "outcome": data.outcome,
        "exception": data.exception,
        "wall": data.wall,
        "batches": data.batches,
        "samples": data.samples,
        "slow_batches": data.slow_batches,
        "skipped_steps": data.skipped_steps,
        "batch_p50": data.p50,
        "batch_p95": data.p95,
        "goodput": data.goodput,
        "time_to_first_batch": data.time_to_first_batch,
        "mfu": data.mfu,
        "verdict": causes[0] if causes else None,
        "causes": causes,
        "basis": data.diagnosis.basis if data.diagnosis is not None else "",
        "budget": _budget(data.budget),
        "epochs": [_epoch(row) for row in data.epochs],
        "kept_in_all": data.kept_in_all,
        "kept": [_batch(row) for row in data.kept],
        "workers": [asdict(row) for row in data.workers],
        "windows_in_all": data.windows_in_all,
        "windows": [_window(row) for row in data.windows],
        "ranks": [asdict(row) for row in data.ranks],
        "attempt": data.attempt,
        "straggling": _straggling(data.straggling),
        "logged": data.logged,
        "configuration": data.configuration,
        "environment": data.environment,
        "resources": _resources(data.resources),
        "other_entries": [asdict(row) for row in data.other_entries],
        "hangs": [asdict(row) for row in data.hangs],
        "records": [asdict(row) for row in data.records],
        "records_in_all": data.records_in_all,
        "overhead": data.overhead,
        "dropped": data.dropped,
        "errors": data.errors,
        "damaged": data.damaged,
        "left_out": data.left_out,
    }
    return json.dumps(found, indent=2, allow_nan=False)


def _straggling(found: Straggling) -> dict[str, Any]:
    return {
        "sentence": found.sentence,
        "rank": found.rank,
        "basis": found.basis,
        "steps": [asdict(step) for step in found.heat.steps] if found.heat is not None else [],
    }


def _causes(diagnosis: Diagnosis | None) -> list[dict[str, Any]]:
    causes = diagnosis.causes if diagnosis is not None else ()
    return [{**asdict(each), "speedup": each.speedup if bound_of(each) else None} for each in causes]


def _window(row: WindowRow) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in WindowRow.__slots__ if name not in ("diagnosis", "tables", "line")}
    tables = [
        {"title": table.title, "columns": [asdict(column) for column in table.columns], "rows": table.rows}
        for table in row.tables
    ]
    return plain | {"causes": _causes(row.diagnosis), "tables": tables}


def _budget(budget: TimeBudget) -> dict[str, float]:
    parts = dict(parts_of(budget))
    return {name: parts.get(name, 0.0) for name in PARTS}


def _resources(found: Resources) -> dict[str, Any]:
    return {
        "interval": found.interval,
        "out_of_memory": [asdict(fact) for fact in found.out_of_memory],
        "growth": found.growth,
        "notes": found.sentences,
        "plots": [
            {
                "group": plot.group,
                "title": plot.title,
                "unit": plot.unit,
                "left_out": plot.left_out,
                "lines": [_line(line, found.times) for line in plot.lines],
            }
            for plot in found.plots
        ],
    }


def _line(line: Line, times: list[float]) -> dict[str, Any]:
    points = [[time, value] for time, value in zip(times, line.values, strict=True) if value is not None]
    return {
        "name": line.name,
        "metric": line.metric,
        "mean": line.mean,
        "low": line.low,
        "high": line.high,
        "last": line.last,
        "points": points,
    }


def _epoch(row: EpochRow) -> dict[str, Any]:
    return {**asdict(row), "wall": row.budget.wall, "budget": _budget(row.budget)}


def _batch(row: BatchRow) -> dict[str, Any]:
    plain = {
        name: getattr(row, name)
        for name in BatchRow.__slots__
        if name not in ("waterfall", "differences", "records", "remarks")
    }
    return plain | {
        "differences": [asdict(fact) for fact in row.differences],
        "records": [asdict(each) for each in row.records],
    }
