"""What a trace of the profiler shows as JSON, for CI and scripts; its keys are a contract.

`format` grows when a key changes its meaning or goes; keys may be added without.

- `format`, `trace` (what it is called), `basis` (what the verdict rests on)
- `causes`: what limits the training, by rank, each with `kind`, `share`, `speedup` (an upper bound), `confidence`,
  `summary`, `advice`, `evidence` (a list of `name`, `value`, `source`); empty where the trace holds too little
- `profile`: what the trace shows, with the fields of `ocr_otel.profiling.profile.WindowProfile`; times are seconds
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from ocr_otel.diagnosis.verdict import Diagnosis, Verdict
from ocr_otel.profiling.profile import WindowProfile

FORMAT: Final = 1


def render(profile: WindowProfile, diagnosis: Diagnosis | None, title: str) -> str:
    """Return a JSON object with the keys above."""
    found = {
        "format": FORMAT,
        "trace": title,
        "basis": diagnosis.basis if diagnosis is not None else "",
        "causes": [_cause(each) for each in diagnosis.causes] if diagnosis is not None else [],
        "profile": asdict(profile),
    }
    return json.dumps(found, ensure_ascii=False, indent=1)


def _cause(verdict: Verdict) -> dict[str, Any]:
    return {**asdict(verdict), "speedup": verdict.speedup}
