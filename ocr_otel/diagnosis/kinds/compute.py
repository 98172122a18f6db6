"""`compute` and `memory_bandwidth`: nothing holds the training up but the model's own work."""

from __future__ import annotations

from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import WINDOW_SOURCE, WORK, Observation
from ocr_otel.diagnosis.thresholds import COMPUTE, MEMORY_BANDWIDTH
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.semconv import Bottleneck, Confidence

MIN_REPEATED: Final = 0.5
"""Where set-up took more than half, the training itself is too small a part to be judged by."""


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where the model's work is not the overwhelming part of the time."""
    share = _share(observation)
    if share < COMPUTE * _repeated(observation):
        return None
    moving = _moving(observation)
    evidence = [observation.phase(*WORK), *_evidence(observation)]
    confidence = observation.measured if observation.window is not None else Confidence.MEDIUM
    # That operators move memory is something to change: it has to be so of all the time, set-up and all.
    if moving is not None and moving >= MEMORY_BANDWIDTH and share >= COMPUTE:
        return Verdict(
            Bottleneck.MEMORY_BANDWIDTH,
            share * moving,
            f"Operators that only move memory take {words.percent(moving)} of the model's work, which is "
            f"{words.percent(share)} of the time.",
            "torch.compile fuses element-wise operators; channels_last, bf16 or fp16 halve what is moved; work in "
            "place, and leave out copies and changes of layout.",
            tuple(evidence),
            confidence,
        )
    return Verdict(
        Bottleneck.COMPUTE,
        share,
        f"The model's own forward and backward took {words.percent(share)} of the time; nothing else holds the "
        "training up.",
        _advice(observation),
        tuple(evidence),
        confidence,
    )


def _share(observation: Observation) -> float:
    device = observation.device
    if device is not None:
        return observation.in_window(device.computing)
    return observation.budget.share(*WORK)


def _repeated(observation: Observation) -> float:
    """Return the share of the time that is not set-up, which a longer training would not have more of; at most half."""
    budget = observation.budget
    return 1.0 if observation.device is not None else max(1 - budget.part(budget.other), MIN_REPEATED)


def _moving(observation: Observation) -> float | None:
    """Return the share of the work that only moves memory; None where nobody looked."""
    if observation.window is None:
        return None
    busy = observation.device or observation.window.host
    both = busy.compute_bound + busy.memory_bound
    return busy.memory_bound / both if both > 0 else None


def _evidence(observation: Observation) -> list[Evidence]:
    window = observation.window
    if window is None:
        gpu = observation.known.machine.gpu
        return [Evidence("GPU in use", words.percent(gpu), semconv.GPU_USED_MEAN)] if gpu is not None else []
    busy = window.device or window.host
    found = [
        Evidence("operators that compute", words.seconds(busy.compute_bound), WINDOW_SOURCE),
        Evidence("operators that move memory", words.seconds(busy.memory_bound), WINDOW_SOURCE),
    ]
    return found + [
        Evidence(each.name, f"{words.percent(each.share)} of the operators' time", WINDOW_SOURCE)
        for each in window.operators[:3]
    ]


def _advice(observation: Observation) -> str:
    precision = observation.known.habits.precision
    lower = f"precision {precision} → bf16-mixed" if precision.startswith("32") else "Lower precision"
    return f"{lower}, torch.compile, a smaller model or input, or a faster device are what is left."
