"""What is read of a GPU by one function of NVML each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from opentelemetry.semconv._incubating.attributes import hw_attributes as hw
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from ocr_otel import semconv
from ocr_otel.resources.gpu.labels import IS_GPU, Labels
from ocr_otel.resources.readings import Reading

Read = Callable[[], list[Reading]]
"""Reads once, with one call of NVML; raises NVML's own error."""
Alternatives = list[Read]
"""Ways to read the same: the first that this driver and this device have."""
Sample = Callable[[float, Mapping[str, str]], None]
"""Takes one sample of compute utilisation, 0 to 1, with the attributes of its series."""

MEGA: Final = 1_000_000.0
MILLI: Final = 1000
PERCENT: Final = 100
"""What one has of hertz in a megahertz, of milliwatts in a watt, and of per cent in a whole."""

_REASONS: Final = {
    "applications_clocks_setting": "nvmlClocksThrottleReasonApplicationsClocksSetting",
    "sw_power_cap": "nvmlClocksThrottleReasonSwPowerCap",
    "hw_slowdown": "nvmlClocksThrottleReasonHwSlowdown",
    "sync_boost": "nvmlClocksThrottleReasonSyncBoost",
    "sw_thermal_slowdown": "nvmlClocksThrottleReasonSwThermalSlowdown",
    "hw_thermal_slowdown": "nvmlClocksThrottleReasonHwThermalSlowdown",
    "hw_power_brake_slowdown": "nvmlClocksThrottleReasonHwPowerBrakeSlowdown",
    "display_clock_setting": "nvmlClocksThrottleReasonDisplayClockSetting",
}
"""Reasons and NVML's names of their bits. That a GPU is idle lowers its clock as well, and holds nothing back."""


def of_gpu(nvml: ModuleType, handle: Any, labels: Labels, sample: Sample) -> list[Alternatives]:
    """Return what can be read of a whole GPU and of no instance."""
    return [
        [_utilization(nvml, handle, labels, sample)],
        [_codec(nvml.nvmlDeviceGetEncoderUtilization, handle, labels, hw.HwGpuTaskValues.ENCODER)],
        [_codec(nvml.nvmlDeviceGetDecoderUtilization, handle, labels, hw.HwGpuTaskValues.DECODER)],
        [_value(nvml.nvmlDeviceGetPowerUsage, (handle,), labels, semconv.GPU_POWER, IS_GPU, per=MILLI)],
        [_value(nvml.nvmlDeviceGetEnforcedPowerLimit, (handle,), labels, semconv.GPU_POWER_LIMIT, per=MILLI)],
        [_value(nvml.nvmlDeviceGetTotalEnergyConsumption, (handle,), labels, semconv.GPU_ENERGY, IS_GPU, per=MILLI)],
        _temperature(nvml, handle, labels),
        [_clock(nvml, handle, labels, nvml.NVML_CLOCK_SM, "sm")],
        [_clock(nvml, handle, labels, nvml.NVML_CLOCK_MEM, "memory")],
        _throttled(nvml, handle, labels),
        [_ecc(nvml, handle, labels, nvml.NVML_MEMORY_ERROR_TYPE_CORRECTED, "ecc_corrected")],
        [_ecc(nvml, handle, labels, nvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, "ecc_uncorrected")],
    ]


def memory(nvml: ModuleType, handle: Any, labels: Labels) -> Alternatives:
    """Return how the memory of a GPU or an instance is read."""
    used, limit = labels.series(semconv.GPU_MEMORY_USAGE), labels.series(semconv.GPU_MEMORY_LIMIT)
    free, reserved = labels.series(semconv.GPU_MEMORY_FREE), labels.series(semconv.GPU_MEMORY_RESERVED)

    def read() -> list[Reading]:
        found = nvml.nvmlDeviceGetMemoryInfo(handle, nvml.nvmlMemory_v2)
        return [(used, found.used), (limit, found.total), (free, found.free), (reserved, found.reserved)]

    def read_of_old_driver() -> list[Reading]:
        found = nvml.nvmlDeviceGetMemoryInfo(handle)
        return [(used, found.used), (limit, found.total), (free, found.free)]

    return [read, read_of_old_driver]


def _utilization(nvml: ModuleType, handle: Any, labels: Labels, sample: Sample) -> Read:
    compute = labels.series(semconv.GPU_UTILIZATION, {hw.HW_GPU_TASK: hw.HwGpuTaskValues.GENERAL.value})
    controller = labels.series(semconv.GPU_MEMORY_CONTROLLER_UTILIZATION)
    attributes = {name: str(value) for name, value in compute.attributes}

    def read() -> list[Reading]:
        found = nvml.nvmlDeviceGetUtilizationRates(handle)
        share = found.gpu / PERCENT
        sample(share, attributes)
        return [(compute, share), (controller, found.memory / PERCENT)]

    return read


def _codec(ask: Callable[[Any], list[int]], handle: Any, labels: Labels, task: hw.HwGpuTaskValues) -> Read:
    series = labels.series(semconv.GPU_UTILIZATION, {hw.HW_GPU_TASK: task.value})
    return lambda: [(series, ask(handle)[0] / PERCENT)]


def _value(
    ask: Callable[..., int],
    arguments: tuple[Any, ...],
    labels: Labels,
    metric: str,
    *more: dict[str, str],
    per: int = 1,
) -> Read:
    series = labels.series(metric, *more)
    return lambda: [(series, ask(*arguments) / per)]


def _temperature(nvml: ModuleType, handle: Any, labels: Labels) -> Alternatives:
    where = {hw.HW_SENSOR_LOCATION: "gpu"}
    arguments = handle, nvml.NVML_TEMPERATURE_GPU
    # The second one replaces the first in newer drivers; an older nvidia-ml-py does not know it.
    asked = nvml.nvmlDeviceGetTemperature, getattr(nvml, "nvmlDeviceGetTemperatureV", None)
    return [_value(ask, arguments, labels, semconv.GPU_TEMPERATURE, IS_GPU, where) for ask in asked if ask is not None]


def _clock(nvml: ModuleType, handle: Any, labels: Labels, clock: int, domain: str) -> Read:
    series = labels.series(semconv.GPU_CLOCK, {semconv.GPU_CLOCK_DOMAIN: domain})
    return lambda: [(series, nvml.nvmlDeviceGetClockInfo(handle, clock) * MEGA)]


def _ecc(nvml: ModuleType, handle: Any, labels: Labels, kind: int, name: str) -> Read:
    arguments = handle, kind, nvml.NVML_VOLATILE_ECC
    return _value(nvml.nvmlDeviceGetTotalEccErrors, arguments, labels, semconv.GPU_ERRORS, IS_GPU, {ERROR_TYPE: name})


def _throttled(nvml: ModuleType, handle: Any, labels: Labels) -> Alternatives:
    bits = [
        (getattr(nvml, bit), labels.series(semconv.GPU_THROTTLED, {"reason": reason}))
        for reason, bit in _REASONS.items()
    ]

    def reader(ask: Callable[[Any], int]) -> Read:
        def read() -> list[Reading]:
            mask = ask(handle)
            return [(series, float(mask & bit != 0)) for bit, series in bits]

        return read

    # The same under its name since driver 535 and its name before.
    return [reader(nvml.nvmlDeviceGetCurrentClocksEventReasons), reader(nvml.nvmlDeviceGetCurrentClocksThrottleReasons)]
