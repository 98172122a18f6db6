"""The report as JSON, for CI and scripts."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ocr_otel.report.build import build
from ocr_otel.report.card import parts_of
from ocr_otel.runs import Run


def render(run: Run) -> str:
    """Return a JSON object; its keys are those of `ReportData`, times in seconds, without the waterfalls."""
    data = build(run)
    found: dict[str, Any] = asdict(data)
    for batch in found["kept"]:
        del batch["waterfall"]
    found["budget"] = dict(parts_of(data.budget))
    for row, epoch in zip(found["epochs"], data.epochs, strict=True):
        row["budget"] = dict(parts_of(epoch.budget))
        row["wall"] = epoch.budget.wall
    return json.dumps(found, indent=2, allow_nan=False, default=str)
