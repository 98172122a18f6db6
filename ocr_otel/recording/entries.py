"""What a whole Trainer entry adds up to, and the attributes of its span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.recording.summaries import EntrySummary, LoopSummary
from ocr_otel.semconv import Outcome, Phase, Stage

_USEFUL: Final = (Phase.TRANSFER, Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER)


def entry_summary(
    entry: str,
    outcome: Outcome,
    start: int,
    end: int,
    done: Sequence[LoopSummary],
    first_batch_at: int | None,
    checkpoint_ns: int,
    mfu: float | None,
    destination: str,
    directory: str,
    straggler: str = "",
) -> EntrySummary:
    """Add an entry up.

    Args:
        entry: Its name.
        outcome: How it ended.
        start: Its beginning, monotonic nanoseconds.
        end: Its end.
        done: Its epochs and validations.
        first_batch_at: When the first training batch was in hand; None without one.
        checkpoint_ns: Nanoseconds of writing checkpoints outside epochs.
        mfu: Model FLOPs utilisation, where known.
        destination: Where telemetry went.
        directory: The run directory, empty when there is none.
        straggler: The rank that all others wait for, in one sentence; empty where there is none.
    """
    wall = (end - start) / 1e9
    epochs = [each for each in done if each.stage is Stage.TRAIN]
    useful = sum(each.phases[phase] for each in epochs for phase in _USEFUL)
    return EntrySummary(
        entry=entry,
        outcome=str(outcome),
        wall=wall,
        epochs=tuple(epochs or done),
        time_to_first_batch=None if first_batch_at is None else (first_batch_at - start) / 1e9,
        goodput=useful / wall if epochs and wall > 0 else None,
        mfu=mfu,
        checkpoint_outside=checkpoint_ns / 1e9,
        spans_lost=0,
        destination=destination,
        directory=directory,
        straggler=straggler,
    )


def entry_attributes(summary: EntrySummary, judged: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of an entry's span.

    Args:
        summary: The entry.
        judged: The attributes of the verdict.
    """
    attributes: dict[str, Any] = {
        semconv.OUTCOME: summary.outcome,
        semconv.BATCHES: sum(each.batches for each in summary.epochs),
        semconv.SAMPLES: sum(each.samples for each in summary.epochs),
        **judged,
    }
    for name, value in (
        (semconv.TIME_TO_FIRST_BATCH, summary.time_to_first_batch),
        (semconv.GOODPUT, summary.goodput),
        (semconv.MFU, summary.mfu),
    ):
        if value is not None:
            attributes[name] = value
    return attributes
