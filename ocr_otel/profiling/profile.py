"""What a window of `torch.profiler` showed, in plain data: what verdicts, span events and reports are made of.

Times are seconds; a `start` counts from the beginning of the window. Tuples are sorted, the largest first, and bounded
by whoever makes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Operator:
    """A PyTorch operator (`aten::conv2d`), added up over its calls.

    Attributes:
        name: Its name.
        calls: How often it ran.
        self_cpu: Its time on the host, without what it called.
        total_cpu: Its time on the host, with what it called.
        self_device: Time of the kernels that it launched itself.
        total_device: Time of the kernels that it and what it called launched.
        share: Share of all operators' own time: on the device where the window has one, else on the host.
        memory: Bytes allocated less bytes freed, of the device where the window has one; None where memory was not
            recorded.
        flops: Floating point operations of matrix products and convolutions; None for others, and where shapes were not
            recorded.
        shapes: Shapes of its inputs in its costliest calls; empty where they were not recorded.
        call_site: Line of the training's own code in its costliest calls; empty where stacks were not recorded.
    """

    name: str
    calls: int
    self_cpu: float
    total_cpu: float
    self_device: float = 0.0
    total_device: float = 0.0
    share: float = 0.0
    memory: int | None = None
    flops: int | None = None
    shapes: str = ""
    call_site: str = ""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of the device, added up over its launches; `share` is of the time in which the device was busy."""

    name: str
    calls: int
    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Transfer:
    """Copies in one direction: `HtoD`, `DtoH` or `DtoD`; `memory` is `pinned`, `pageable`, `device` or `unknown`."""

    direction: str
    memory: str
    calls: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Synchronization:
    """The host waited for the device.

    Attributes:
        name: The call, such as `cudaStreamSynchronize`.
        call_site: What asked for it: a line of the training's own code where stacks were recorded, else the innermost
            operator and range around it, such as `aten::item in forward`.
        calls: How often.
        seconds: How long the host stood still.
    """

    name: str
    call_site: str
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which the device had nothing to do; `host` is what the host did for most of it."""

    start: float
    seconds: float
    host: str


@dataclass(frozen=True, slots=True)
class Communication:
    """A collective (`all_reduce`), added up; `overlapped` is the part during which the device also computed."""

    name: str
    calls: int
    bytes: int | None
    seconds: float
    overlapped: float


@dataclass(frozen=True, slots=True)
class Range:
    """A named range of the host (`record_function`): a batch's part, or one of the application's own; added up.

    Attributes:
        name: Its name, such as `forward`; numbers of batches and epochs are left out.
        calls: How often.
        seconds: Its time on the host, with the ranges inside.
        own: Its time without the ranges inside.
        operators: Time of it in which an operator ran on any thread.
        device: Time of the kernels and copies launched in it; None where the window has no device.
        device_idle: Part of it in which the device had nothing to do; None where the window has no device.
    """

    name: str
    calls: int
    seconds: float
    own: float = 0.0
    operators: float = 0.0
    device: float | None = None
    device_idle: float | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """A bar of the window's time line.

    Attributes:
        lane: `batches`, `phases`, `operators`, `device`, `transfers` or `communication`.
        name: What ran; of a batch, the name of its range: `train_batch epoch=1 batch=12`.
        start: When it began.
        seconds: How long it took.
    """

    lane: str
    name: str
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Host:
    """What the training's threads did on the host.

    Attributes:
        operators: Time in which an operator ran on any thread of the training.
        operator_calls: Operators that ran, without those called by operators.
        leaf_calls: Operators that called no other.
        leaf_mean: Mean time of those.
        launches: Kernels launched.
        launching: Time spent in launching them.
        waiting: Time in which the host stood still for the device.
        compute_bound: Own time of operators that compute: matrix products, convolutions, attention.
        memory_bound: Own time of operators that only move memory: copies, element-wise ones, reductions.
        optimizer_calls: Operators that ran in the optimiser's step, without those called by operators.
    """

    operators: float = 0.0
    operator_calls: int = 0
    leaf_calls: int = 0
    leaf_mean: float = 0.0
    launches: int = 0
    launching: float = 0.0
    waiting: float = 0.0
    compute_bound: float = 0.0
    memory_bound: float = 0.0
    optimizer_calls: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    """What the device did.

    Attributes:
        name: Its name; empty where the trace does not tell.
        busy: Time in which at least one kernel or copy ran.
        idle: Time in which none did.
        idle_periods: Times in which none did, counted.
        computing: Time in which at least one kernel that is no collective ran.
        kernels: Kernels that ran, collectives left out.
        kernel_mean: Mean time of one.
        compute_bound: Time of kernels that compute.
        memory_bound: Time of kernels that only move memory.
        communicating: Time in which a collective ran.
        exposed_communication: Part of that in which no other kernel and no copy did.
        transferring: Time in which a copy between host and device ran.
        exposed_transfer: Part of that in which no kernel did.
    """

    name: str = ""
    busy: float = 0.0
    idle: float = 0.0
    idle_periods: int = 0
    computing: float = 0.0
    kernels: int = 0
    kernel_mean: float = 0.0
    compute_bound: float = 0.0
    memory_bound: float = 0.0
    communicating: float = 0.0
    exposed_communication: float = 0.0
    transferring: float = 0.0
    exposed_transfer: float = 0.0


@dataclass(frozen=True, slots=True)
class WindowProfile:
    """One window of the profiler, or one trace file.

    Attributes:
        seconds: From the first batch's beginning to the end of the last one and of what it launched; without batches
            from the first to the last event.
        batches: Duration of each batch in it on the host, which may be far ahead of the device; empty where the trace
            does not mark them.
        host: What the host did.
        device: What the device did; None where the trace has no device events.
        operators: The costliest operators.
        kernels: The costliest kernels.
        transfers: Copies.
        synchronizations: Where the host waited for the device, the longest first.
        gaps: The longest times in which the device was idle.
        communication: Collectives.
        ranges: Named ranges, the longest first; parts of the batches that nobody marked by their name are among them.
        phases: The parts of the batches: `fetch`, `transfer`, `forward`, `backward`, `optimizer_step`, `callbacks`, as
            far as they can be told, whoever marked them; they do not overlap.
        slices: The time line of the window's first batches.
        events: Events read.
        complete: Whether the trace was whole; False where its end was cut off.
        notes: What a reader should know, such as what the trace does not hold.
    """

    seconds: float
    batches: tuple[float, ...] = ()
    host: Host = field(default_factory=Host)
    device: Device | None = None
    operators: tuple[Operator, ...] = ()
    kernels: tuple[Kernel, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    synchronizations: tuple[Synchronization, ...] = ()
    gaps: tuple[Gap, ...] = ()
    communication: tuple[Communication, ...] = ()
    ranges: tuple[Range, ...] = ()
    phases: tuple[Range, ...] = ()
    slices: tuple[Slice, ...] = ()
    events: int = 0
    complete: bool = True
    notes: tuple[str, ...] = ()

    def range(self, name: str) -> Range | None:
        """Return a named range; None where there is none."""
        return next((each for each in self.ranges if each.name == name), None)

    def phase(self, name: str) -> Range | None:
        """Return a part of the batches; None where there is none."""
        return next((each for each in self.phases if each.name == name), None)
