"""`validation`: validations inside the epochs take too much of them."""

from __future__ import annotations

import math
from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import Observation
from ocr_otel.diagnosis.thresholds import VALIDATION
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.semconv import Bottleneck

AIM: Final = 0.1
"""Share of the time that validation may well take."""


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where validation takes no more than is usual."""
    budget = observation.budget
    share = budget.part(budget.validation)
    if share < VALIDATION:
        return None
    number = (
        f": {words.count(budget.validations, 'validation')} of {words.seconds(budget.validation / budget.validations)}"
        if budget.validations
        else ""
    )
    training = words.count(budget.batches, "training batch")
    return Verdict(
        Bottleneck.VALIDATION,
        share,
        f"Validation took {words.percent(share)} of the time{number} for {training}.",
        _advice(observation, share),
        (
            Evidence(
                "validation", f"{words.seconds(budget.validation)} of {words.seconds(budget.wall)}", semconv.VALIDATION
            ),
            Evidence("validations", f"{budget.validations:,}", semconv.VALIDATIONS),
            Evidence("training batches", f"{budget.batches:,}", semconv.BATCHES),
        ),
        observation.measured,
    )


def _advice(observation: Observation, share: float) -> str:
    # So many times less often, and validation takes `AIM` of what then is the time.
    factor = math.ceil(share / (1 - share) * (1 - AIM) / AIM) if share < 1 else 0
    habits = observation.known.habits
    other = "validate on fewer batches (limit_val_batches), or with larger ones"
    interval = habits.val_check_interval
    if interval is not None and interval < 1 and factor:
        wider = min(1.0, interval * factor)
        return f"val_check_interval {interval:g} → {wider:.2g}, or {other}."
    if interval is not None and interval > 1 and factor:
        return f"val_check_interval {interval:g} → {interval * factor:g}, or {other}."
    if habits.check_val_every is not None and factor:
        every = habits.check_val_every
        return f"check_val_every_n_epoch {every} → {every * factor}, or {other}."
    return f"Validate less often (check_val_every_n_epoch, val_check_interval), or {other}."
