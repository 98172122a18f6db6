"""Makes what a window of the profiler showed, without a profiler: times made up, in the shape of a real one."""

from __future__ import annotations

import random
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.profiling.profile import (
    Communication,
    Device,
    Gap,
    Host,
    Kernel,
    Operator,
    Range,
    Slice,
    Synchronization,
    Transfer,
    WindowProfile,
)

PHASES: Final = (
    ("fetch", 0.020),
    ("transfer", 0.002),
    ("forward", 0.016),
    ("backward", 0.022),
    ("optimizer_step", 0.006),
    ("callbacks:RichProgressBar", 0.003),
)
BATCH: Final = sum(seconds for _, seconds in PHASES) + 0.001
"""Seconds of a batch, with a little of the loop's own."""
_OPERATORS: Final = ("aten::conv2d", "aten::batch_norm", "aten::relu", "aten::linear", "aten::log_softmax")


def profile(
    epoch: int = 0, first: int = 10, batches: int = 3, device: bool = True, hostile: str = "", operators: int = 12
) -> WindowProfile:
    """Return the profile of a window.

    Args:
        epoch: Epoch of its batches.
        first: Index of the first.
        batches: How many.
        device: Whether there is a GPU, which waits for the host.
        hostile: Name of one more operator.
        operators: Operators in a forward.
    """
    made = random.Random(5)
    slices: list[Slice] = []
    gaps: list[Gap] = []
    for index in range(batches):
        at = index * BATCH
        slices.append(Slice("batches", f"{semconv.TRAIN_BATCH} epoch={epoch} batch={first + index}", at, BATCH))
        gaps.append(Gap(at, 0.022, "fetch"))
        for name, seconds in PHASES:
            slices.append(Slice("phases", name, at, seconds))
            if name in ("forward", "backward"):
                for place in range(operators):
                    length = seconds / operators
                    start = at + place * length
                    called = _OPERATORS[place % len(_OPERATORS)]
                    slices.append(Slice("operators", called, start, 0.9 * length))
                    slices.append(Slice("operators", f"{called}_impl", start + 0.1 * length, 0.7 * length))
                    if device:
                        busy = made.uniform(0.3, 0.6) * length
                        slices.append(Slice("device", f"void {called[6:]}_kernel<float>", start + 0.4 * length, busy))
            if name == "transfer" and device:
                slices.append(Slice("transfers", "Memcpy HtoD (Pageable -> Device)", at, 0.0016))
            if name == "backward" and device:
                slices.append(Slice("communication", "nccl:all_reduce", at + 0.7 * seconds, 0.5 * seconds))
            at += seconds
    if hostile:
        slices.append(Slice("operators", hostile, 0.0, BATCH))
    wall = batches * BATCH
    share = 1 / len(_OPERATORS)
    return WindowProfile(
        seconds=wall,
        batches=(BATCH,) * batches,
        host=Host(operators=0.5 * wall, operator_calls=600, leaf_calls=900, leaf_mean=2e-5, launches=480, waiting=0.01),
        device=Device(
            name="NVIDIA H100",
            busy=0.3 * wall,
            idle=0.7 * wall,
            computing=0.28 * wall,
            kernels=480,
            kernel_mean=4e-5,
            compute_bound=0.2 * wall,
            memory_bound=0.08 * wall,
        )
        if device
        else None,
        operators=tuple(
            Operator(name, 24, 0.004, 0.009, 0.003, 0.006, share, shapes="[16, 64, 32, 128]")
            for name in ((hostile,) if hostile else ()) + _OPERATORS
        ),
        kernels=(Kernel("void conv2d_kernel<float>", 96, 0.031, 0.62), Kernel("void relu_kernel", 96, 0.008, 0.16))
        if device
        else (),
        transfers=(Transfer("HtoD", "pageable", 3, 3 * 2**22, 0.0048),) if device else (),
        synchronizations=(Synchronization("cudaStreamSynchronize", "aten::item in forward", 3, 0.012),)
        if device
        else (),
        gaps=tuple(gaps) if device else (),
        communication=(Communication("all_reduce", 3, 2**24, 0.033, 0.02),) if device else (),
        phases=tuple(
            Range(name.partition(":")[0], batches, batches * seconds, 0.4 * seconds) for name, seconds in PHASES
        ),
        slices=tuple(slices),
        events=4200,
        notes=() if device else ("The trace holds no events of a device: times are those of the host.",),
    )


def bottleneck(
    kind: str, share: float, rank: int = 1, advice: str = "Raise num_workers from 2 to 6."
) -> dict[str, Any]:
    """Return the attributes of a verdict."""
    return {
        semconv.BOTTLENECK_KIND: kind,
        semconv.BOTTLENECK_SHARE: share,
        semconv.BOTTLENECK_SPEEDUP: 1 / (1 - share),
        semconv.BOTTLENECK_CONFIDENCE: "high",
        semconv.BOTTLENECK_SUMMARY: f"The {kind} of this training takes {share:.0%} of the time.",
        semconv.BOTTLENECK_ADVICE: advice,
        semconv.BOTTLENECK_EVIDENCE: [
            f"time in {kind}: 20.4 ms of 69.9 ms a batch (phases of 1,800 batches)",
            "two workers deliver a batch: every 41 ms (worker spans (kept batches))",
        ],
        semconv.BOTTLENECK_BASIS: "phases of 900 batches",
        semconv.BOTTLENECK_RANK: rank,
    }
