"""`compile`: `torch.compile` compiles the same code again and again."""

from __future__ import annotations

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import Observation
from ocr_otel.diagnosis.thresholds import COMPILE
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.semconv import Bottleneck


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where code was compiled once, or in little of the time."""
    budget = observation.budget
    share = budget.part(budget.recompiling)
    if share < COMPILE:
        return None
    again = words.count(budget.recompilations, "time")
    return Verdict(
        Bottleneck.COMPILE,
        share,
        f"torch.compile compiled code again that it had compiled before, {again}, which took {words.percent(share)} "
        "of the time.",
        "TORCH_LOGS=recompiles names the guard that failed. Give inputs few shapes (pad, or sort by length), "
        "torch.compile(dynamic=True) or mark_dynamic, and keep changing Python numbers out of what is compiled.",
        (
            Evidence(
                "compiling again",
                f"{words.seconds(budget.recompiling)} of {words.seconds(budget.wall)}",
                semconv.RECOMPILING_SECONDS,
            ),
            Evidence("recompilations", f"{budget.recompilations:,}", semconv.RECOMPILATIONS),
            Evidence("compiling in all", words.seconds(budget.compiling), semconv.COMPILING_SECONDS),
        ),
        observation.measured,
    )
