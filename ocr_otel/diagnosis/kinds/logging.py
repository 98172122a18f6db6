"""`logging`: `self.log`, loggers, progress bars and other callbacks in the loop."""

from __future__ import annotations

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import Observation
from ocr_otel.diagnosis.thresholds import CALLBACKS_SECONDS_PER_BATCH, LOGGING, LOOP_SECONDS_PER_BATCH
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.semconv import Bottleneck, Phase


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where callbacks and Lightning's loop take what they always do."""
    budget = observation.budget
    callbacks = budget.seconds(Phase.CALLBACKS)
    if observation.by_batch(callbacks) < CALLBACKS_SECONDS_PER_BATCH:
        callbacks = 0.0
    loop = max(0.0, budget.seconds(Phase.LOOP) - LOOP_SECONDS_PER_BATCH * budget.batches)
    share = observation.exposed(budget.part(callbacks + loop))
    if share < LOGGING:
        return None
    culprit = ""
    evidence = [observation.phase(Phase.CALLBACKS), observation.phase(Phase.LOOP)]
    if budget.slowest_callback:
        culprit = f" ({budget.slowest_callback} alone {words.percent(budget.part(budget.slowest_callback_seconds))})"
        evidence.append(
            Evidence(
                budget.slowest_callback,
                f"{words.seconds(budget.slowest_callback_seconds)}, by batch "
                f"{words.seconds(observation.by_batch(budget.slowest_callback_seconds))}",
                semconv.SLOWEST_CALLBACK_SECONDS,
            )
        )
    if observation.known.habits.log_every is not None:
        evidence.append(
            Evidence("log_every_n_steps", str(observation.known.habits.log_every), semconv.CONFIG_LOG_EVERY)
        )
    return Verdict(
        Bottleneck.LOGGING,
        share,
        f"Callbacks and logging took {words.percent(share)} of the time{culprit}.",
        _advice(observation, loop > callbacks),
        tuple(evidence),
        observation.measured,
    )


def _advice(observation: Observation, in_loop: bool) -> str:
    name, habits = observation.budget.slowest_callback, observation.known.habits
    every = habits.log_every or 0
    less_often = f"log_every_n_steps {every} → 50" if 0 < every < 50 else "Raise log_every_n_steps"
    if in_loop:
        loggers = f" to {', '.join(habits.loggers)}" if habits.loggers else ""
        return f"{less_often}: Lightning writes{loggers} and reduces what was logged at each."
    if "ProgressBar" in name:
        rate = f" {habits.bar_refresh} → {max(20, 10 * habits.bar_refresh)}" if habits.bar_refresh else ""
        return f"{name}(refresh_rate ...){rate}, or enable_progress_bar=False."
    if name == semconv.LOG_CALLBACK:
        return (
            "Call self.log for fewer values and not in a loop: collect them, log on_epoch alone or every so many "
            "batches, and without sync_dist on each step."
        )
    if name.endswith("log_metrics"):
        return f"{less_often}: {name} writes at each of them."
    where = f"Move work out of {name}" if name else "Move work out of the hooks of callbacks and the module"
    return f"{where}, or do it every so many batches; it runs while the training waits."
