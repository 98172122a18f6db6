"""The demo's training, told by environment variables alone, through agent and gateway: everything arrives, unchanged.

The run writes the same telemetry to its standard output as OTLP-JSON: what it recorded is known without asking anybody.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.semconv import Kept, Section, Stage
from tests.support import planted_demo
from tests.support.otlp import Metrics, Span, Traces
from tests.support.scripts import FOLDER, run_python
from tests.support.stack import RunningStack, get, wait_for

SERVICE = "demo-through-the-stack"
ARRIVAL = 60
"""Seconds; the gateway alone waits 12 s before it decides on a trace."""
NOT_OF_THIS_RUN = {
    semconv.METRIC_CACHE_HITS,
    semconv.METRIC_CACHE_MISSES,
    semconv.METRIC_DOCTOR_CHECKS,
    semconv.METRIC_HANGS,
    semconv.METRIC_STRAGGLER_DELAY,
    semconv.METRIC_STRAGGLER_STEPS,
}
"""The demo's dataset has no cache, it has one rank, the doctor is not at work, and hangs are told by the watchdog."""
ONLY_WHILE_A_STAGE_RUNS = {
    semconv.METRIC_THROUGHPUT_SAMPLES,
    semconv.METRIC_THROUGHPUT_BATCHES,
    semconv.METRIC_DATA_WAIT,
}
MOVES_WITH_EACH_EXPORT = {semconv.METRIC_OVERHEAD}
"""The exports to the Collector and to the file are moments apart, and cost something themselves."""
PHASES = {semconv.FETCH, semconv.TRANSFER, semconv.FORWARD, semconv.BACKWARD, semconv.OPTIMIZER_STEP}


@dataclass(frozen=True)
class Trained:
    """A run that ended, as it recorded itself."""

    run_id: str
    service_instance: str
    traces: Traces
    metrics: Metrics
    printed: str


