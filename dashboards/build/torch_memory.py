"""The panels about the memory that PyTorch manages on a device."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import colors
from dashboards.build.face import Face
from dashboards.build.panels import lines
from dashboards.build.promql import OF_RUN, RANK, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv

_RANK: Final = f"rank {{{{{RANK}}}}}"


def torch_memory() -> list[Builder[Panel]]:
    """Return what PyTorch's allocator holds on each device."""
    device = f"{_RANK} {{{{device}}}}"
    by = f"by ({RANK}, device)"
    return [
        lines(
            Face(
                "Allocated and reserved",
                "Memory of live tensors, its peak, and what PyTorch's allocator holds for more. The peak decides which "
                "batch fits. A line that climbs from epoch to epoch is a leak: something keeps graphs.",
                units.BytesIEC,
                width=16,
                empty="no device",
            ),
            Query(f"max {by} ({series(semconv.TORCH_ALLOCATED, *OF_RUN)})", f"{device} allocated"),
            Query(f"max {by} ({series(semconv.TORCH_PEAK, *OF_RUN)})", f"{device} peak"),
            Query(f"max {by} ({series(semconv.TORCH_RESERVED, *OF_RUN)})", f"{device} reserved"),
        ),
        lines(
            Face(
                "Out of memory",
                "Allocations that failed, so far. PyTorch empties its cache and tries again, which is slow; when that "
                "fails too, the run ends. Smaller batches, checkpointed activations, or less precision.",
                units.Short,
                width=8,
                steps=((1, colors.BAD),),
                empty="no device",
            ),
            Query(f"max {by} ({series(semconv.TORCH_OOMS, *OF_RUN)})", device),
        ),
        lines(
            Face(
                "Fragmentation",
                "Share of reserved memory in free pieces of blocks that are partly in use: it cannot serve a large "
                "tensor, nor be given back. Above the line with batches of changing size: "
                "`PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True`, or pad to a few sizes.",
                units.PercentUnit,
                width=12,
                steps=((0.2, colors.ATTENTION),),
                empty="no device",
            ),
            Query(f"max {by} ({series(semconv.TORCH_FRAGMENTATION, *OF_RUN)})", device),
        ),
        lines(
            Face(
                "Allocations tried again",
                "Allocations that succeeded only after the cache was emptied, a second. Each of them waits for the "
                "device, which makes a slow batch: memory is nearly out; smaller batches, or the remedies of "
                "Fragmentation.",
                units.CountsPerSecond,
                width=12,
                steps=((1e-9, colors.ATTENTION),),
                empty="no device",
            ),
            Query(f"sum {by} ({rate(series(semconv.TORCH_ALLOC_RETRIES, *OF_RUN))})", device),
        ),
    ]
