"""Asks each kind, ranks what they say, and says what is left when none says anything."""

from __future__ import annotations

from typing import Final

from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.kinds import DEFECTS, compute
from ocr_otel.diagnosis.kinds.cpu_contention import by_others
from ocr_otel.diagnosis.observation import WORK, Observation
from ocr_otel.diagnosis.thresholds import MIN_BATCHES, THRESHOLDS
from ocr_otel.diagnosis.verdict import Diagnosis, Verdict
from ocr_otel.semconv import Bottleneck, Confidence

MAX_CAUSES: Final = 3
"""More are not read."""
_PAUSES: Final = frozenset({Bottleneck.MEMORY, Bottleneck.COMPILE, Bottleneck.CPU_CONTENTION})
"""What stops the training wherever it is, so that its time is in that of other parts too."""
_HOLD_PAUSES: Final = frozenset({Bottleneck.LAUNCH, Bottleneck.OPTIMIZER, Bottleneck.LOGGING, Bottleneck.TRANSFER})
"""Parts in which the training itself works, so that a pause may be all that is slow in them."""


def diagnose(observation: Observation) -> Diagnosis | None:
    """Name what limits a training.

    Args:
        observation: What is known of it.

    Returns:
        The causes by rank; None where there were too few training batches to judge. What is recoverable goes before
        `compute`: that the model works is only news when nothing else is wrong.
    """
    budget = observation.budget
    if budget.wall <= 0 or (observation.window is None and budget.batches < MIN_BATCHES):
        return None
    found = [verdict for kind in DEFECTS if (verdict := kind(observation)) is not None]
    # What others do on the machine stretches all parts; it comes after what the training can change itself.
    causes = sorted(_without_explained(found), key=lambda verdict: (by_others(verdict), -verdict.share))[:MAX_CAUSES]
    if not causes:
        causes = [compute.judge(observation) or _nothing(observation)]
    return Diagnosis(tuple(causes), observation.basis)


def _without_explained(found: list[Verdict]) -> list[Verdict]:
    """Leave out parts that are slow only because of a pause that is a cause of its own."""
    pauses = sum(verdict.share for verdict in found if verdict.kind in _PAUSES and not by_others(verdict))
    return [
        verdict
        for verdict in found
        if verdict.kind not in _HOLD_PAUSES or verdict.share - pauses >= THRESHOLDS[verdict.kind] / 2
    ]


def _nothing(observation: Observation) -> Verdict:
    share = observation.budget.share(*WORK)
    return Verdict(
        Bottleneck.NONE,
        share,
        f"No part stands out; the model's own work took {words.percent(share)} of the time.",
        "",
        (observation.phase(*WORK),),
        observation.measured if observation.window is not None else Confidence.MEDIUM,
    )
