"""The coarse verdict that phases alone allow: which part of the wall time stands out, by how much, what to try.

A kind is considered only above its threshold, and the one that exceeds its threshold most is the verdict. The
thresholds differ because the parts do: half of the time in forward and backward is what a training is for, a tenth of
it in writing checkpoints is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ocr_otel.diagnosis.budget import TimeBudget
from ocr_otel.semconv import Bottleneck, Phase

MIN_BATCHES: Final = 5
"""Fewer training batches than this are start-up, not a training that could be judged."""
MIN_LOOP_SECONDS_PER_BATCH: Final = 0.001
"""Below a millisecond a batch, callbacks and Lightning's loop are a fixed cost of tiny steps, not a defect."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What limits a training.

    Attributes:
        kind: The bottleneck, `none` when no part stands out.
        share: Share of the wall time it is about, 0 to 1.
        summary: One sentence with the number behind it.
        advice: What to try, one sentence; empty for `none`.
    """

    kind: Bottleneck
    share: float
    summary: str
    advice: str


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: Bottleneck
    threshold: float
    summary: str
    advice: str


_RULES: Final = (
    _Rule(
        Bottleneck.DATA,
        0.20,
        "The training waited for data {percent} of the time.",
        "Raise num_workers or prefetch_factor, make the dataset's decoding and augmentation cheaper, or cache; the "
        "worker spans show which part is slow.",
    ),
    _Rule(
        Bottleneck.TRANSFER,
        0.20,
        "Moving batches to the device took {percent} of the time.",
        "Set pin_memory=True, transfer fewer or smaller tensors, and convert types on the device.",
    ),
    _Rule(
        Bottleneck.OPTIMIZER,
        0.35,
        "The optimiser took {percent} of the time.",
        "Use a fused or foreach optimiser, accumulate gradients over more batches, or enlarge the batch.",
    ),
    _Rule(
        Bottleneck.LOGGING,
        0.25,
        "Callbacks and logging took {percent} of the time{callback}.",
        "Log less often (log_every_n_steps), lower the progress bar's refresh rate, and move work out of batch hooks.",
    ),
    _Rule(
        Bottleneck.CHECKPOINT,
        0.10,
        "Writing checkpoints took {percent} of the time.",
        "Save less often, save weights only, write to a faster disk, or use an asynchronous checkpoint plugin.",
    ),
    _Rule(
        Bottleneck.VALIDATION,
        0.40,
        "Validation took {percent} of the time.",
        "Validate less often (check_val_every_n_epoch, val_check_interval), on fewer batches, or with larger ones.",
    ),
    _Rule(
        Bottleneck.COMPUTE,
        0.60,
        "The model's own forward and backward took {percent} of the time; nothing else holds the training up.",
        "Lower precision, torch.compile, a smaller input or a faster device are what is left.",
    ),
)


def diagnose(budget: TimeBudget) -> Verdict | None:
    """Name the bottleneck of an epoch or entry.

    Args:
        budget: Where its wall time went.

    Returns:
        The verdict, or None where there were too few training batches to judge.
    """
    if budget.batches < MIN_BATCHES or budget.wall <= 0:
        return None
    candidates = [(_share(rule.kind, budget), rule) for rule in _RULES]
    exceeding = [(share / rule.threshold, share, rule) for share, rule in candidates if share >= rule.threshold]
    if not exceeding:
        share = budget.share(Phase.FORWARD, Phase.BACKWARD)
        return Verdict(
            Bottleneck.NONE, share, f"No part stands out; the model's own work took {share:.0%} of the time.", ""
        )
    # A defect goes before "compute": that the model works is only news when nothing else is wrong.
    _, share, rule = max(exceeding, key=lambda item: (item[2].kind is not Bottleneck.COMPUTE, item[0]))
    callback = (
        f" ({budget.slowest_callback} alone {_percent(budget.slowest_callback_seconds / budget.wall)})"
        if budget.slowest_callback
        else ""
    )
    return Verdict(rule.kind, share, rule.summary.format(percent=_percent(share), callback=callback), rule.advice)


def _share(kind: Bottleneck, budget: TimeBudget) -> float:
    match kind:
        case Bottleneck.DATA:
            return budget.share(Phase.FETCH)
        case Bottleneck.TRANSFER:
            return budget.share(Phase.TRANSFER)
        case Bottleneck.OPTIMIZER:
            return budget.share(Phase.OPTIMIZER)
        case Bottleneck.LOGGING:
            seconds = budget.phases.get(Phase.CALLBACKS, 0.0) + budget.phases.get(Phase.LOOP, 0.0)
            if seconds / budget.batches < MIN_LOOP_SECONDS_PER_BATCH:
                return 0.0
            return seconds / budget.wall
        case Bottleneck.CHECKPOINT:
            return budget.checkpoint / budget.wall
        case Bottleneck.VALIDATION:
            return budget.validation / budget.wall
        case _:
            return budget.share(Phase.FORWARD, Phase.BACKWARD)


def _percent(share: float) -> str:
    return f"{share:.0%}"
