"""The panels about GPUs and PyTorch's memory on them."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import colors, promql
from dashboards.build import thresholds as at
from dashboards.build.face import Face
from dashboards.build.panels import lines
from dashboards.build.promql import GPU, HOST, OF_RUN, RANK, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv

_RANK: Final = f"rank {{{{{RANK}}}}}"
_GPU: Final = f"{{{{{HOST}}}}} {{{{{GPU}}}}}"
_IS_GPU: Final = f'{promql.GPU_KIND}="gpu"'
_COMPUTES: Final = f'{promql.GPU_TASK}!~"encoder|decoder"'
_PER_GPU: Final = f"by ({HOST}, {GPU})"


def gpus() -> list[Builder[Panel]]:
    """Return use, memory, power, temperature, throttling, bus, errors and energy of each GPU."""
    usage = f"max {_PER_GPU} ({series(semconv.GPU_MEMORY_USAGE, *OF_RUN)})"
    limit = f"max {_PER_GPU} ({series(semconv.GPU_MEMORY_LIMIT, *OF_RUN)})"
    direction = "network_io_direction"
    io = rate(series(semconv.GPU_IO, *OF_RUN))
    errors = rate(series(semconv.GPU_ERRORS, *OF_RUN, _IS_GPU))
    return [
        _gpu_panel(
            Face(
                "GPU at work",
                "Share of time in which a kernel ran. Below the line it idles: look at the data wait first, then at "
                "the launch time in a batch trace. High does not yet mean fast: see its power.",
                units.PercentUnit,
                steps=((at.TRAINING_GPU_IDLE, colors.ATTENTION),),
                empty="no GPU",
            ),
            f"avg {_PER_GPU} ({series(semconv.GPU_UTILIZATION, *OF_RUN, _COMPUTES)})",
            limits=(0, 1),
        ),
        _gpu_panel(
            Face(
                "GPU memory in use",
                "Share of the device's memory in use by all processes. PyTorch keeps what it once had, so that near "
                "full is usual; above the line the next larger batch fails. Far below: there is room for larger "
                "batches.",
                units.PercentUnit,
                steps=((at.TRAINING_GPU_MEMORY_NEARLY_FULL, colors.BAD),),
                empty="no GPU",
            ),
            f"{usage} / {limit}",
            limits=(0, 1),
        ),
        _gpu_panel(
            Face(
                "Power",
                "Power drawn. A GPU that is busy and draws far less than its limit waits for memory or runs small "
                "kernels: larger batches, `torch.compile`, or fused operators help.",
                units.Watt,
                width=8,
                empty="no GPU",
            ),
            f"max {_PER_GPU} ({series(semconv.GPU_POWER, *OF_RUN, _IS_GPU)})",
        ),
        _gpu_panel(
            Face(
                "Temperature",
                "Temperature of the GPU. Most slow down between 80 and 90 °C: see Throttling, then the cooling of the "
                "host.",
                units.Celsius,
                width=8,
                steps=((80, colors.ATTENTION), (90, colors.BAD)),
                empty="no GPU",
            ),
            f"max {_PER_GPU} ({series(semconv.GPU_TEMPERATURE, *OF_RUN, _IS_GPU)})",
        ),
        lines(
            Face(
                "Throttling",
                "1 while the clock is held down, by reason. Thermal: cooling. Power: its limit, or the power supply. "
                "One slow GPU slows all ranks.",
                units.Short,
                width=8,
                steps=((1, colors.ATTENTION),),
                empty="no GPU",
            ),
            Query(
                f"max by ({HOST}, {GPU}, reason) ({series(semconv.GPU_THROTTLED, *OF_RUN)})", f"{_GPU} {{{{reason}}}}"
            ),
            limits=(0, 1),
        ),
        lines(
            Face(
                "Traffic over the bus",
                "Bytes a second between host and GPU. High while the `transfer` phase is long: send smaller types, pin "
                "memory, and move conversions to the device.",
                units.BytesPerSecondIEC,
                width=8,
                empty="no GPU",
            ),
            Query(f"sum by ({HOST}, {GPU}, {direction}) ({io})", f"{_GPU} {{{{{direction}}}}}"),
        ),
        lines(
            Face(
                "Hardware errors",
                "ECC and Xid errors a second, by type. Any of them deserves a look at the runbook: a GPU with "
                "uncorrected errors or Xid 79 or 94 needs to be drained.",
                units.CountsPerSecond,
                width=8,
                steps=((1e-9, colors.BAD),),
                empty="no GPU",
            ),
            Query(f"sum by ({HOST}, {GPU}, error_type) ({errors})", f"{_GPU} {{{{error_type}}}}"),
        ),
        _gpu_panel(
            Face(
                "Energy",
                "Energy that each GPU used since it was first read: what the run cost. Two runs to the same loss are "
                "compared by it.",
                units.Joule,
                width=8,
                empty="no GPU",
            ),
            f"max {_PER_GPU} ({series(semconv.GPU_ENERGY, *OF_RUN, _IS_GPU)})",
        ),
    ]


def _gpu_panel(face: Face, expression: str, limits: tuple[float | None, float | None] = (0, None)) -> Builder[Panel]:
    return lines(face, Query(expression, _GPU), limits=limits)


def torch_memory() -> list[Builder[Panel]]:
    """Return what PyTorch's allocator holds on each device."""
    device = f"{_RANK} {{{{device}}}}"
    by = f"by ({RANK}, device)"
    return [
        lines(
            Face(
                "Allocated and reserved",
                "Memory of live tensors, and what PyTorch's allocator holds for more. A wide gap is fragmentation: try "
                "`expandable_segments:True`. A line that climbs from epoch to epoch is a leak: something keeps graphs.",
                units.BytesIEC,
                width=16,
                empty="no device",
            ),
            Query(f"max {by} ({series(semconv.TORCH_ALLOCATED, *OF_RUN)})", f"{device} allocated"),
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
    ]
