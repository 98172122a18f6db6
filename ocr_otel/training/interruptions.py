"""What holds a training up beside its batches, gathered for each epoch: pauses, compilations, missing CPUs."""

from __future__ import annotations

from collections.abc import Callable

from ocr_otel.recording.summaries import Interruptions
from ocr_otel.telemetry.failures import attempt
from ocr_otel.training.compilations import Compilations
from ocr_otel.training.cpu_delay import CpuDelay
from ocr_otel.training.garbage import GarbageCollections


class InterruptionWatch:
    """Watches one entry, and takes its watchers away again.

    Args:
        profiler_ns: Returns how long the training stood still for the profiler so far, nanoseconds.
        take_starting: Returns the seconds in which dataloaders were started since it was asked last.
        failed: Called with what fails on our side.
    """

    def __init__(
        self,
        profiler_ns: Callable[[], int],
        take_starting: Callable[[], float],
        failed: Callable[[str, Exception], None],
    ) -> None:
        self._profiler_ns = profiler_ns
        self._profiled_before = 0
        self._take_starting = take_starting
        self._failed = failed
        self._garbage = GarbageCollections()
        self._compilations = Compilations()
        self._cpu = CpuDelay()
        self.take()

    def take(self) -> Interruptions:
        """Return what happened since the last call."""
        before, self._profiled_before = self._profiled_before, self._profiler_ns()
        collecting, collections = self._garbage.take()
        compiled = attempt(self._compilations.take, self._failed, "compilations")
        scheduled = attempt(self._cpu.take, self._failed, "cpu_delay")
        starting = self._take_starting()
        return Interruptions(
            starting=starting,
            starts=int(starting > 0),
            collecting=collecting,
            collections=collections,
            compiling=compiled.seconds if compiled else 0.0,
            recompiling=compiled.again_seconds if compiled else 0.0,
            recompilations=compiled.again if compiled else 0,
            profiling=(self._profiled_before - before) / 1e9,
            cpu_delay=scheduled.delay if scheduled else 0.0,
            main_cpu=scheduled.ran if scheduled else 0.0,
        )

    def remove(self) -> None:
        """Stop watching."""
        self._garbage.remove()
