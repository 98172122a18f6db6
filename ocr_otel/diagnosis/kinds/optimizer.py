"""`optimizer`: the step of the optimiser."""

from __future__ import annotations

from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import WINDOW_SOURCE, Observation
from ocr_otel.diagnosis.thresholds import OPTIMIZER, OPTIMIZER_FOR_LOOP
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.semconv import Bottleneck, Phase

FOR_LOOP: Final = "for-loop"


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where the step takes no more than it must."""
    share = _share(observation)
    facts = observation.known.optimizer
    if share < (OPTIMIZER_FOR_LOOP if facts.implementation == FOR_LOOP else OPTIMIZER):
        return None
    name = facts.name or "the optimiser"
    tensors = f" over {words.count(facts.tensors, 'tensor')}" if facts.tensors else ""
    seconds = observation.by_batch(observation.budget.seconds(Phase.OPTIMIZER))
    evidence = [
        observation.phase(Phase.OPTIMIZER),
        Evidence("step by batch", words.seconds(seconds), semconv.phase_seconds(Phase.OPTIMIZER)),
    ]
    if facts.implementation:
        evidence.append(Evidence("implementation", facts.implementation, semconv.CONFIG_OPTIMIZER_IMPLEMENTATION))
    if facts.tensors is not None:
        evidence.append(Evidence("parameter tensors", f"{facts.tensors:,}", semconv.CONFIG_OPTIMIZER_TENSORS))
    if facts.parameters is not None:
        evidence.append(Evidence("parameters", f"{facts.parameters:,}", semconv.CONFIG_PARAMETERS))
    if observation.window is not None:
        calls = f"{observation.window.host.optimizer_calls:,}"
        evidence.append(Evidence("operators in the steps", calls, WINDOW_SOURCE))
    return Verdict(
        Bottleneck.OPTIMIZER,
        share,
        f"The optimiser took {words.percent(share)} of the time: {name}{tensors}, {words.seconds(seconds)} a batch.",
        _advice(observation),
        tuple(evidence),
        observation.measured,
    )


def _share(observation: Observation) -> float:
    share = observation.exposed(observation.budget.share(Phase.OPTIMIZER))
    # The part, not the range: that one holds the closure in which Lightning runs forward and backward.
    step = observation.window.phase(semconv.OPTIMIZER_STEP) if observation.window is not None else None
    if step is None or step.device is None:
        return share
    # Its kernels take the device's time, and the device may stand still because the host is in the step.
    return observation.in_window(step.device + (step.device_idle or 0.0))


def _advice(observation: Observation) -> str:
    facts = observation.known.optimizer
    name = facts.name or "The optimiser"
    less = "accumulate gradients over more batches"
    if facts.accumulate:
        less = f"accumulate_grad_batches {facts.accumulate} → {2 * facts.accumulate}"
    if facts.implementation == FOR_LOOP:
        return f"{name}(..., fused=True), or foreach=True: it steps tensor by tensor now. Or {less}."
    if facts.implementation == "foreach":
        return f"{name}(..., fused=True), {less}, or a larger batch."
    return f"Step less often ({less}), use a larger batch, or an optimiser of PyTorch with fused=True."
