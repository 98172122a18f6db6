"""The numbers of an epoch that trackers are given, and what those of several ranks make together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.recording import LoopSummary


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


_FROM_ATTRIBUTES: Final = {
    semconv.TRACKED_THROUGHPUT: semconv.THROUGHPUT,
    semconv.TRACKED_BATCH_MEAN: semconv.BATCH_MEAN,
    semconv.TRACKED_BATCH_P50: semconv.BATCH_P50,
    semconv.TRACKED_BATCH_P95: semconv.BATCH_P95,
    semconv.TRACKED_BATCH_P99: semconv.BATCH_P99,
    semconv.TRACKED_DATA_WAIT: semconv.DATA_WAIT_RATIO,
    semconv.TRACKED_DEVICE_MEMORY: semconv.MEMORY_PEAK,
    semconv.TRACKED_GPU: semconv.GPU_USED_MEAN,
}
_OVER_RANKS: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    semconv.TRACKED_THROUGHPUT: sum,
    semconv.TRACKED_BATCH_MEAN: _mean,
    semconv.TRACKED_DATA_WAIT: _mean,
    semconv.TRACKED_GPU: _mean,
}
"""All others are those of the rank where they are largest."""
TIMING: Final = frozenset(
    {
        semconv.TRACKED_THROUGHPUT,
        semconv.TRACKED_BATCH_MEAN,
        semconv.TRACKED_BATCH_P50,
        semconv.TRACKED_BATCH_P95,
        semconv.TRACKED_BATCH_P99,
        semconv.TRACKED_DATA_WAIT,
        semconv.TRACKED_EPOCH,
        semconv.TRACKED_VALIDATION,
    }
)
MEMORY: Final = frozenset({semconv.TRACKED_PROCESS_MEMORY, semconv.TRACKED_DEVICE_MEMORY})


def figures_of(summary: LoopSummary, attributes: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of one rank's epoch.

    Args:
        summary: What it adds up to.
        attributes: Those of its span.
    """
    found = {name: attributes.get(source) for name, source in _FROM_ATTRIBUTES.items()}
    found[semconv.TRACKED_EPOCH] = summary.wall
    found[semconv.TRACKED_VALIDATION] = summary.validation or None
    found[semconv.TRACKED_PROCESS_MEMORY] = resident_of(attributes)
    return {name: float(value) for name, value in found.items() if value is not None}


def resident_of(attributes: Mapping[str, Any]) -> float | None:
    """Return the most resident memory of the training process in an epoch; at its end, where it was not read within."""
    found: float | None = attributes.get(semconv.MAIN_MEMORY_MAX, attributes.get(semconv.MEMORY_RSS))
    return found


def verdict_of(attributes: Mapping[str, Any]) -> dict[str, float]:
    """Return the verdict of an epoch as a number: loggers take no texts."""
    kind, share = attributes.get(semconv.BOTTLENECK_KIND), attributes.get(semconv.BOTTLENECK_SHARE)
    if kind is None or share is None:
        return {}
    return {f"{semconv.TRACKED_VERDICT_PREFIX}{kind}": float(share)}


def over_ranks(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return what the numbers of several ranks make together; one that not every rank has is of those that have it."""
    names = dict.fromkeys(name for each in figures for name in each)
    return {name: _OVER_RANKS.get(name, max)([each[name] for each in figures if name in each]) for name in names}
