"""How many spans a second agent, gateway and Jaeger take together, and what CPU they need for it. `make bench-stack`.

Batch traces as ocr_otel makes them, ten spans each, are sent to the agent in requests as large as the SDK's. The
servers run with the shipped configuration: queues on disk, redaction, TLS and token between agent and gateway, tail
sampling, Badger. What a server does without any spans (host metrics, rules) is measured before, and taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from ocr_otel import semconv
from ocr_otel.semconv import Kept, Phase, Stage
from ocr_otel.stack import BINARIES, version
from tests.support.stack import CONFIGURATION, RunningStack, running_stack, wait_for

RESULTS: Final = Path(__file__).resolve().parents[2] / "benchmark-results" / "stack.json"
SIZING_SPANS_PER_CORE: Final = 15_000
"""Spans a second and core: the Collector's own sizing figure, for small spans, without queue on disk and TLS."""
SERVERS: Final = ("agent", "gateway", "jaeger")
COLLECTORS: Final = ("agent", "gateway")
CHILDREN: Final = (
    semconv.FETCH,
    semconv.TRANSFER,
    semconv.FORWARD,
    semconv.BACKWARD,
    semconv.OPTIMIZER_STEP,
    semconv.WORKER,
    semconv.WORKER_DATASET,
    semconv.WORKER_COLLATE,
    "augment",
)
"""The spans of a batch beside its root; the last one is the application's own."""
SPANS_PER_TRACE: Final = len(CHILDREN) + 1
TRACES_PER_REQUEST: Final = 51
"""510 spans, as the SDK's 512."""
IDLE_SECONDS: Final = 10.0
LONGEST_ARRIVAL: Final = 300.0


@dataclass(frozen=True, slots=True)
class Round:
    """One flood.

    Attributes:
        spans: How many were sent.
        bytes_per_span: In a request.
        accepted_per_second: At the agent's door, on disk once it answers.
        stored_per_second: From the first request until Jaeger has all, less the gateway's wait before it decides.
        cpu_per_1000_spans: CPU seconds by server.
        resident_mib: Memory by server when all is stored.
        refused: Requests that had to be sent again.
    """

    spans: int
    bytes_per_span: float
    accepted_per_second: float
    stored_per_second: float
    cpu_per_1000_spans: dict[str, float]
    resident_mib: dict[str, float]
    refused: int

    @property
    def collector_spans_per_core(self) -> float:
        """Spans a second that one core does in agent and gateway together."""
        return 1000 / sum(self.cpu_per_1000_spans[name] for name in COLLECTORS)


def make_request(traces: int) -> bytes:
    """Return an OTLP request of batch traces."""
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    for key, text in (("service.name", "bench"), ("host.name", "host"), (semconv.RUN_ID, "bench")):
        resource.resource.attributes.append(_attribute(key, text))
    scope = resource.scope_spans.add()
    scope.scope.name = semconv.SCOPE
    now = time.time_ns()
    for _ in range(traces):
        trace_id, root_id = secrets.token_bytes(16), secrets.token_bytes(8)
        root = scope.spans.add(trace_id=trace_id, span_id=root_id, name=semconv.TRAIN_BATCH)
        root.start_time_unix_nano, root.end_time_unix_nano = now, now + 50_000_000
        root.attributes.extend([_attribute(semconv.STAGE, Stage.TRAIN), _attribute(semconv.KEPT, Kept.REGULAR)])
        root.attributes.extend(_attribute(semconv.phase_seconds(phase), 0.0123) for phase in Phase)
        root.attributes.extend(_attribute(name, 3) for name in (semconv.EPOCH, semconv.BATCH_IDX, semconv.SAMPLES))
        root.links.add(trace_id=secrets.token_bytes(16), span_id=secrets.token_bytes(8))
        for name in CHILDREN:
            scope.spans.add(
                trace_id=trace_id, span_id=secrets.token_bytes(8), parent_span_id=root_id, name=name,
                start_time_unix_nano=now, end_time_unix_nano=now + 10_000_000,
            )  # fmt: skip
    return message.SerializeToString()


