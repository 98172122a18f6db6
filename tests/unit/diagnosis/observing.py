"""Observations as tables write them: seconds by phase of a run of a hundred seconds, and what else is known."""

from __future__ import annotations

from typing import Any

from ocr_otel import semconv
from ocr_otel.diagnosis import Diagnosis, Observation, TimeBudget, diagnose
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.semconv import Phase

WALL = 100.0
ON_CPU: dict[str, Any] = {semconv.CONFIG_ACCELERATOR: "CPUAccelerator", semconv.CONFIG_CPUS: 8.0}
ON_GPU: dict[str, Any] = {semconv.CONFIG_ACCELERATOR: "CUDAAccelerator", semconv.CONFIG_CPUS: 8.0}
BALANCED = {"forward": 30.0, "backward": 30.0, "optimizer": 15.0, "fetch": 8.0, "validation": 10.0, "callbacks": 4.0}


def budget(seconds: dict[str, float], **more: Any) -> TimeBudget:
    """Return a budget of seconds by phase, `validation` and `checkpoint`."""
    phases = {phase: seconds.get(phase.value, 0.0) for phase in Phase}
    others = {name: seconds[name] for name in ("validation", "checkpoint") if name in seconds}
    return TimeBudget(WALL, phases, batches=more.pop("batches", 1000), **others, **more)


def diagnosed(
    seconds: dict[str, float],
    known: dict[str, Any] | None = None,
    window: WindowProfile | None = None,
    **more: Any,
) -> Diagnosis:
    """Return what is found; it must be enough for a verdict."""
    found = diagnose(Observation.of(budget(seconds, **more), known or {}, window))
    assert found is not None
    return found
