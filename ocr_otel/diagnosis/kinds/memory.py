"""`memory`: it is short, or the garbage collector walks through it."""

from __future__ import annotations

from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import words
from ocr_otel.diagnosis.observation import WINDOW_SOURCE, Observation
from ocr_otel.diagnosis.thresholds import MEMORY
from ocr_otel.diagnosis.verdict import Evidence, Verdict
from ocr_otel.semconv import Bottleneck

SWAPPING: Final = 100.0
"""Pages a second to and from swap (400 KiB/s) below which it is what a healthy host does now and then."""
ALLOCATING: Final = ("cudaMalloc", "cudaFree", "hipMalloc", "hipFree", "cudaHostAlloc")
"""Calls that a warm allocator does not make; each stops the device."""


def judge(observation: Observation) -> Verdict | None:
    """Return the verdict of what takes most; None where memory is no trouble."""
    found = [
        verdict
        for verdict in (_collector(observation), _allocator(observation), _swapping(observation))
        if verdict is not None
    ]
    return max(found, key=lambda verdict: verdict.share, default=None)


def _collector(observation: Observation) -> Verdict | None:
    budget = observation.budget
    share = budget.part(budget.collecting)
    if share < MEMORY:
        return None
    return Verdict(
        Bottleneck.MEMORY,
        share,
        f"Python's garbage collector held the training up {words.percent(share)} of the time, with "
        f"{words.count(budget.collections, 'full collection')}.",
        "Do not call gc.collect() in the loop; gc.freeze() before the training, or a higher gc.set_threshold; keep "
        "fewer Python objects alive (arrays in place of lists of numbers), and collect between epochs.",
        (
            Evidence(
                "garbage collection",
                f"{words.seconds(budget.collecting)} of {words.seconds(budget.wall)}",
                semconv.COLLECTING_SECONDS,
            ),
            Evidence("full collections", f"{budget.collections:,}", semconv.FULL_COLLECTIONS),
        ),
        observation.measured,
    )


def _allocator(observation: Observation) -> Verdict | None:
    window = observation.window
    if window is None or window.device is None:
        return None
    calls = [each for each in window.synchronizations if each.name.startswith(ALLOCATING)]
    gaps = sum(gap.seconds for gap in window.gaps if any(name in gap.host for name in ALLOCATING))
    share = observation.in_window(max(sum(each.seconds for each in calls), gaps))
    if share < MEMORY:
        return None
    return Verdict(
        Bottleneck.MEMORY,
        share,
        f"The device's memory was allocated and freed {words.percent(share)} of the time, which PyTorch's cache avoids "
        "where memory suffices.",
        "Do not call torch.cuda.empty_cache() in the loop; a smaller batch, "
        "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True, and fewer different shapes (pad to a few lengths).",
        tuple(
            Evidence(each.name, f"{words.count(each.calls, 'call')}, {words.seconds(each.seconds)}", WINDOW_SOURCE)
            for each in calls[:3]
        ),
        observation.measured,
    )


def _swapping(observation: Observation) -> Verdict | None:
    machine = observation.known.machine
    if machine.pressure_memory is None or machine.swapped is None or machine.swapped < SWAPPING:
        return None
    share = min(1.0, machine.pressure_memory)
    if share < MEMORY:
        return None
    return Verdict(
        Bottleneck.MEMORY,
        share,
        f"The host's memory was short: tasks waited for it {words.percent(share)} of the time, and pages moved to and "
        "from swap.",
        "Fewer workers (each holds a copy of what it touches), a smaller prefetch_factor, datasets in memory-mapped "
        "arrays, or a machine with more memory.",
        (
            Evidence("time waiting for memory", words.percent(share), semconv.PRESSURE_MEMORY),
            Evidence("pages to and from swap", f"{machine.swapped:,.0f}/s", semconv.SWAPPED),
        ),
    )
