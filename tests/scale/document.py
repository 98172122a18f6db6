"""Makes docs/capacity.md of what was measured: each number in it is one of docs/capacity.json, or follows from some."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ocr_otel.recording.sampling import detailed

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "capacity.md"
TEXT: Final = Path(__file__).with_name("capacity.template.md")
FLEETS: Final = (8, 64, 512, 1024, 4096)
RANKS_OF_HOST: Final = 8
EPOCH_SECONDS: Final = 300.0
BATCH_SPANS: Final = 200
"""`OCR_OTEL_BATCH_SPANS`."""
ALWAYS_KEPT: Final = 3
"""First batches of an epoch, which no share takes away."""
EXPORT_SECONDS: Final = 60.0
DECISION_SECONDS: Final = 12.0
DAY: Final = 86_400.0
BYTES_OF_SAMPLE: Final = 1.5
"""In Prometheus's compacted blocks; measured for docs/stack.md, because a flood of minutes ends before any is made."""
LOAD: Final = 0.5
"""Share of a core that a server is planned for: the other half is for restarts, floods after an outage, and queries."""
COLLECTOR_MIB: Final = 75.0
PROMETHEUS_MIB: Final = 95.0
"""What they take before anything comes."""
GATEWAY_MIB: Final = 1024.0 * 0.75
"""Memory at which a gateway begins to refuse, with its spike taken off."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured, in the units that are planned with.

    Attributes:
        spans_of_batch: Spans of a kept batch and rank.
        bytes_of_batch: Bytes of it on the wire.
        bytes_of_export: Bytes of an export of metrics.
        series: Series of a rank.
        series_of_histograms: Part of them that are buckets, sums and counts.
        histograms: Points of histograms of a rank.
        milliseconds: CPU of each server for 1,000 spans: accepted by Collectors, stored by Jaeger.
        held_bytes: Memory of a gateway for a span that waits for its decision.
        disk_of_span: Bytes of a span on Jaeger's disk.
        bytes_of_series: Memory of Prometheus for a series.
    """

    spans_of_batch: int
    bytes_of_batch: float
    bytes_of_export: float
    series: float
    series_of_histograms: int
    histograms: int
    milliseconds: Mapping[str, float]
    held_bytes: float
    disk_of_span: float
    bytes_of_series: float


@dataclass(frozen=True, slots=True)
class Levers:
    """What a user can turn.

    Attributes:
        batch_spans: `OCR_OTEL_BATCH_SPANS`.
        export_seconds: `OTEL_METRIC_EXPORT_INTERVAL`.
        keep: `STACK_KEEP_REGULAR_PERCENT`.
        one_series_a_histogram: Prometheus stores a histogram as one series.
    """

    batch_spans: int = BATCH_SPANS
    export_seconds: float = EXPORT_SECONDS
    keep: float = 100.0
    one_series_a_histogram: bool = False


@dataclass(frozen=True, slots=True)
class Needs:
    """What a fleet needs.

    Attributes:
        spans: Spans a second.
        gateways: Gateways.
        gateway_mib: Memory of each.
        stored: Spans a second that Jaeger stores.
        jaeger_cores: CPU of Jaeger.
        jaeger_gb: Jaeger's disk, GB a day.
        series: Series that are written to.
        samples: Samples a second.
        prometheus_gib: Memory of Prometheus.
        prometheus_gb: Its disk, GB a day.
    """

    spans: float
    gateways: int
    gateway_mib: float
    stored: float
    jaeger_cores: float
    jaeger_gb: float
    series: float
    samples: float
    prometheus_gib: float
    prometheus_gb: float


def costs(numbers: Mapping[str, Any]) -> Costs:
    """Take what is planned with out of what was measured."""
    rank, flood = numbers["rank"], largest(numbers)
    arrived, cpu, peak = flood["arrived"], flood["cpu_seconds"], flood["peak_mib"]
    spans = flood["sent"]["spans"]
    gateways = [name for name in cpu if name.startswith("gateway")]
    milliseconds = {
        "agent": cpu["agent"] / spans * 1e6,
        "balancer": cpu["balancer"] / spans * 1e6,
        "gateway": sum(cpu[name] for name in gateways) / spans * 1e6,
        "jaeger": cpu["jaeger"] / arrived["stored"] * 1e6,
    }
    held = spans / len(gateways) / flood["send_seconds"] * DECISION_SECONDS
    return Costs(
        spans_of_batch=rank["spans_of_batch"],
        bytes_of_batch=rank["bytes_of_batch"],
        bytes_of_export=rank["bytes_of_export"],
        series=rank["series"],
        series_of_histograms=rank["series_of_histograms"],
        histograms=rank["histograms"],
        milliseconds=milliseconds,
        held_bytes=(max(peak[name] for name in gateways) - COLLECTOR_MIB) * 2**20 / held,
        disk_of_span=flood["disk_bytes"]["jaeger"] / arrived["stored"],
        bytes_of_series=(peak["prometheus"] - PROMETHEUS_MIB) * 2**20 / arrived["series"],
    )


