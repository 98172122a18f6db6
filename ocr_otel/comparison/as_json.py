"""A comparison as JSON, for CI and scripts; its keys are a contract.

`format` grows when a key changes its meaning or goes; keys may be added without. Times are seconds; null is unknown.

- `format`, `level` (probability of a false alarm), `least` (least change that matters, a share), `warmup` (batches)
- `base`: the run that the others are compared with: `run_id`, `entry`, `outcome`
- `pairs`: for each other run `run_id`, `entry`, `outcome`, and
    - `change`: `slower`, `faster`, `no change found` or `too few batches`; `sentence`: the same with its numbers
    - `samples`: of `base` and `other` each `compared`, `every`, `warmup`, `chosen`, `correlation`, `blocks`, `length`,
      `mean_of_all`
    - `batch_time`: a list of `name`, `base`, `other`, `ratio`, `low`, `high`, `p`, `level`, `judged`, `changed`
    - `phases`: a list of `phase`, `base`, `other`, `difference`, `low`, `high`, `p`, `changed`, of their means
    - `quantities`: a list of `group`, `name`, `unit` (UCUM), `base`, `other`, `ratio`
    - `differences`: a list of `group`, `name`, `base`, `other`, texts that are not the same
    - `notes`: what to know before believing it
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from ocr_otel.comparison.data import Comparison, Estimate, Measured, Pair

FORMAT: Final = 1


def render(comparison: Comparison) -> str:
    """Return a JSON object with the keys above."""
    found = {
        "format": FORMAT,
        "level": comparison.level,
        "least": comparison.least,
        "warmup": comparison.warmup,
        "base": _run(comparison.base),
        "pairs": [_pair(pair) for pair in comparison.pairs],
    }
    return json.dumps(found, indent=2, allow_nan=False)


def _run(run: Measured) -> dict[str, Any]:
    return {"run_id": run.data.run_id, "entry": run.data.entry, "outcome": run.data.outcome}


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        **_run(pair.run),
        "change": str(pair.outcome),
        "sentence": pair.sentence,
        "samples": {"base": asdict(pair.base), "other": asdict(pair.other)},
        "batch_time": [
            {
                "name": each.name,
                **_estimate(each.estimate, "ratio"),
                "level": each.level,
                "judged": each.judged,
                "changed": each.changed,
            }
            for each in pair.changes
        ],
        "phases": [
            {"phase": each.phase, **_estimate(each.estimate, "difference"), "changed": each.changed}
            for each in pair.phases
        ],
        "quantities": [asdict(each) | {"ratio": each.ratio} for each in pair.quantities],
        "differences": [asdict(each) for each in pair.differences],
        "notes": pair.notes,
    }


def _estimate(found: Estimate, kind: str) -> dict[str, float]:
    return {
        "base": found.base, "other": found.other, kind: found.change, "low": found.low, "high": found.high,
        "p": found.p,
    }  # fmt: skip
