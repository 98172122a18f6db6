"""The report as JSON, for CI and scripts; its keys are a contract.

`format` grows when a key changes its meaning or goes; keys may be added without. Times are seconds, `start` from the
beginning of the run, memory bytes, shares 0 to 1; null is what is unknown or does not apply.

- `format`, `run_id`, `service`, `began` (Unix seconds), `entry`, `outcome`, `exception`, `wall`, `batches`, `samples`,
  `slow_batches`, `skipped_steps`, `batch_p50`, `batch_p95`, `goodput`, `time_to_first_batch`, `mfu`
- `verdict`: null, or `kind`, `share`, `summary`, `advice`
- `budget`: seconds by part of the wall time, all parts of `PARTS`; they add up to `wall`, of a run without an end to
  the time up to which its parts are known
- `epochs`: a list of `epoch`, `start`, `wall`, `budget`, `samples`, `throughput`, `data_wait`, `p50`, `p95`, `p99`,
  `longest`, `slow_batches`, `memory`, `device_memory`, `mfu`, `skipped_steps`, `logged`, `verdict`
- `kept_in_all`; `kept`: a list of `stage`, `kept`, `epoch`, `batch_idx`, `rank`, `start`, `seconds`, `samples`,
  `ratio`, `exception`, `phases`, `trace_id`
- `workers`, `ranks`: lists of the fields of `WorkerRow` and `RankRow`
- `logged`: for each name its list of `[seconds, value]`
- `configuration`, `environment`: text by name
- `other_entries`: a list of `name`, `outcome`, `seconds`
- `overhead` (seconds by part), `dropped`, `errors`, `damaged` (`file:line`), `left_out`
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from ocr_otel.diagnosis import TimeBudget
from ocr_otel.report.build import build
from ocr_otel.report.card import parts_of
from ocr_otel.report.data import BatchRow, EpochRow
from ocr_otel.report.drawn import PARTS
from ocr_otel.runs import Run

FORMAT: Final = 1


def render(run: Run) -> str:
    """Return a JSON object with the keys above."""
    data = build(run)
    verdict = data.verdict
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
        "verdict": None if verdict is None else asdict(verdict),
        "budget": _budget(data.budget),
        "epochs": [_epoch(row) for row in data.epochs],
        "kept_in_all": data.kept_in_all,
        "kept": [_batch(row) for row in data.kept],
        "workers": [asdict(row) for row in data.workers],
        "ranks": [asdict(row) for row in data.ranks],
        "logged": data.logged,
        "configuration": data.configuration,
        "environment": data.environment,
        "other_entries": [asdict(row) for row in data.other_entries],
        "overhead": data.overhead,
        "dropped": data.dropped,
        "errors": data.errors,
        "damaged": data.damaged,
        "left_out": data.left_out,
    }
    return json.dumps(found, indent=2, allow_nan=False)


def _budget(budget: TimeBudget) -> dict[str, float]:
    parts = dict(parts_of(budget))
    return {name: parts.get(name, 0.0) for name in PARTS}


def _epoch(row: EpochRow) -> dict[str, Any]:
    return {**asdict(row), "wall": row.budget.wall, "budget": _budget(row.budget)}


def _batch(row: BatchRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in BatchRow.__slots__ if name != "waterfall"}