def flood(stack: RunningStack, spans: int) -> Round:
    """Send so many spans as fast as they are taken, and wait until Jaeger has them."""
    per_request = TRACES_PER_REQUEST * SPANS_PER_TRACE
    requests = [make_request(TRACES_PER_REQUEST) for _ in range(max(1, spans // per_request))]
    sent = len(requests) * per_request
    idle = _idle_cpu_per_second(stack)
    stored_before = _stored(stack)
    cpu_before = _cpu(stack)
    url = f"http://{stack.plan.address('STACK_AGENT_HTTP_PORT')}/v1/traces"
    refused = 0
    began = time.monotonic()
    with httpx.Client(trust_env=False, timeout=60, headers={"content-type": "application/x-protobuf"}) as client:
        for body in requests:
            while (status := client.post(url, content=body).status_code) != 200:
                if status not in {429, 503}:
                    raise RuntimeError(f"the agent answers {status}")
                refused += 1
                time.sleep(0.1)
    accepted_seconds = time.monotonic() - began
    wait_for(lambda: _stored(stack) - stored_before >= sent, LONGEST_ARRIVAL, "all spans are stored")
    seconds = time.monotonic() - began
    cpu = {
        name: max(0.0, spent - cpu_before[name] - idle[name] * seconds) / sent * 1000
        for name, spent in _cpu(stack).items()
    }
    return Round(
        sent,
        sum(map(len, requests)) / sent,
        sent / accepted_seconds,
        sent / max(0.001, seconds - _decision_wait()),
        cpu,
        {name: stack.process(name).memory_info().rss / 2**20 for name in SERVERS},
        refused,
    )


def _attribute(key: str, value: str | int | float) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(double_value=value))


def _stored(stack: RunningStack) -> float:
    return stack.counted("gateway", "otelcol_exporter_sent_spans", exporter="otlp_grpc/jaeger")


def _cpu(stack: RunningStack) -> dict[str, float]:
    times = {name: stack.process(name).cpu_times() for name in SERVERS}
    return {name: each.user + each.system for name, each in times.items()}


def _idle_cpu_per_second(stack: RunningStack) -> dict[str, float]:
    before = _cpu(stack)
    time.sleep(IDLE_SECONDS)
    return {name: (spent - before[name]) / IDLE_SECONDS for name, spent in _cpu(stack).items()}


def _decision_wait() -> float:
    text = (CONFIGURATION / "gateway.yaml").read_text(encoding="utf-8")
    return float(text.partition("decision_wait: ")[2].partition("s")[0])


def _median(rounds: list[Round], name: str) -> float:
    return statistics.median(getattr(each, name) for each in rounds)


def main() -> None:
    """Run the rounds, print medians, and write everything to `benchmark-results/stack.json`."""
    parser = argparse.ArgumentParser(description="Measure agent, gateway and Jaeger with the shipped configuration.")
    parser.add_argument("--spans", type=int, default=60_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder)) as stack:
        # What is set up once, by the first request, is not what a span costs.
        flood(stack, TRACES_PER_REQUEST * SPANS_PER_TRACE)
        rounds = [flood(stack, options.spans) for _ in range(options.rounds)]
    per_core = _median(rounds, "collector_spans_per_core")
    print(f"{rounds[0].spans} spans of {rounds[0].bytes_per_span:.0f} bytes, median of {len(rounds)} rounds")
    print(f"taken by the agent   {_median(rounds, 'accepted_per_second'):8,.0f} spans/s")
    print(f"stored in Jaeger     {_median(rounds, 'stored_per_second'):8,.0f} spans/s, after the wait for the decision")
    for name in SERVERS:
        cpu = statistics.median(each.cpu_per_1000_spans[name] for each in rounds)
        memory = max(each.resident_mib[name] for each in rounds)
        print(f"{name:<20} {cpu * 1000:8.1f} ms CPU per 1,000 spans, {memory:.0f} MiB resident")
    ratio = per_core / SIZING_SPANS_PER_CORE
    print(f"agent and gateway    {per_core:8,.0f} spans/s a core")
    print(f"                     {ratio:8.2f} of the Collector's own sizing figure, {SIZING_SPANS_PER_CORE:,} spans/s")
    RESULTS.parent.mkdir(exist_ok=True)
    written = {
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "load": os.getloadavg()[0]},
        "versions": {name: version(BINARIES[name], CONFIGURATION) for name in ("otelcol", "jaeger")},
        "collector_spans_per_core": per_core,
        "share_of_sizing_figure": ratio,
        "rounds": [asdict(each) for each in rounds],
    }
    RESULTS.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    print(f"\n{RESULTS}")


if __name__ == "__main__":
    main()
