"""What holds a training up beside its batches, gathered for each epoch: pauses, compilations, missing CPUs."""

from __future__ import annotations

from collections.abc import Callable

from ocr_otel.recording.summaries import Interruptions
from ocr_otel.training import guard
from ocr_otel.training.compilations import Compilations
from ocr_otel.training.cpu_delay import CpuDelay
from ocr_otel.training.garbage import GarbageCollections


class InterruptionWatch:
    """Watches one entry, and takes its watchers away again.

    Args:
        failed: Called with what fails on our side.
    """

    def __init__(self, failed: Callable[[str, Exception], None]) -> None:
        self._failed = failed
        self._garbage = GarbageCollections()
        self._compilations = Compilations()
        self._cpu = CpuDelay()
        self.take(0.0, 0.0)

    def take(self, starting: float, profiling: float) -> Interruptions:
        """Return what happened since the last call.

        Args:
            starting: Seconds in which dataloaders were started meanwhile.
            profiling: Seconds in which the training stood still for the profiler meanwhile.
        """
        collecting, collections = self._garbage.take()
        compiled = guard.attempt(self._compilations.take, self._failed, "compilations")
        scheduled = guard.attempt(self._cpu.take, self._failed, "cpu_delay")
        return Interruptions(
            starting=starting,
            collecting=collecting,
            collections=collections,
            compiling=compiled.seconds if compiled else 0.0,
            recompiling=compiled.again_seconds if compiled else 0.0,
            recompilations=compiled.again if compiled else 0,
            profiling=profiling,
            cpu_delay=scheduled.delay if scheduled else 0.0,
            main_cpu=scheduled.ran if scheduled else 0.0,
        )

    def remove(self) -> None:
        """Stop watching."""
        self._garbage.remove()
