"""The callbacks for the package `lightning`."""

from __future__ import annotations

from lightning.pytorch import Callback

from ocr_otel.callbacks.configured import ProfilerPart, ResourcesPart, ThroughputPart, WholeRecording


class OTelCallback(WholeRecording, Callback):
    """Records a Trainer's runs as OpenTelemetry traces and metrics; see `WholeRecording`."""


class ThroughputMonitor(ThroughputPart, Callback):
    """Samples a second and times of batches, by epoch; see `ThroughputPart`."""


class Profiler(ProfilerPart, Callback):
    """Windows of `torch.profiler`; see `ProfilerPart`."""


class ResourceMonitor(ResourcesPart, Callback):
    """Readings of GPUs, memory, processes and I/O, and warnings; see `ResourcesPart`."""
