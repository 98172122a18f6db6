"""Can GPUs be read?"""

from __future__ import annotations

from ocr_otel.cli.checks.finding import Finding, Status
from ocr_otel.resources.gpu import NoNvml, start_nvml


def check_nvml() -> list[Finding]:
    """Start NVML and count the devices; a machine without one is fine."""
    try:
        nvml = start_nvml()
    except NoNvml as error:
        return [Finding("GPU", Status.NOTE, f"{error}: no GPU metrics", error.advice)]
    try:
        driver, devices = nvml.nvmlSystemGetDriverVersion(), nvml.nvmlDeviceGetCount()
        name = nvml.nvmlDeviceGetName(nvml.nvmlDeviceGetHandleByIndex(0))
    except nvml.NVMLError as error:
        return [Finding("GPU", Status.NOTE, f"NVML started but cannot be asked ({error}): no GPU metrics")]
    finally:
        nvml.nvmlShutdown()
    return [Finding("GPU", Status.OK, f"{devices} readable, the first a {name}; driver {driver}")]
