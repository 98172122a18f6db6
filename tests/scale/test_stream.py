"""The simulated stream is that of a real training on two ranks, field by field: what a rank sends anew is missed here.

Compared are names, the keys and kinds of attributes, parents, links and events of spans, resources, and of metrics
their kinds, units and the keys of their points; for each rank, because the first of a host sends more than the others.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ocr_otel import semconv
from ocr_otel.settings import Settings
from tests.scale.host import reading
from tests.scale.stream import Sent, Training, requests
from tests.support.otlp import to_protobuf_json
from tests.support.scripts import FOLDER, run_python

RUN: Final = "run"
RANKS: Final = 2
ONE_OF_US: Final = {semconv.METRIC_HANGS}
"""What another process than the rank sends: its watchdog, five points for each run."""
BY_CIRCUMSTANCE: Final = (
    # Of the verdict, unless it is `none` or `compute`.
    semconv.BOTTLENECK_SPEEDUP,
    semconv.BOTTLENECK_ADVICE,
    # Of the process and of those seconds: whether it waited for a CPU, or collected garbage.
    semconv.CPU_DELAY_SECONDS,
    semconv.COLLECTING_SECONDS,
    semconv.FULL_COLLECTIONS,
    # Of the monitor, whose code the simulation runs: whether there were reads, swapping or a limit, or a slow batch.
    semconv.RESOURCE_PREFIX,
    semconv.SLOW_PREFIX,
    "training.disk.",
    "process.disk.",
    "training.process.cpu.limit",
    "training.process.memory.limit",
)
"""Beginnings of what may be there in one and not in the other."""

OF_A_STRAGGLER: Final = {
    semconv.STRAGGLER_RANK,
    semconv.STRAGGLER_RATIO,
    semconv.STRAGGLER_SECONDS,
    semconv.STRAGGLER_PHASE,
    semconv.STRAGGLER_SUMMARY,
}
"""Attributes of spans where one rank was late, as on a busy machine."""


@dataclass
class Shape:
    """What spans of one name have in common and may have."""

    parents: set[str] = field(default_factory=set)
    attributes: set[tuple[str, str]] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)
    events: set[tuple[str, frozenset[str]]] = field(default_factory=set)
    kind: set[int] = field(default_factory=set)


def keys(item: Any) -> set[tuple[str, str]]:
    """Return the keys of attributes with the kinds of their values."""
    found = {(pair.key, pair.value.WhichOneof("value") or "") for pair in item.attributes}
    return {each for each in found if not each[0].startswith(BY_CIRCUMSTANCE) and each[0] not in OF_A_STRAGGLER}


def shapes(messages: Iterable[Any]) -> dict[str, Shape]:
    """Return the shapes of all spans by name; `resource` is that of resources."""
    spans = []
    found: dict[str, Shape] = defaultdict(Shape)
    for message in messages:
        for resource in message.resource_spans:
            found["resource"].attributes |= keys(resource.resource)
            for scope in resource.scope_spans:
                found["scope"].parents.add(f"{scope.scope.name} {scope.scope.version}")
                spans += scope.spans
    names = {span.span_id: span.name for span in spans}
    for span in spans:
        shape = found[span.name]
        shape.parents.add(names.get(span.parent_span_id, "") if span.parent_span_id else "root")
        shape.attributes |= keys(span)
        shape.linked |= {names.get(link.span_id, "another") for link in span.links}
        shape.events |= {(event.name, frozenset(key for key, _ in keys(event))) for event in span.events}
        shape.kind.add(span.kind)
    return dict(found)


def series(messages: Iterable[Any]) -> dict[str, tuple[str, str, frozenset[frozenset[str]]]]:
    """Return unit, kind, and sets of keys of points by metric."""
    points: dict[str, set[frozenset[str]]] = defaultdict(set)
    described = {}
    for message in messages:
        for resource in message.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    kind = metric.WhichOneof("data")
                    described[metric.name] = (metric.unit, kind)
                    for point in getattr(metric, kind).data_points:
                        points[metric.name].add(frozenset(pair.key for pair in point.attributes))
    return {
        name: (*described[name], frozenset(found))
        for name, found in points.items()
        if not name.startswith(BY_CIRCUMSTANCE) and name not in ONE_OF_US
    }


def lines(path: Path, kind: Any) -> Iterator[Any]:
    """Return the requests in a file of OTLP JSON."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json_format.ParseDict(to_protobuf_json(json.loads(line)), kind())


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of a real training by DDP over gloo."""
    folder = tmp_path_factory.mktemp("real")
    done = run_python(
        [FOLDER / "on_demand_script.py", "--batches=200", "--step-seconds=0.04", f"--devices={RANKS}"],
        folder,
        OCR_OTEL_ENABLED="true",
        OCR_OTEL_RUN_ID=RUN,
        OCR_OTEL_RUNS_DIR=str(folder / "runs"),
        OTEL_METRIC_EXPORT_INTERVAL="1000",
    )
    assert done.returncode == 0, done.stderr
    return folder / "runs" / RUN


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, list[Any]]]:
    """Requests of a simulated training by signal and rank; a request of several ranks is parted."""
    found: dict[str, dict[int, list[Any]]] = {"traces": defaultdict(list), "metrics": defaultdict(list)}
    settings = Settings()
    # Where a real one runs: not in a Git checkout.
    with contextlib.chdir(tmp_path_factory.mktemp("simulated")), reading(settings) as host:
        # Longer than from one export of metrics to the next.
        training = Training(RUN, RANKS, epochs=1, epoch_seconds=80.0)
        for request in requests(training, settings, host, Sent()):
            kind = ExportTraceServiceRequest if request.signal == "traces" else ExportMetricsServiceRequest
            message = kind.FromString(request.body)
            parts = message.resource_spans if request.signal == "traces" else message.resource_metrics
            for part in parts:
                own = kind()
                (own.resource_spans if request.signal == "traces" else own.resource_metrics).append(part)
                rank = next(pair.value.int_value for pair in part.resource.attributes if pair.key == semconv.RANK)
                found[request.signal][rank].append(own)
    return found


@pytest.mark.parametrize("rank", range(RANKS))
def test_simulated_spans_have_the_shape_of_real_ones(
    real: Path, simulated: dict[str, dict[int, list[Any]]], rank: int
) -> None:
    expected = shapes(lines(real / f"rank-{rank}" / "traces.jsonl", ExportTraceServiceRequest))
    found = shapes(simulated["traces"][rank])
    assert found.keys() == expected.keys()
    for name, shape in expected.items():
        for aspect in fields(Shape):
            assert getattr(found[name], aspect.name) == getattr(shape, aspect.name), f"{aspect.name} of {name}"


@pytest.mark.parametrize("rank", range(RANKS))
def test_simulated_metrics_have_the_shape_of_real_ones(
    real: Path, simulated: dict[str, dict[int, list[Any]]], rank: int
) -> None:
    expected = series(lines(real / f"rank-{rank}" / "metrics.jsonl", ExportMetricsServiceRequest))
    found = series(simulated["metrics"][rank])
    # A rank of a busy machine cannot always be compared with the others.
    assert expected.keys() <= found.keys() <= expected.keys() | {semconv.METRIC_STRAGGLER_DELAY}
    for name, described in expected.items():
        assert found[name] == described, name


def test_simulated_ranks_meet_in_the_traces_in_which_real_ones_meet(
    real: Path, simulated: dict[str, dict[int, list[Any]]]
) -> None:
    def by_index(messages: Iterable[Any]) -> dict[int, tuple[bytes, bytes]]:
        return {
            next(pair.value.int_value for pair in span.attributes if pair.key == semconv.BATCH_IDX): (
                span.trace_id,
                span.span_id,
            )
            for message in messages
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.name == semconv.TRAIN_BATCH
        }

    for rank in range(RANKS):
        expected = by_index(lines(real / f"rank-{rank}" / "traces.jsonl", ExportTraceServiceRequest))
        found = by_index(simulated["traces"][rank])
        both = expected.keys() & found.keys()
        # The ids of a step come from the run's name and the step alone.
        assert len(both) > 10
        assert {index: found[index] for index in both} == {index: expected[index] for index in both}
