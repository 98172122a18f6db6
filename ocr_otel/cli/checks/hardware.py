"""Can GPUs be read?"""

from __future__ import annotations

from ocr_otel.cli.checks.finding import Finding, Status


def check_nvml() -> list[Finding]:
    """Start NVML and count the devices; a machine without one is fine."""
    try:
        import pynvml  # type: ignore[import-untyped]
    except ImportError:
        return [Finding("GPU", Status.NOTE, "nvidia-ml-py is not installed: no GPU metrics")]
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return [Finding("GPU", Status.NOTE, f"no NVIDIA GPU can be read here ({error}): no GPU metrics")]
    try:
        driver, devices = pynvml.nvmlSystemGetDriverVersion(), pynvml.nvmlDeviceGetCount()
        name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0)) if devices else "none"
    except pynvml.NVMLError as error:
        return [Finding("GPU", Status.NOTE, f"NVML started but cannot be asked ({error}): no GPU metrics")]
    finally:
        pynvml.nvmlShutdown()
    return [Finding("GPU", Status.OK, f"{devices} readable, the first a {name}; driver {driver}")]
