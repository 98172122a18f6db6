"""The panels about GPUs."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import colors, promql
from dashboards.build import thresholds as at
from dashboards.build.face import Face
from dashboards.build.panels import lines
from dashboards.build.promql import GPU, GPU_NAME, HOST, OF_RUN, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv

# Read by people: `gpu0` as nvidia-smi counts, while the id is a UUID that stays the same when cards are moved.
_GPU: Final = f"{{{{{HOST}}}}} {{{{{GPU_NAME}}}}}"
_IS_GPU: Final = f'{promql.GPU_KIND}="gpu"'
_COMPUTES: Final = f'{promql.GPU_TASK}!~"encoder|decoder"'
_OF_GPU: Final = f"{HOST}, {GPU}, {GPU_NAME}"
_PER_GPU: Final = f"by ({_OF_GPU})"


def gpus() -> list[Builder[Panel]]:
    """Return use, memory, power, temperature, clocks, throttling, buses, errors and energy of each GPU."""
    usage = f"max {_PER_GPU} ({series(semconv.GPU_MEMORY_USAGE, *OF_RUN)})"
    limit = f"max {_PER_GPU} ({series(semconv.GPU_MEMORY_LIMIT, *OF_RUN)})"
    direction = "network_io_direction"
    io, nvlink = (rate(series(each, *OF_RUN)) for each in (semconv.GPU_IO, semconv.GPU_NVLINK_IO))
    role = promql.ROLE
    power = f"max {_PER_GPU} ({series(semconv.GPU_POWER, *OF_RUN, _IS_GPU)})"
    power_limit = f"max {_PER_GPU} ({series(semconv.GPU_POWER_LIMIT, *OF_RUN)})"
    domain = promql.label(semconv.GPU_CLOCK_DOMAIN)
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
                "GPU at work, at most",
                "The highest of the samples between two exports. High while the mean is low: the GPU works in bursts "
                "and waits between them, for data or for launches. Low too: kernels are small; larger batches help.",
                units.PercentUnit,
                empty="no GPU",
            ),
            f"max {_PER_GPU} ({series(semconv.GPU_UTILIZATION_MAX, *OF_RUN, _COMPUTES)})",
            limits=(0, 1),
        ),
        _gpu_panel(
            Face(
                "Device memory being read or written",
                "Share of time in which device memory was read or written. High while the GPU is at work and draws "
                "little power: memory is the bottleneck; fused operators, lower precision, or channels-last help.",
                units.PercentUnit,
                width=8,
                empty="no GPU",
            ),
            f"max {_PER_GPU} ({series(semconv.GPU_MEMORY_CONTROLLER_UTILIZATION, *OF_RUN)})",
            limits=(0, 1),
        ),
        _gpu_panel(
            Face(
                "GPU memory in use",
                "Share of the device's memory in use by all processes. PyTorch keeps what it once had, so that near "
                "full is usual; above the line the next larger batch fails. Far below: there is room for larger "
                "batches.",
                units.PercentUnit,
                width=8,
                steps=((at.TRAINING_GPU_MEMORY_NEARLY_FULL, colors.BAD),),
                empty="no GPU",
            ),
            f"{usage} / {limit}",
            limits=(0, 1),
        ),
        lines(
            Face(
                "Whose memory it is",
                "Device memory by whose process holds it. Anything of others: a run that was left over, or a neighbour "
                "on the same card, which also takes its time; `nvidia-smi` names the process.",
                units.BytesIEC,
                width=8,
                empty="the driver does not tell",
            ),
            Query(
                f"max by ({_OF_GPU}, {role}) ({series(semconv.GPU_PROCESS_MEMORY, *OF_RUN)})",
                f"{_GPU} {{{{{role}}}}}",
            ),
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
            power,
        ),
        _gpu_panel(
            Face(
                "Power against its limit",
                "Power drawn as a share of the limit that is set. At 100 % the card slows itself down, see Throttling: "
                "usual for large matrix products, and a lower limit costs little speed. One card alone: compare their "
                "limits.",
                units.PercentUnit,
                width=8,
                empty="no GPU",
            ),
            f"{power} / {power_limit}",
            limits=(0, 1),
        ),
        _gpu_panel(
            Face(
                "Temperature",
                "The hottest sensor of the GPU. Most slow down between 80 and 90 °C: see Throttling, then the cooling "
                "of the host.",
                units.Celsius,
                width=8,
                steps=((80, colors.ATTENTION), (90, colors.BAD)),
                empty="no GPU",
            ),
            f"max {_PER_GPU} ({series(semconv.GPU_TEMPERATURE, *OF_RUN, _IS_GPU)})",
        ),
        lines(
            Face(
                "Clocks",
                "Clock rates of the multiprocessors and of device memory. One card below the others at the same load "
                "slows all ranks: see Throttling for why. All low: application clocks are set.",
                units.Hertz,
                width=8,
                empty="no GPU",
            ),
            Query(f"max by ({_OF_GPU}, {domain}) ({series(semconv.GPU_CLOCK, *OF_RUN)})", f"{_GPU} {{{{{domain}}}}}"),
        ),
        lines(
            Face(
                "Throttling",
                "Share of time in which the clock was held down, by reason. Thermal: cooling. Power cap: its limit. "
                "Power brake: the power supply. One slow GPU slows all ranks.",
                units.PercentUnit,
                width=8,
                steps=((0.25, colors.ATTENTION),),
                empty="no GPU",
            ),
            Query(f"max by ({_OF_GPU}, reason) ({series(semconv.GPU_THROTTLED, *OF_RUN)})", f"{_GPU} {{{{reason}}}}"),
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
            Query(f"sum by ({_OF_GPU}, {direction}) ({io})", f"{_GPU} {{{{{direction}}}}}"),
        ),
        lines(
            Face(
                "Traffic over NVLink",
                "Bytes a second between GPUs of the host. Nothing on several ranks: gradients go over the bus or the "
                "network instead; see `nvidia-smi topo -m` and `NCCL_DEBUG=INFO`.",
                units.BytesPerSecondIEC,
                width=8,
                empty="no NVLink",
            ),
            Query(f"sum by ({_OF_GPU}, {direction}) ({nvlink})", f"{_GPU} {{{{{direction}}}}}"),
        ),
        lines(
            Face(
                "Hardware errors",
                "ECC and Xid errors a second, by type. Corrected ECC errors are harmless in small numbers, and Xid 13, "
                "31, 43 and 45 are the program's own; a GPU with uncorrected errors or Xid 48, 63, 64, 79, 94 or 95 "
                "needs to be drained, see the runbook.",
                units.CountsPerSecond,
                width=8,
                steps=((1e-9, colors.BAD),),
                empty="no GPU",
            ),
            Query(f"sum by ({_OF_GPU}, error_type) ({errors})", f"{_GPU} {{{{error_type}}}}"),
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
