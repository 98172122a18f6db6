"""Reads devices, processes and I/O while an entry runs, and says what it was like around epochs and slow batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from opentelemetry.sdk.metrics import MeterProvider

from ocr_otel import semconv
from ocr_otel.resources import surroundings
from ocr_otel.resources.gpu import gpu_sources
from ocr_otel.resources.host import host_sources, instrument_system
from ocr_otel.resources.instruments import ResourceInstruments
from ocr_otel.resources.leak import EPOCHS_NEEDED, find_leak
from ocr_otel.resources.sampler import STOP_SECONDS, Sampler
from ocr_otel.resources.timeline import Timeline
from ocr_otel.resources.torch_memory import TorchMemory
from ocr_otel.settings import Settings
from ocr_otel.telemetry import Session

_SETTLE: Final = 1.5
"""Intervals after which a moment's readings are there."""
_MAX_SETTLE_SECONDS: Final = 5.0
"""Traces are not held back for longer, however rarely is read."""
_SHARES: Final = [0.05 * step for step in range(21)]


class Monitor:
    """The readings of a process, for one Trainer entry at a time.

    Args:
        session: The process's telemetry.
        settings: The settings; `resource_interval` must not be 0.
        workers: Returns ids of dataloader workers by pid, of those known so far.
        failed: Takes what fails, with its cause.

    Attributes:
        settle_ns: How long after a moment its readings are there, nanoseconds.
    """

    def __init__(
        self,
        session: Session,
        settings: Settings,
        workers: Callable[[], Mapping[int, int]],
        failed: Callable[[str, Exception], None],
    ) -> None:
        interval = settings.resource_interval
        self.settle_ns: int = int(min(_SETTLE * interval, _MAX_SETTLE_SECONDS) * 1e9)
        self._patience = session.patience
        self._timeline = Timeline()
        self._paths: Sequence[Path] = ()
        described = semconv.RESOURCE_METRICS[semconv.GPU_UTILIZATION_DISTRIBUTION]
        distribution = session.meter.create_histogram(
            described.name,
            unit=described.unit,
            description=described.meaning,
            explicit_bucket_boundaries_advisory=_SHARES,
        )
        local_rank = session.identity.local_rank
        # Where all are asked for, the first rank of a host reads them for all of it.
        reads_gpus = settings.gpus == "used" or local_rank == 0
        # NVML may hang for minutes where a driver is ill: what needs none must not wait for it.
        self._samplers = (
            Sampler(
                "gpu",
                gpu_sources(
                    settings.gpus, session.events.emit, lambda value, labels: distribution.record(value, dict(labels))
                )
                if reads_gpus
                else [],
                interval,
                self._timeline,
                failed,
            ),
            Sampler(
                "host",
                [TorchMemory(), *host_sources(workers, lambda: self._paths, local_rank)],
                interval,
                self._timeline,
                failed,
            ),
        )
        ResourceInstruments(session.meter, self._timeline, interval, self._watch, failed)
        if isinstance(session.meter_provider, MeterProvider):
            instrument_system(session.meter_provider, local_rank)

    def start(self, paths: Sequence[Path]) -> None:
        """Begin to read.

        Args:
            paths: Places whose disks matter.
        """
        self.reads_and_writes_at(paths)
        self._memory: deque[tuple[int, int]] = deque(maxlen=EPOCHS_NEEDED)
        for sampler in self._samplers:
            sampler.start()

    def reads_and_writes_at(self, paths: Sequence[Path]) -> None:
        """Name the places whose disks matter, as far as they are known now."""
        self._paths = paths

    def stop(self) -> None:
        """Read a last time and end."""
        for sampler in self._samplers:
            with self._patience.spending() as seconds:
                sampler.stop(min(STOP_SECONDS, seconds))

    def cpu_ns(self) -> int:
        """Return the CPU time that reading took so far."""
        return sum(sampler.cpu_ns for sampler in self._samplers)

    def of_loop(self, start: int, end: int, samples: int) -> Mapping[str, Any]:
        """See `surroundings.of_loop`."""
        return surroundings.of_loop(self._timeline, start, end, samples)

    def of_slow_batch(self, start: int, end: int, since: int) -> Mapping[str, Any]:
        """See `surroundings.of_slow_batch`."""
        return surroundings.of_slow_batch(self._timeline, start, end, since)

    def epoch_ended(self, epoch: int, memory: int) -> None:
        """Take the resident memory of the training process at an epoch's end, in bytes."""
        self._memory.append((epoch, memory))

    def of_entry(self) -> Mapping[str, Any]:
        """Return the attributes of an entry: whether memory grew from epoch to epoch."""
        leak = find_leak(self._memory)
        return {} if leak is None else {semconv.MEMORY_GROWTH: leak.slope}

    def _watch(self) -> None:
        for sampler in self._samplers:
            sampler.watch()