def largest(numbers: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the largest flood."""
    floods: list[Mapping[str, Any]] = [value for key, value in numbers.items() if key.startswith("flood-")]
    return max(floods, key=lambda found: found["training"]["ranks"])


def needs(ranks: int, cost: Costs, levers: Levers = Levers()) -> Needs:
    """Say what so many ranks need."""
    spans = levers.batch_spans * spans_of_trace(ranks, cost) / EPOCH_SECONDS
    by_cpu = spans * cost.milliseconds["gateway"] / 1e6 / LOAD
    by_memory = spans * DECISION_SECONDS * cost.held_bytes / 2**20 / (GATEWAY_MIB - COLLECTOR_MIB)
    gateways = max(1, math.ceil(by_cpu), math.ceil(by_memory))
    first = min(ALWAYS_KEPT, levers.batch_spans)
    stored = spans * (first + (levers.batch_spans - first) * levers.keep / 100) / levers.batch_spans
    # A classic histogram is a series for each bucket; as a native one with the same buckets it is one.
    series = cost.series - (cost.series_of_histograms - cost.histograms if levers.one_series_a_histogram else 0)
    samples = ranks * series / levers.export_seconds
    return Needs(
        spans=spans,
        gateways=gateways,
        gateway_mib=COLLECTOR_MIB + spans / gateways * DECISION_SECONDS * cost.held_bytes / 2**20,
        stored=stored,
        jaeger_cores=stored * cost.milliseconds["jaeger"] / 1e6,
        jaeger_gb=stored * DAY * cost.disk_of_span / 1e9,
        series=ranks * series,
        samples=samples,
        prometheus_gib=(PROMETHEUS_MIB + ranks * series * cost.bytes_of_series / 2**20) / 1024,
        prometheus_gb=samples * DAY * BYTES_OF_SAMPLE / 1e9,
    )


def spans_of_trace(ranks: int, cost: Costs) -> int:
    """Return the spans of a batch's trace: of many ranks not all add more than their root."""
    whole = sum(detailed(0, rank, ranks) for rank in range(ranks))
    return ranks + whole * (cost.spans_of_batch - 1)


def page(numbers: Mapping[str, Any]) -> str:
    """Return the page."""
    cost = costs(numbers)
    flood = largest(numbers)
    text = TEXT.read_text(encoding="utf-8")
    for name, made in {
        "RANK": _rank(numbers["rank"], cost),
        "FLOOD": _flood(flood),
        "SERVERS": _servers(flood, cost),
        "FLEETS": _fleets(cost),
        "LEVERS": _levers(cost),
    }.items():
        text = text.replace(f"<!-- {name} -->", made)
    return text


def _rank(rank: Mapping[str, Any], cost: Costs) -> str:
    traces, metrics = BATCH_SPANS * cost.bytes_of_batch / EPOCH_SECONDS, cost.bytes_of_export / EXPORT_SECONDS
    spans = BATCH_SPANS * cost.spans_of_batch / EPOCH_SECONDS
    of_histograms = f"{cost.series_of_histograms} of them are of {cost.histograms} histograms"
    return _table(
        ("one rank", "", "where from"),
        [
            ("spans of a kept batch", str(cost.spans_of_batch), "measured"),
            ("bytes of a kept batch", _number(cost.bytes_of_batch), "measured, with its resource"),
            ("spans a second", f"{spans:.1f}", f"{BATCH_SPANS} batches in {EPOCH_SECONDS:.0f} s"),
            ("traces, bytes a second", _number(traces), "the same"),
            ("bytes of an export of metrics", _number(cost.bytes_of_export), f"measured: {rank['points']} points"),
            ("metrics, bytes a second", _number(metrics), f"an export in {EXPORT_SECONDS:.0f} s"),
            ("series in Prometheus", _number(cost.series), f"measured; {of_histograms}"),
            ("samples a second", f"{cost.series / EXPORT_SECONDS:.1f}", f"the series in {EXPORT_SECONDS:.0f} s"),
            ("both signals, MB an hour", f"{(traces + metrics) * 3600 / 1e6:.1f}", "the sum"),
        ],
    )


def _flood(flood: Mapping[str, Any]) -> str:
    sent, arrived, training = flood["sent"], flood["arrived"], flood["training"]
    gateways = " and ".join(_number(number) for number in arrived["gateways"].values())
    accepted = f"{_number(arrived['agent'])}, {_number(arrived['balancer'])}, {gateways}"
    traces = f"{_number(sent['batch_traces'] + sent['run_traces'])}, {_number(sum(arrived['traces_seen'].values()))}"
    exports = f"{_number(training['ranks'] * sent['exports'])}, {_number(arrived['samples'])}"
    return _table(
        ("", ""),
        [
            ("ranks, and training of each", f"{_number(training['ranks'])}, {training['epoch_seconds']:.0f} s"),
            ("spans sent", _number(sent["spans"])),
            ("accepted by agent, balancer and gateways", accepted),
            ("sampled out", _number(sent["spans"] - arrived["stored"])),
            ("stored by Jaeger", _number(arrived["stored"])),
            ("lost, or refused for good", _number(arrived["failed"])),
            ("traces made, and met by gateways", traces),
            ("exports of metrics sent, and in Prometheus", exports),
            ("series of the run in Prometheus", _number(arrived["series"])),
            ("samples that came out of order", _number(arrived["late"])),
        ],
    )


def _servers(flood: Mapping[str, Any], cost: Costs) -> str:
    lines = []
    for name, peak in flood["peak_mib"].items():
        kind = name.split("-")[0]
        of_spans = cost.milliseconds.get(kind)
        rate = f"{of_spans:.0f} ms, {_number(1e6 / of_spans)} a second and core" if of_spans else ""
        lines.append((name, f"{flood['cpu_seconds'][name]:.0f} s", rate, f"{_number(peak)} MiB"))
    return _table(("server", "CPU", "for 1,000 spans", "most memory"), lines)


def _fleets(cost: Costs) -> str:
    lines = []
    for ranks in FLEETS:
        need = needs(ranks, cost)
        balancers = 0 if need.gateways == 1 else 2
        lines.append((
            _number(ranks), _number(ranks // RANKS_OF_HOST), _number(need.spans), f"{need.gateways}, {balancers}",
            f"{_number(need.gateway_mib)} MiB", _amount(need.jaeger_cores), _amount(need.jaeger_gb),
            _number(need.series), f"{need.prometheus_gib:.1f} GiB", _amount(need.prometheus_gb),
            _number(spans_of_trace(ranks, cost)),
        ))  # fmt: skip
    head = (
        "GPUs", "agents", "spans/s", "gateways, balancers", "memory of a gateway", "cores of Jaeger",
        "Jaeger, GB a day",
        "series", "memory of Prometheus", "Prometheus, GB a day", "spans of a batch trace",
    )  # fmt: skip
    return _table(head, lines)


def _levers(cost: Costs) -> str:
    cases = (
        ("as it is", Levers()),
        ("`OCR_OTEL_BATCH_SPANS=50`", Levers(batch_spans=50)),
        ("`STACK_KEEP_REGULAR_PERCENT=10`", Levers(keep=10.0)),
        ("`OTEL_METRIC_EXPORT_INTERVAL=120000`", Levers(export_seconds=120.0)),
        ("a histogram as one series", Levers(one_series_a_histogram=True)),
    )
    found = [(name, needs(1024, cost, levers)) for name, levers in cases]
    return _table(
        ("1,024 GPUs", "spans/s", "stored/s", "cores of Jaeger", "GB a day", "series", "samples/s", "Prometheus"),
        [
            (
                name, _number(need.spans), _number(need.stored), _amount(need.jaeger_cores), _amount(need.jaeger_gb),
                _number(need.series), _number(need.samples),
                f"{need.prometheus_gib:.1f} GiB, {_amount(need.prometheus_gb)} GB a day",
            )
            for name, need in found
        ],
    )  # fmt: skip


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
