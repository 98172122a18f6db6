"""GPUs, read by NVML: utilisation, memory, power, temperature, clocks, traffic, and errors."""

from __future__ import annotations

from ocr_otel.resources.gpu.library import NoNvml, start_nvml
from ocr_otel.resources.gpu.source import gpu_sources

__all__ = ["NoNvml", "gpu_sources", "start_nvml"]
