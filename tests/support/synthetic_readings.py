"""What the machine of a made-up run did: readings as the exports have them, a pure function of the time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ocr_otel import semconv

Reading = tuple[str, Mapping[str, Any], float]
"""Metric, attributes, value."""
EVERY: Final = 5.0
"""Seconds between exports."""
GPUS: Final = 2


def readings(now: float, workers: int, gpu: bool) -> Iterator[Reading]:
    """Yield what an export says at a time, in seconds from the beginning of the run.

    Args:
        now: The time.
        workers: Dataloader workers.
        gpu: Whether the machine has GPUs.
    """
    yield from _processes(now, workers)
    yield from _host(now)
    for index in range(GPUS if gpu else 0):
        yield from _gpu(index, now)
        yield from _torch(f"cuda:{index}", now)


def _wave(now: float, period: float, shift: float = 0.0) -> float:
    return 0.5 + 0.5 * math.sin(2 * math.pi * now / period + shift)


def _processes(now: float, workers: int) -> Iterator[Reading]:
    yield semconv.PROCESS_CPU_LIMIT, {}, 4.0
    yield semconv.PROCESS_MEMORY_LIMIT, {}, 64e9
    main: dict[str, Any] = {semconv.PROCESS_ROLE: "main"}
    yield from _process(main, now, memory=1.2e9 + 1.6e6 * now, cpu=0.93)
    for number in range(workers):
        worker = {semconv.PROCESS_ROLE: "worker", semconv.WORKER_ID: number}
        yield from _process(worker, now, memory=6e8 + 4e5 * now, cpu=0.5 + 0.2 * number)
        yield semconv.PROCESS_MEMORY_UNIQUE, worker, 1.5e8 + 4e5 * now
        for direction, asked, device in (("read", 24e6, 5e6), ("write", 1e3, 0.0)):
            by = {**worker, "disk.io.direction": direction}
            yield semconv.IO_REQUESTED, by, asked * now
            yield semconv.PROCESS_DISK_IO, by, device * now
        yield semconv.IO_CACHED, worker, 0.75 + 0.2 * _wave(now, 50, number)
        yield semconv.IO_REQUEST_SIZE, {**worker, "disk.io.direction": "read"}, 48e3


def _process(whose: Mapping[str, Any], now: float, memory: float, cpu: float) -> Iterator[Reading]:
    yield semconv.PROCESS_MEMORY, whose, memory
    for mode, share in (("user", 0.9), ("system", 0.1)):
        yield semconv.PROCESS_CPU_TIME, {**whose, "cpu.mode": mode}, share * (cpu * now + math.sin(now / 5))
    for kind in ("voluntary", "involuntary"):
        yield semconv.PROCESS_CONTEXT_SWITCHES, {**whose, "process.context_switch.type": kind}, 12 * now
    for fault in ("minor", "major"):
        yield semconv.PROCESS_PAGING_FAULTS, {**whose, "system.paging.fault.type": fault}, 0.0
    yield semconv.PROCESS_OPEN_FILES, whose, 41.0


def _host(now: float) -> Iterator[Reading]:
    place = {"system.filesystem.type": "ext4", "kind": "disk", "system.device": "nvme0n1"}
    yield semconv.PATH_COUNT, place, 3.0
    disk = {"system.device": "nvme0n1"}
    yield semconv.DISK_UTILIZATION, disk, 0.2 + 0.6 * _wave(now, 40)
    yield semconv.DISK_QUEUE, disk, 0.4 + 3 * _wave(now, 40)
    for direction, wait in (("read", 0.0012), ("write", 0.0004)):
        by = {**disk, "disk.io.direction": direction}
        yield semconv.DISK_WAIT, by, wait * (1 + 4 * _wave(now, 40))
        yield semconv.DISK_IO, by, (1.1e7 if direction == "read" else 3e6) * now
        yield semconv.DISK_REQUEST_SIZE, by, 128e3
    for resource, share in (("cpu", 0.02), ("io", 0.11), ("memory", 0.0)):
        for kind in ("some", "full"):
            yield semconv.PRESSURE_TIME, {"resource": resource, "kind": kind}, share * now * (kind == "some")
    yield semconv.CGROUP_CPU_UTILIZATION, {}, 0.6 + 0.2 * _wave(now, 30)
    yield semconv.CGROUP_CPU_THROTTLED_TIME, {}, 0.05 * now
    yield semconv.CGROUP_MEMORY_USAGE, {}, 9e9 + 2e7 * now
    yield semconv.CGROUP_MEMORY_WORKING_SET, {}, 3e9 + 3e6 * now
    yield semconv.CGROUP_MEMORY_LIMIT, {}, 16e9
    for kind in ("high", "max", "oom", "oom_kill"):
        yield semconv.CGROUP_MEMORY_EVENTS, {"kind": kind}, 0.0
    for mode, share in (("user", 2.1), ("system", 0.3), ("iowait", 0.2), ("idle", 5.4)):
        yield semconv.SYSTEM_CPU_TIME, {"cpu.mode": mode}, share * now
    for direction in ("in", "out"):
        yield semconv.SYSTEM_PAGING_OPERATIONS, {"system.paging.direction": direction}, 0.0


def _gpu(index: int, now: float) -> Iterator[Reading]:
    unit = {"hw.id": f"GPU-604ac76c-d9cf-fef3-62e9-d92044ab6e5{index}", "hw.name": f"gpu{index}", "hw.vendor": "NVIDIA"}
    typed = {**unit, "hw.type": "gpu"}
    busy = 0.45 + 0.25 * _wave(now, 26, index)
    for task, share in (("general", 1.0), ("encoder", 0.0), ("decoder", 0.0)):
        yield semconv.GPU_UTILIZATION, {**unit, "hw.gpu.task": task}, share * busy
        yield semconv.GPU_UTILIZATION_MAX, {**unit, "hw.gpu.task": task}, share * min(1.0, busy + 0.3)
    yield semconv.GPU_MEMORY_CONTROLLER_UTILIZATION, unit, 0.4 * busy
    yield semconv.GPU_MEMORY_USAGE, unit, 34e9 + 2e9 * _wave(now, 60, index)
    yield semconv.GPU_MEMORY_LIMIT, unit, 80e9
    for role, size in (("main", 33e9), ("worker", 0.0), ("other", 1e9)):
        yield semconv.GPU_PROCESS_MEMORY, {**unit, "training.process.role": role}, size
    yield semconv.GPU_POWER, typed, 180 + 400 * busy
    yield semconv.GPU_POWER_LIMIT, unit, 700.0
    yield semconv.GPU_ENERGY, typed, 400.0 * now
    for sensor, heat in (("gpu", 52.0), ("memory", 60.0)):
        yield semconv.GPU_TEMPERATURE, {**typed, "hw.sensor_location": sensor}, heat + 12 * busy
    for domain, rate in (("sm", 1.98e9), ("memory", 2.62e9)):
        yield semconv.GPU_CLOCK, {**unit, "training.gpu.clock.domain": domain}, rate
    for reason in ("sw_power_cap", "hw_thermal"):
        held = reason == "hw_thermal" and index == 1 and 60 < now < 90
        yield semconv.GPU_THROTTLED, {**unit, "reason": reason}, float(held)
    for direction, speed in (("receive", 1.9e9), ("transmit", 2e8)):
        yield semconv.GPU_IO, {**unit, "network.io.direction": direction}, speed * now
        yield semconv.GPU_NVLINK_IO, {**unit, "network.io.direction": direction}, 0.0
    yield semconv.GPU_ERRORS, {**typed, "error.type": "ecc_corrected"}, 0.0


def _torch(device: str, now: float) -> Iterator[Reading]:
    on = {"device": device}
    yield semconv.TORCH_ALLOCATED, on, 18e9 + 4e9 * _wave(now, 20)
    yield semconv.TORCH_PEAK, on, 27e9
    yield semconv.TORCH_RESERVED, on, 31e9
    yield semconv.TORCH_FRAGMENTATION, on, 0.06 + 0.02 * _wave(now, 45)
    yield semconv.TORCH_ALLOC_RETRIES, on, 0.0
    yield semconv.TORCH_OOMS, on, 0.0
