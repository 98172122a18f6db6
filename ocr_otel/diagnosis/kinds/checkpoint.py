"""`checkpoint`: the training waits while checkpoints are written."""

from __future__ import annotations

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import WINDOW_SOURCE, Observation
from ocr_otel.diagnosis.thresholds import CHECKPOINT
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.semconv import Bottleneck


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where saving takes little of the time."""
    budget = observation.budget
    share = budget.part(budget.checkpoint)
    if share < CHECKPOINT:
        return None
    each = budget.checkpoint / budget.checkpoints if budget.checkpoints else 0.0
    number = f": {words.count(budget.checkpoints, 'checkpoint')} of {words.seconds(each)}" if each else ""
    source = WINDOW_SOURCE if observation.window_only else semconv.CHECKPOINT_SAVE
    evidence = [
        Evidence("writing checkpoints", f"{words.seconds(budget.checkpoint)} of {words.seconds(budget.wall)}", source)
    ]
    if each:
        evidence.append(Evidence("checkpoints", f"{budget.checkpoints:,}", source))
    if observation.known.machine.pressure_io is not None:
        value = words.percent(observation.known.machine.pressure_io)
        evidence.append(Evidence("time waiting for I/O", value, semconv.PRESSURE_IO))
    return Verdict(
        Bottleneck.CHECKPOINT,
        share,
        f"Writing checkpoints took {words.percent(share)} of the time{number}.",
        "Save less often (every_n_epochs, every_n_train_steps, train_time_interval), save_weights_only=True, write to "
        "a faster disk, or use an asynchronous checkpoint plugin.",
        tuple(evidence),
        observation.measured,
    )
