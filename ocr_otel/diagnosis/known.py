"""What a verdict needs to know of a run's configuration and machine, read out of the attributes of its spans."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ocr_otel import semconv

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Loader:
    """The training's dataloader; None is what is not known."""

    workers: int | None = None
    prefetch: int | None = None
    pin_memory: bool | None = None
    persistent: bool | None = None
    batch_size: int | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What the training ran on, and what that did meanwhile; None is what is not known.

    Attributes:
        cpus: CPUs that the training may use.
        threads: Threads of PyTorch.
        main_cpu: CPUs that the training process kept busy.
        workers_cpu: CPUs that dataloader workers kept busy.
        held_back: CPUs that a cgroup's quota held back.
        pressure_cpu: Share of the time in which some task of the host waited for a CPU.
        pressure_io: The same for I/O.
        pressure_memory: The same for memory.
        swapped: Pages a second moved in from swap and out to it.
        read: Bytes a second read from devices.
        gpu: Mean share of the time in which the GPUs ran kernels.
        gpu_throttled: Share of the samples in which their clocks were held down.
        accelerator: Whether there is a device beside the CPU.
        ranks: Number of ranks.
        compared: Ranks whose arrivals at the same steps were compared; 0 where nobody could.
    """

    cpus: float | None = None
    threads: int | None = None
    main_cpu: float | None = None
    workers_cpu: float | None = None
    held_back: float | None = None
    pressure_cpu: float | None = None
    pressure_io: float | None = None
    pressure_memory: float | None = None
    swapped: float | None = None
    read: float | None = None
    gpu: float | None = None
    gpu_throttled: float | None = None
    accelerator: bool | None = None
    ranks: int = 1
    compared: int = 0

    @property
    def saturated(self) -> bool:
        """Whether nearly all of the CPUs were busy with the training."""
        if self.cpus is None or self.main_cpu is None:
            return False
        return self.main_cpu + (self.workers_cpu or 0.0) >= 0.85 * self.cpus


@dataclass(frozen=True, slots=True)
class Straggler:
    """The rank that all others wait for.

    Attributes:
        rank: Which.
        ratio: Share of the steps at which it arrived last.
        delay: Seconds after the median of the others, in three of four steps at least.
        phase: In which it spends more than the others; empty where unknown.
    """

    rank: int
    ratio: float
    delay: float
    phase: str


@dataclass(frozen=True, slots=True)
class OptimizerFacts:
    """The optimiser; `implementation` is `fused`, `foreach`, `for-loop` or empty, numbers are None where unknown."""

    name: str = ""
    implementation: str = ""
    tensors: int | None = None
    parameters: int | None = None
    accumulate: int | None = None


@dataclass(frozen=True, slots=True)
class Habits:
    """How often the Trainer logs and validates; None is what is not known."""

    log_every: int | None = None
    loggers: tuple[str, ...] = ()
    bar_refresh: int | None = None
    val_check_interval: float | None = None
    check_val_every: int | None = None
    precision: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """All of it; `straggler` is None where no rank holds up the others, or nobody could tell."""

    loader: Loader = field(default_factory=Loader)
    machine: Machine = field(default_factory=Machine)
    optimizer: OptimizerFacts = field(default_factory=OptimizerFacts)
    habits: Habits = field(default_factory=Habits)
    straggler: Straggler | None = None

    @classmethod
    def of(cls, attributes: Attributes) -> Self:
        """Read attributes with the names of `semconv`; what is missing or of another type is not known."""
        accelerator = _text(attributes, semconv.CONFIG_ACCELERATOR)
        loggers = attributes.get(semconv.CONFIG_LOGGERS)
        return cls(
            loader=Loader(
                workers=_integer(attributes, semconv.CONFIG_WORKERS),
                prefetch=_integer(attributes, semconv.CONFIG_PREFETCH),
                pin_memory=_flag(attributes, semconv.CONFIG_PIN_MEMORY),
                persistent=_flag(attributes, semconv.CONFIG_PERSISTENT),
                batch_size=_integer(attributes, semconv.CONFIG_BATCH_SIZE),
            ),
            machine=Machine(
                cpus=_number(attributes, semconv.CONFIG_CPUS),
                threads=_integer(attributes, semconv.CONFIG_THREADS),
                main_cpu=_number(attributes, semconv.MAIN_CPU),
                workers_cpu=_number(attributes, semconv.WORKERS_CPU),
                held_back=_number(attributes, semconv.CPU_HELD_BACK),
                pressure_cpu=_number(attributes, semconv.PRESSURE_CPU),
                pressure_io=_number(attributes, semconv.PRESSURE_IO),
                pressure_memory=_number(attributes, semconv.PRESSURE_MEMORY),
                swapped=_number(attributes, semconv.SWAPPED),
                read=_number(attributes, semconv.READ_DEVICE),
                gpu=_number(attributes, semconv.GPU_USED_MEAN),
                gpu_throttled=_number(attributes, semconv.GPU_HELD_DOWN),
                accelerator=accelerator != "CPUAccelerator" if accelerator else None,
                ranks=_integer(attributes, semconv.CONFIG_WORLD_SIZE) or 1,
                compared=_integer(attributes, semconv.RANKS_COMPARED) or 0,
            ),
            optimizer=OptimizerFacts(
                name=_text(attributes, semconv.CONFIG_OPTIMIZER),
                implementation=_text(attributes, semconv.CONFIG_OPTIMIZER_IMPLEMENTATION),
                tensors=_integer(attributes, semconv.CONFIG_OPTIMIZER_TENSORS),
                parameters=_integer(attributes, semconv.CONFIG_PARAMETERS),
                accumulate=_integer(attributes, semconv.CONFIG_ACCUMULATE),
            ),
            habits=Habits(
                log_every=_integer(attributes, semconv.CONFIG_LOG_EVERY),
                loggers=tuple(map(str, loggers)) if isinstance(loggers, (list, tuple)) else (),
                bar_refresh=_integer(attributes, semconv.CONFIG_BAR_REFRESH),
                val_check_interval=_number(attributes, semconv.CONFIG_VAL_CHECK_INTERVAL),
                check_val_every=_integer(attributes, semconv.CONFIG_CHECK_VAL_EVERY),
                precision=_text(attributes, semconv.CONFIG_PRECISION),
            ),
            straggler=_straggler(attributes),
        )


def _straggler(attributes: Attributes) -> Straggler | None:
    rank = _integer(attributes, semconv.STRAGGLER_RANK)
    if rank is None:
        return None
    return Straggler(
        rank,
        _number(attributes, semconv.STRAGGLER_RATIO) or 0.0,
        _number(attributes, semconv.STRAGGLER_SECONDS) or 0.0,
        _text(attributes, semconv.STRAGGLER_PHASE),
    )


def _number(attributes: Attributes, name: str) -> float | None:
    value = attributes.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value)


def _integer(attributes: Attributes, name: str) -> int | None:
    value = _number(attributes, name)
    return None if value is None else int(value)


def _flag(attributes: Attributes, name: str) -> bool | None:
    value = attributes.get(name)
    return value if isinstance(value, bool) else None


def _text(attributes: Attributes, name: str) -> str:
    value = attributes.get(name)
    return value if isinstance(value, str) else ""
