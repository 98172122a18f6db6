"""`launch`: the host cannot ask for work as fast as it is done; many small operators, or Python between them."""

from __future__ import annotations

from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.kinds import optimizer
from ocr_otel.diagnosis.observation import WINDOW_SOURCE, WORK, Observation
from ocr_otel.diagnosis.thresholds import LAUNCH
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.semconv import Bottleneck, Confidence, Phase

OPERATOR_COST: Final = 3e-6
"""Seconds that an operator of PyTorch takes on the host whatever its size: dispatch, shapes, allocation, autograd."""
PROFILER_COST: Final = 1e-6
"""Seconds by which the profiler itself lengthens each operator outside of what it measures."""


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict; None where the host is fast enough."""
    if observation.window is not None and observation.device is not None:
        return _on_device(observation, observation.window)
    if observation.window is not None:
        return _on_host(observation, observation.window)
    return _from_gpu(observation) or _standing_still(observation)


def _on_device(observation: Observation, window: WindowProfile) -> Verdict | None:
    """The device is idle, and neither data nor a synchronisation is why."""
    device = window.device
    if device is None or window.seconds <= 0:
        return None
    idle = window.seconds - device.busy
    elsewhere = sum(
        each.device_idle or 0.0
        for each in window.phases
        if each.name in (semconv.FETCH, semconv.TRANSFER, semconv.CALLBACKS_RANGE)
        or (each.name == semconv.OPTIMIZER_STEP and optimizer.judge(observation) is not None)
    )
    waited = min(idle, window.host.waiting)
    share = observation.in_window(idle - elsewhere - waited)
    if share < LAUNCH:
        return None
    kernels = words.count(device.kernels, "kernel")
    return Verdict(
        Bottleneck.LAUNCH,
        share,
        f"The device was idle {words.percent(share)} of the time because the host did not ask for work fast enough: "
        f"{kernels} of {words.seconds(device.kernel_mean)} in the mean.",
        "Fewer and larger operators: a larger batch, torch.compile(mode='reduce-overhead') or CUDA graphs, and no "
        "Python loops over steps or samples in training_step.",
        (
            Evidence("device idle", f"{words.percent(observation.in_window(idle))} of the window", WINDOW_SOURCE),
            Evidence("kernels", f"{kernels}, mean {words.seconds(device.kernel_mean)}", WINDOW_SOURCE),
            Evidence(
                "host launching",
                f"{words.count(window.host.launches, 'launch')} in {words.seconds(window.host.launching)}",
                WINDOW_SOURCE,
            ),
            *_gaps(window),
        ),
        observation.measured if observation.window_only else Confidence.HIGH,
    )


def _gaps(window: WindowProfile) -> tuple[Evidence, ...]:
    return tuple(
        Evidence("longest gap of the device", f"{words.seconds(gap.seconds)}, host: {gap.host}", WINDOW_SOURCE)
        for gap in window.gaps[:2]
    )


def _on_host(observation: Observation, window: WindowProfile) -> Verdict | None:
    """There is no device: the step is Python, or operators too small to be worth their call."""
    python, calling = _python(observation, window), _calling(observation, window)
    share = min(observation.budget.share(*WORK), python + calling)
    if share < LAUNCH:
        return None
    calls = _calls(window)
    mean = window.host.operators / window.host.operator_calls if window.host.operator_calls else 0.0
    found = [
        Evidence("Python between operators in forward", f"about {words.percent(python)} of the time", WINDOW_SOURCE),
        Evidence(
            "operators of forward and backward",
            f"{calls:,.0f} a batch, about {words.percent(calling)} of the time for calling them",
            WINDOW_SOURCE,
        ),
        Evidence("mean operator", words.seconds(mean), WINDOW_SOURCE),
        observation.phase(*WORK),
    ]
    if python >= calling:
        still = _still(observation) >= python / 2
        what = "something waited outside of PyTorch" if still else "Python ran, and not PyTorch,"
        summary = f"For {words.percent(share)} of the time {what} in training_step: no operator ran."
        advice = (
            "Move what is no tensor operation out of training_step (sleeps, files, locks, network)."
            if still
            else "Replace Python loops over samples, steps or elements in training_step by operators on whole tensors, "
            "and move what does not depend on the model into the dataset."
        )
    else:
        summary = (
            f"The host spent about {words.percent(share)} of the time on calling operators that are too small for it: "
            f"{calls:,.0f} a batch, {words.seconds(mean)} in the mean."
        )
        advice = "Fewer and larger operators: a larger batch, torch.compile, and whole tensors in place of loops."
    return Verdict(Bottleneck.LAUNCH, share, summary, advice, tuple(found), Confidence.MEDIUM)


def _python(observation: Observation, window: WindowProfile) -> float:
    """Return the share of the time in which no operator ran in forward.

    Between the nodes of a backward pass there is no code of a user's. What is known to stop a training wherever it is,
    pauses and missing CPUs, is left out, and so is what the profiler itself costs.
    """
    budget, forward = observation.budget, window.phase(semconv.FORWARD)
    if forward is None or forward.seconds <= 0:
        return 0.0
    between = max(0.0, forward.seconds - forward.operators - PROFILER_COST * window.host.operator_calls)
    share = budget.share(Phase.FORWARD) * between / forward.seconds
    pauses = budget.part(budget.collecting + budget.recompiling)
    return max(0.0, share * (1 - budget.part(budget.cpu_delay)) - pauses)


def _calls(window: WindowProfile) -> float:
    """Return how many operators forward and backward call in a batch."""
    return max(0, window.host.operator_calls - window.host.optimizer_calls) / max(1, len(window.batches))


def _calling(observation: Observation, window: WindowProfile) -> float:
    """Return the share of the time that calling operators takes.

    Of the run's time, and by what a call costs on a free CPU: in the few batches of a window operators may be stretched
    by whatever else the machine had to do.
    """
    host, batches = window.host, observation.budget.batches
    if not host.operator_calls or not batches:
        return 0.0
    cost = min(OPERATOR_COST, host.operators / host.operator_calls)
    return observation.budget.part(_calls(window) * batches * cost)


def _still(observation: Observation) -> float:
    """Return the share of the time in which the training's thread did nothing at all in forward and backward.

    A thread runs, or could run and has no CPU, or waits. Its waits for data, for other ranks and for checkpoints are
    known; what is left is in what should be computing. 0 where it is not known, or where it may wait for a device.
    """
    budget = observation.budget
    if observation.known.machine.accelerator is not False or not budget.main_cpu:
        return 0.0
    waiting = budget.wall - budget.main_cpu - budget.cpu_delay
    elsewhere = budget.seconds(Phase.FETCH, Phase.COMMUNICATION) + budget.checkpoint + budget.validation + budget.other
    return min(budget.part(waiting - elsewhere), budget.share(*WORK))


def _from_gpu(observation: Observation) -> Verdict | None:
    """Without a window, a GPU that is idle while the host is in forward and backward."""
    gpu = observation.known.machine.gpu
    if gpu is None or observation.known.machine.accelerator is False:
        return None
    share = observation.exposed(observation.budget.share(*WORK, Phase.OPTIMIZER))
    others = observation.exposed(observation.budget.share(Phase.FETCH, Phase.TRANSFER, Phase.CALLBACKS))
    share = max(0.0, min(share, observation.idle - others))
    if share < LAUNCH:
        return None
    return Verdict(
        Bottleneck.LAUNCH,
        share,
        f"The GPU ran kernels only {words.percent(gpu)} of the time, while the host was in forward and backward.",
        "Open a window of the profiler to see why; often many small operators, or Python between them: a larger "
        "batch, torch.compile or CUDA graphs, and no loops in training_step.",
        (observation.phase(*WORK), Evidence("GPU in use", words.percent(gpu), semconv.GPU_USED_MEAN)),
        Confidence.LOW,
    )


def _standing_still(observation: Observation) -> Verdict | None:
    """Without a window and a device, a training that does not compute in what should be computing."""
    budget = observation.budget
    share = _still(observation)
    if share < LAUNCH:
        return None
    return Verdict(
        Bottleneck.LAUNCH,
        share,
        f"For {words.percent(share)} of the time the training was in forward and backward and did nothing: it waited.",
        "Look for what waits in training_step: sleeps, files, locks, other processes, network.",
        (
            Evidence(
                "CPU time of the training's thread",
                f"{words.seconds(budget.main_cpu)} of {words.seconds(budget.wall)}",
                semconv.MAIN_THREAD_CPU_SECONDS,
            ),
            observation.phase(*WORK),
        ),
        Confidence.MEDIUM,
    )