@pytest.fixture(scope="module")
def trained(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("training")
    environment = stack.environment(
        OTEL_SERVICE_NAME=SERVICE,
        OTEL_TRACES_EXPORTER="otlp,otlp_json_file",
        OTEL_METRICS_EXPORTER="otlp,otlp_json_file",
        OTEL_METRIC_EXPORT_INTERVAL="2000",
        OCR_OTEL_FLUSH_TIMEOUT="20",
        PYTHONPATH=str(FOLDER.parents[1]),
        OMP_NUM_THREADS="1",
    )
    script = [FOLDER / "planted_demo.py", "--epochs", "2", "--samples", "400", "--workers", "2"]
    done = run_python(script, folder, **environment)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    for name, start in (("traces", '{"resourceSpans"'), ("metrics", '{"resourceMetrics"')):
        (folder / f"{name}.jsonl").write_text("\n".join(line for line in lines if line.startswith(start)))
    traces = Traces(folder / "traces.jsonl")
    resource = traces.resource
    metrics = Metrics(folder / "metrics.jsonl")
    return Trained(resource[semconv.RUN_ID], resource["service.instance.id"], traces, metrics, done.stderr)


@pytest.fixture(scope="module")
def arrived(stack: RunningStack, trained: Trained) -> dict[str, list[dict[str, Any]]]:
    """Every trace of the run by Jaeger's query API v3, once no span is missing."""
    recorded = Counter(span.trace_id for span in trained.traces.spans)
    found: dict[str, list[dict[str, Any]]] = {}

    def all_there() -> bool:
        for trace_id, count in recorded.items():
            if len(found.get(trace_id, [])) < count:
                found[trace_id] = stack.trace(trace_id)
        return all(len(found[trace_id]) >= count for trace_id, count in recorded.items())

    wait_for(all_there, ARRIVAL, "all spans are in Jaeger")
    return found


def kept_batches(trained: Trained) -> list[Span]:
    return trained.traces.roots(semconv.TRAIN_BATCH) + trained.traces.roots(semconv.VALIDATION_BATCH)


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    """Attributes of OTLP-JSON as Python values."""
    return {pair["key"]: plain_value(pair["value"]) for pair in attributes}


def plain_value(value: dict[str, Any]) -> Any:
    """A value of OTLP-JSON as a Python value."""
    ((kind, held),) = value.items()
    if kind == "arrayValue":
        return [plain_value(each) for each in held["values"]]
    return int(held) if kind == "intValue" else held


def assert_same(found: dict[str, Any], recorded: dict[str, Any]) -> None:
    """Numbers may differ by what their text does to them, all else not at all."""
    assert found.keys() == recorded.keys()
    for name, value in recorded.items():
        assert found[name] == (pytest.approx(value) if isinstance(value, float) else value), name


def test_every_batch_trace_that_the_run_kept_is_in_jaeger_span_by_span(
    trained: Trained, arrived: dict[str, list[dict[str, Any]]]
) -> None:
    batches = kept_batches(trained)
    assert len(batches) > 40
    for batch in batches:
        recorded = {span.span_id: span for span in trained.traces.spans if span.trace_id == batch.trace_id}
        stored = {span["spanId"]: span for span in arrived[batch.trace_id]}
        assert stored.keys() == recorded.keys()
        for span_id, span in recorded.items():
            found = stored[span_id]
            assert (found["name"], found.get("parentSpanId", "")) == (span.name, span.parent_id)
            assert (int(found["startTimeUnixNano"]), int(found["endTimeUnixNano"])) == (span.start, span.end)
            assert_same(plain(found.get("attributes", [])), span.attributes)
            assert [link["spanId"] for link in found.get("links", [])] == span.links


def test_batch_traces_have_phases_the_worker_that_made_the_batch_and_a_link_to_their_epoch(
    trained: Trained, arrived: dict[str, list[dict[str, Any]]]
) -> None:
    epochs = {span.span_id: span for span in trained.traces.spans if span.name == semconv.TRAIN_EPOCH}
    for batch in trained.traces.roots(semconv.TRAIN_BATCH):
        spans = arrived[batch.trace_id]
        names = {span["name"] for span in spans}
        assert names >= PHASES | {semconv.WORKER, semconv.WORKER_DATASET, semconv.WORKER_COLLATE}
        (root,) = (span for span in spans if not span.get("parentSpanId"))
        (link,) = root["links"]
        assert link["spanId"] in epochs
        assert link["traceId"] == epochs[link["spanId"]].trace_id
        assert link["spanId"] in {span["spanId"] for span in arrived[link["traceId"]]}


def test_run_trace_is_in_jaeger_with_links_to_slow_batches(
    trained: Trained, arrived: dict[str, list[dict[str, Any]]]
) -> None:
    fit = trained.traces.root(semconv.FIT)
    names = Counter(span["name"] for span in arrived[fit.trace_id])
    assert names[semconv.FIT] == names[semconv.FIT_START] == 1
    assert names[semconv.TRAIN_EPOCH] == names[semconv.VALIDATION] == 2
    linked = {
        link["traceId"]
        for span in arrived[fit.trace_id]
        if span["name"] == semconv.TRAIN_EPOCH
        for link in span.get("links", [])
    }
    assert linked
    assert linked <= {batch.trace_id for batch in trained.traces.roots(semconv.TRAIN_BATCH)}


def test_jaegers_page_is_served_the_same_spans(
    stack: RunningStack, trained: Trained, arrived: dict[str, list[dict[str, Any]]]
) -> None:
    for batch in kept_batches(trained):
        shown = stack.ui_trace(batch.trace_id)
        assert shown is not None
        assert {span["spanID"] for span in shown["spans"]} == {span["spanId"] for span in arrived[batch.trace_id]}
        (root,) = (span for span in shown["spans"] if span["spanID"] == batch.span_id)
        assert root["duration"] == pytest.approx(batch.seconds * 1e6, abs=1)
        assert [each["refType"] for each in root["references"]] == ["FOLLOWS_FROM"]
        assert {each["serviceName"] for each in shown["processes"].values()} == {SERVICE}


def test_search_by_duration_and_tag_finds_the_planted_slow_batch(stack: RunningStack, arrived: object) -> None:
    found = stack.search(
        service=SERVICE,
        operation=semconv.TRAIN_BATCH,
        tags=f'{{"{semconv.KEPT}": "{Kept.SLOW}"}}',
        minDuration=f"{planted_demo.SECONDS:.0f}s",
        limit=20,
        lookback="1h",
    )
    assert len(found) == 1
    (root,) = (span for span in found[0]["spans"] if span["operationName"] == semconv.TRAIN_BATCH)
    tags = {tag["key"]: tag["value"] for tag in root["tags"]}
    assert (tags[semconv.EPOCH], tags[semconv.BATCH_IDX]) == (planted_demo.EPOCH, planted_demo.BATCH)


def test_new_api_of_jaeger_finds_the_slow_batch_too(stack: RunningStack, trained: Trained, arrived: object) -> None:
    now = time.time()
    stamps = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (now - 3600, now + 60)]
    found = get(
        f"{stack.plan.url('STACK_JAEGER_QUERY_PORT')}/api/v3/traces",
        **{
            "query.service_name": SERVICE,
            "query.operation_name": semconv.TRAIN_BATCH,
            "query.start_time_min": stamps[0],
            "query.start_time_max": stamps[1],
            "query.duration_min": f"{planted_demo.SECONDS:.0f}s",
            "query.num_traces": 20,
        },
    )
    ids = {
        span["traceId"]
        for resource in found["result"]["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }
    slow = {batch.trace_id for batch in kept_batches(trained) if batch.seconds >= planted_demo.SECONDS}
    assert ids == slow


def test_resource_tells_the_run_and_nothing_private(trained: Trained, arrived: dict[str, list[dict[str, Any]]]) -> None:
    for spans in arrived.values():
        for span in spans:
            resource = plain(span["resource"])
            assert resource[semconv.RUN_ID] == trained.run_id
            assert resource["service.name"] == SERVICE
            assert [key for key in resource if key.startswith(("process.command", "process.owner"))] == []


@pytest.fixture(scope="module")
def labels(stack: RunningStack, trained: Trained) -> str:
    """The labels of all series of the run, once its last export is in Prometheus."""
    chosen = f'training_run_id="{trained.run_id}"'
    active = semconv.prometheus_name(semconv.METRICS[semconv.METRIC_RUN_ACTIVE])
    wait_for(lambda: stack.value(f"{active}{{{chosen}}} == 0") is not None, ARRIVAL, "the last export is in Prometheus")
    return chosen


def test_run_recorded_every_metric_that_a_run_without_a_gpu_has(trained: Trained) -> None:
    assert trained.metrics.points.keys() & semconv.METRICS.keys() == semconv.METRICS.keys() - NOT_OF_THIS_RUN


@pytest.mark.parametrize("name", sorted(semconv.METRICS.keys() - NOT_OF_THIS_RUN))
def test_metric_is_in_prometheus_with_its_name_labels_and_value(
    stack: RunningStack, trained: Trained, labels: str, name: str
) -> None:
    metric = semconv.METRICS[name]
    called = semconv.prometheus_name(metric)
    for attributes, point in trained.metrics.points[name].items():
        own = {key.replace(".", "_"): str(value) for key, value in attributes}
        chosen = ",".join([labels, *(f'{key}="{value}"' for key, value in own.items())])
        if metric.kind == "histogram":
            assert stack.value(f"{called}_count{{{chosen}}}") == point.count
            assert stack.value(f"{called}_sum{{{chosen}}}") == pytest.approx(point.sum)
            check_buckets(stack, f"{called}_bucket{{{chosen}}}", point)
            continue
        value = point.as_double if point.WhichOneof("value") == "as_double" else point.as_int
        if name in ONLY_WHILE_A_STAGE_RUNS:
            # Its series ended with the stage: the last values of both exports are moments apart.
            (series,) = stack.query(f"last_over_time({called}{{{chosen}}}[30m])")
            assert float(series["value"][1]) == pytest.approx(value, rel=0.5, abs=0.1)
        else:
            (series,) = stack.query(f"{called}{{{chosen}}}")
            loose = 0.2 if name in MOVES_WITH_EACH_EXPORT else 1e-9
            assert float(series["value"][1]) == pytest.approx(value, rel=loose)
        found = series["metric"]
        assert own.items() <= found.items()
        assert (found["service_name"], found["job"], found["training_rank"]) == (SERVICE, SERVICE, "0")
        assert found["instance"] == trained.service_instance
        assert found["host_name"]


def test_hangs_are_counted_from_0_on_by_the_watchdog(stack: RunningStack, labels: str) -> None:
    called = semconv.prometheus_name(semconv.METRICS[semconv.METRIC_HANGS])
    # Told once a minute at most, and not again when the run has ended.
    found = stack.query(f"last_over_time({called}{{{labels}}}[30m])")
    assert {each["metric"]["training_section"]: each["value"][1] for each in found} == dict.fromkeys(Section, "0")


def test_what_was_read_beside_the_training_is_in_prometheus_series_by_series(
    stack: RunningStack, trained: Trained, labels: str
) -> None:
    read = trained.metrics.points.keys() & semconv.RESOURCE_METRICS.keys()
    assert {semconv.PROCESS_CPU_TIME, semconv.PROCESS_MEMORY, semconv.IO_REQUESTED, semconv.SYSTEM_CPU_TIME} <= read
    for name in read:
        called = semconv.prometheus_name(semconv.RESOURCE_METRICS[name])
        # Some have ended, as those of a worker do: the two exports are moments apart.
        found = stack.query(f"last_over_time({called}{{{labels}}}[30m])")
        of_metric = [{key.replace(".", "_"): str(value) for key, value in own} for own in trained.metrics.points[name]]
        for own in of_metric:
            assert any(own.items() <= each["metric"].items() for each in found), (called, own)
        assert len(found) == len(of_metric), called


def check_buckets(stack: RunningStack, expression: str, point: Any) -> None:
    found = {float(series["metric"]["le"]): float(series["value"][1]) for series in stack.query(expression)}
    so_far = 0
    for bound, count in zip((*point.explicit_bounds, math.inf), point.bucket_counts, strict=True):
        so_far += count
        assert found[bound] == so_far, f"bucket {bound} of {expression}"


def test_counts_in_prometheus_are_what_the_training_did(stack: RunningStack, trained: Trained, labels: str) -> None:
    """350 training lines in whole batches of 16, the rest dropped, and 50 validation lines, twice."""

    def total(name: str, stage: Stage) -> float | None:
        called = semconv.prometheus_name(semconv.METRICS[name])
        return stack.value(f'{called}{{{labels},training_stage="{stage}"}}')

    assert total(semconv.METRIC_SAMPLES, Stage.TRAIN) == 672
    assert total(semconv.METRIC_BATCHES, Stage.TRAIN) == 42
    assert total(semconv.METRIC_EPOCHS, Stage.TRAIN) == 2
    assert total(semconv.METRIC_SAMPLES, Stage.VALIDATE) == 100
    runs = semconv.prometheus_name(semconv.METRICS[semconv.METRIC_RUNS])
    assert stack.value(f'{runs}{{{labels},outcome="completed"}}') == 1
    assert stack.value(f'{runs}{{{labels},outcome="failed"}}') == 0


def test_exemplars_lead_to_batch_traces_that_jaeger_knows(
    stack: RunningStack, trained: Trained, labels: str, arrived: dict[str, list[dict[str, Any]]]
) -> None:
    name = semconv.prometheus_name(semconv.METRICS[semconv.METRIC_BATCH_DURATION])
    found: list[dict[str, Any]] = []

    def several() -> bool:
        found[:] = stack.exemplars(f"{name}_bucket{{{labels}}}")
        return len({exemplar["labels"]["trace_id"] for exemplar in found}) >= 3

    wait_for(several, ARRIVAL, "exemplars of three traces are in Prometheus")
    batches = {batch.trace_id: batch for batch in kept_batches(trained)}
    for exemplar in found:
        batch = batches[exemplar["labels"]["trace_id"]]
        assert exemplar["labels"]["span_id"] == batch.span_id
        assert float(exemplar["value"]) == pytest.approx(batch.seconds, rel=0.02)
        assert arrived[batch.trace_id]


def test_labels_are_few_and_the_run_has_a_bounded_number_of_series(stack: RunningStack, labels: str) -> None:
    # All other attributes of the resource are labels of `target_info` alone.
    series = stack.query(f'{{{labels},__name__!="target_info"}}')
    own = {"__name__", "job", "instance", "service_name", "host_name", "training_run_id", "training_rank"}
    of_points = {
        "training_stage",
        "training_phase",
        "training_profile_mode",
        "training_metric_name",
        "part",
        "training_section",
        "outcome",
        "cause",
        "le",
    }
    of_resources = {"training_process_role", "training_dataloader_worker_id", "resource", "kind", "state", "device"}
    of_resources |= {"direction", "system_device", "system_filesystem_type", "system_paging_direction", "cpu_mode"}
    of_resources |= {"disk_io_direction", "process_context_switch_type", "system_paging_fault_type"}
    # Of Python's garbage collector, by two names in `opentelemetry-instrumentation-system-metrics`.
    of_resources |= {"generation", "cpython_gc_generation"}
    seen = {label for each in series for label in each["metric"]}
    assert seen <= own | of_points | of_resources
    assert own <= seen
    assert len(series) < 1000
