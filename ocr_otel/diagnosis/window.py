"""The time budget of a profiler's window."""

from __future__ import annotations

from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis.budget import TimeBudget
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.semconv import Phase

_OF_CALLBACK: Final = f"{semconv.CALLBACKS_RANGE}:"
_PHASES: Final = {
    semconv.FETCH: Phase.FETCH,
    semconv.TRANSFER: Phase.TRANSFER,
    semconv.FORWARD: Phase.FORWARD,
    semconv.BACKWARD: Phase.BACKWARD,
    semconv.OPTIMIZER_STEP: Phase.OPTIMIZER,
    semconv.CALLBACKS_RANGE: Phase.CALLBACKS,
}


def budget_of_window(window: WindowProfile) -> TimeBudget:
    """Return where a window's time went, as far as it tells; what the device does after the host is `other`."""
    found = {_PHASES[each.name]: each.seconds for each in window.phases if each.name in _PHASES}
    saved = window.range(semconv.CHECKPOINT_SAVE)
    checkpoint = min(window.seconds, saved.own) if saved is not None else 0.0
    # A checkpoint is written by a callback, in whose time it is.
    found[Phase.CALLBACKS] = max(0.0, found.get(Phase.CALLBACKS, 0.0) - checkpoint)
    spent = sum(found.values())
    # A trace whose end was cut off may have parts that are longer than what is left of it.
    scale = min(1.0, max(0.0, window.seconds - checkpoint) / spent) if spent > 0 else 1.0
    phases = {phase: seconds * scale for phase, seconds in found.items()}
    in_batches = min(sum(window.batches), window.seconds)
    phases[Phase.LOOP] = max(0.0, in_batches - sum(phases.values()) - checkpoint)
    slowest = max(
        ((each.name, each.own) for each in window.ranges if each.name.startswith(_OF_CALLBACK)),
        key=lambda item: item[1],
        default=("", 0.0),
    )
    return TimeBudget(
        wall=window.seconds,
        phases=phases,
        checkpoint=checkpoint,
        batches=len(window.batches),
        slowest_callback=slowest[0].removeprefix(_OF_CALLBACK),
        slowest_callback_seconds=slowest[1],
        checkpoints=saved.calls if saved is not None else 0,
    )
