"""Sends a simulated fleet through the real servers as fast as they take it, and checks that all of it arrived."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx

from ocr_otel import semconv
from ocr_otel.cli.checks.stations import parse
from ocr_otel.semconv import Kept
from ocr_otel.settings import Settings
from ocr_otel.stack import processes
from tests.scale.host import reading
from tests.scale.stream import Request, Sent, Training, requests
from tests.support.fleet import RunningFleet, settled
from tests.support.stack import wait_for

SENDERS: Final = 4
"""Requests under way at a time: ranks do not wait for each other's."""
AHEAD: Final = 64
"""Requests that are made ahead of what is sent."""
ARRIVAL_SECONDS: Final = 900.0
"""A test has a timeout of its own; the large command may have a busy machine."""
LOOKED_AT: Final = 60_000
"""Spans of traces that are fetched from Jaeger whole: some dozen traces of 64 ranks, some few of 1,024."""
_AGAIN: Final = {429, 503}


@dataclass(frozen=True, slots=True)
class Arrived:
    """What was found at each station.

    Attributes:
        agent: Spans that the agent accepted.
        balancer: Spans that the balancer accepted.
        gateways: Spans that each gateway accepted.
        traces_seen: Traces that each gateway met for the first time: more in sum than there are where one was split.
        traces_kept: Traces that each gateway decided to keep.
        traces_dropped: Traces that each gateway decided not to keep.
        to_jaeger: Spans that each gateway sent on.
        stored: Spans that Jaeger wrote.
        failed: Spans and points that any exporter gave up, or any receiver refused for good.
        series: Series of the run in Prometheus.
        samples: Samples that Prometheus took of one gauge of each rank.
        late: Samples that Prometheus took out of order.
        batches: Batches by Prometheus, all ranks.
    """

    agent: int
    balancer: int
    gateways: dict[str, int]
    traces_seen: dict[str, int]
    traces_kept: dict[str, int]
    traces_dropped: dict[str, int]
    to_jaeger: dict[str, int]
    stored: int
    failed: int
    series: int
    samples: int
    late: int
    batches: int


@dataclass(frozen=True, slots=True)
class Flood:
    """A flood that is over.

    Attributes:
        training: What was simulated.
        sent: What was sent.
        arrived: What was found.
        send_seconds: From the first request until the agent had the last.
        store_seconds: From the first request until every queue was empty and every trace decided.
        again: Requests that were sent again because the agent asked for it.
        peak_mib: Most memory of each server.
        cpu_seconds: CPU of each server.
    """

    training: Training
    sent: Sent
    arrived: Arrived
    send_seconds: float
    store_seconds: float
    again: int
    peak_mib: dict[str, float]
    cpu_seconds: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data, without what is by trace."""
        sent = {name: getattr(self.sent, name) for name in ("spans", "span_bytes", "points", "point_bytes", "exports")}
        sent |= {"batch_traces": len(self.sent.batch_spans), "run_traces": len(self.sent.run_traces)}
        found = {
            name: getattr(self, name) for name in ("send_seconds", "store_seconds", "again", "peak_mib", "cpu_seconds")
        }
        return {"training": asdict(self.training), "sent": sent, "arrived": asdict(self.arrived), **found}


def flood(fleet: RunningFleet, training: Training) -> Flood:
    """Send it, and wait until it is stored or sampled out."""
    settings = Settings()
    sent = Sent()
    before = {name: usage.cpu_seconds for name, usage in _looked(fleet).items()}
    began = time.monotonic()
    with reading(settings) as host:
        again = _send(fleet, requests(training, settings, host, sent))
    send_seconds = time.monotonic() - began
    # A gateway that was started anew counts from 0: the balancer knows what there is.
    wait_for(
        lambda: fleet.counted("balancer", "otelcol_receiver_accepted_spans") >= sent.spans,
        ARRIVAL_SECONDS,
        "the balancer has all spans",
    )
    settled(fleet, ARRIVAL_SECONDS)
    store_seconds = time.monotonic() - began
    usage = _looked(fleet)
    return Flood(
        training,
        sent,
        _arrived(fleet, training),
        send_seconds,
        store_seconds,
        again,
        {name: each.peak_mib for name, each in usage.items()},
        {name: each.cpu_seconds - before.get(name, 0.0) for name, each in usage.items()},
    )


def _looked(fleet: RunningFleet) -> dict[str, Any]:
    fleet.look()
    return dict(fleet.usage)


def _send(fleet: RunningFleet, made: Iterator[Request]) -> int:
    """Send requests, some at a time, and return how many the agent asked for again."""
    base = f"http://{fleet.stack.plan.address('STACK_AGENT_HTTP_PORT')}"
    # Signals in queues of their own: metrics of a rank stay in the order of their time.
    waiting: dict[str, queue.Queue[Request | None]] = {"traces": queue.Queue(AHEAD), "metrics": queue.Queue(AHEAD)}
    failures: list[BaseException] = []
    again = 0
    lock = threading.Lock()

    def send(signal: str) -> None:
        nonlocal again
        try:
            with httpx.Client(base_url=base, trust_env=False, timeout=60) as client:
                while (request := waiting[signal].get()) is not None:
                    headers = {"content-type": "application/x-protobuf"}
                    while (
                        answer := client.post(f"/v1/{signal}", content=request.body, headers=headers)
                    ).status_code != 200:
                        if answer.status_code not in _AGAIN:
                            raise RuntimeError(f"the agent answers {answer.status_code}: {answer.text}")
                        with lock:
                            again += 1
                        time.sleep(0.1)
        except BaseException as error:
            failures.append(error)

    senders = [threading.Thread(target=send, args=(signal,)) for signal in ("traces",) * (SENDERS - 1) + ("metrics",)]
    for sender in senders:
        sender.start()
    try:
        for request in made:
            while not failures:
                try:
                    waiting[request.signal].put(request, timeout=1)
                    break
                except queue.Full:
                    continue
            if failures:
                break
    finally:
        for signal in ("traces",) * (SENDERS - 1) + ("metrics",):
            waiting[signal].put(None)
        for sender in senders:
            sender.join()
    if failures:
        raise failures[0]
    return again


def _arrived(fleet: RunningFleet, training: Training) -> Arrived:
    def of_gateways(metric: str, **labels: str) -> dict[str, int]:
        return {name: int(number) for name, number in fleet.of_gateways(metric, **labels).items()}

    decided = "otelcol_processor_tail_sampling_global_count_traces_sampled"
    own = f'{{training_run_id="{training.run_id}"}}'
    active = semconv.prometheus_name(semconv.METRICS[semconv.METRIC_RUN_ACTIVE])
    batches = semconv.prometheus_name(semconv.METRICS[semconv.METRIC_BATCHES])
    ask = fleet.stack.value
    # A run's last samples may be some minutes old: the simulation ends now, and looks back so far.
    window = f"[{int(training.seconds + 3600)}s]"
    return Arrived(
        agent=int(fleet.counted("agent", "otelcol_receiver_accepted_spans")),
        balancer=int(fleet.counted("balancer", "otelcol_receiver_accepted_spans")),
        gateways=of_gateways("otelcol_receiver_accepted_spans"),
        traces_seen=of_gateways("otelcol_processor_tail_sampling_new_trace_id_received"),
        traces_kept=of_gateways(decided, sampled="true"),
        traces_dropped=of_gateways(decided, sampled="false"),
        to_jaeger=of_gateways("otelcol_exporter_sent_spans", exporter="otlp_grpc/jaeger"),
        stored=int(fleet.counted("jaeger", "otelcol_exporter_sent_spans", exporter="jaeger_storage_exporter")),
        failed=_failed(fleet),
        series=int(ask(f"count(last_over_time({own}{window}))") or 0),
        samples=int(ask(f"sum(count_over_time({active}{own}{window}))") or 0),
        late=_out_of_order(fleet),
        batches=int(ask(f'sum(last_over_time({batches}{{training_run_id="{training.run_id}"}}{window}))') or 0),
    )


def _failed(fleet: RunningFleet) -> int:
    found = 0.0
    for name in ("agent", "balancer", *fleet.gateways, "jaeger"):
        for sample in fleet.samples(name):
            if sample.name.startswith(("otelcol_exporter_send_failed_", "otelcol_exporter_enqueue_failed_")):
                found += sample.value
    return int(found)


def _out_of_order(fleet: RunningFleet) -> int:
    with processes.DIRECT.open(f"{fleet.stack.plan.url('PROMETHEUS')}/metrics", timeout=20) as response:
        page = parse(response.read().decode())
    return int(sum(each.value for each in page if each.name == "prometheus_tsdb_head_out_of_order_samples_appended"))


def check(fleet: RunningFleet, done: Flood) -> None:
    """Compare what arrived with what was sent.

    Raises:
        AssertionError: Something is missing, split or doubled.
    """
    training, sent, arrived = done.training, done.sent, done.arrived
    traces = len(sent.batch_spans) + len(sent.run_traces)
    assert arrived.failed == 0, arrived
    assert arrived.agent == arrived.balancer == sum(arrived.gateways.values()) == sent.spans, (sent.spans, arrived)
    # Each gateway counts a trace when it first sees it: one that two have seen would be counted twice.
    assert sum(arrived.traces_seen.values()) == traces, (traces, arrived)
    assert all(arrived.gateways.values()), arrived
    kept, dropped = sum(arrived.traces_kept.values()), sum(arrived.traces_dropped.values())
    assert kept + dropped == traces, (traces, arrived)
    # All traces of regular batches are of one size, so that what was sampled out can be told from their number.
    regular = {trace for trace, reasons in sent.kept.items() if reasons == {str(Kept.REGULAR)}}
    sizes = {sent.batch_spans[trace] for trace in regular}
    assert len(sizes) <= 1, sizes
    sampled_out = dropped * sizes.pop() if sizes else 0
    assert dropped <= len(regular)
    assert sum(arrived.to_jaeger.values()) == arrived.stored == sent.spans - sampled_out, (
        sent.spans,
        sampled_out,
        arrived,
    )
    assert arrived.samples == training.ranks * sent.exports, (sent.exports, arrived)
    assert arrived.batches == training.ranks * training.batches * training.epochs, arrived
    _check_traces(fleet, done, regular)


def _check_traces(fleet: RunningFleet, done: Flood, regular: set[int]) -> None:
    """Fetch traces whole: each is there with all ranks, or not at all, and not at all only where it is regular."""
    traces = sorted(done.sent.batch_spans)
    number = max(4, LOOKED_AT // max(done.sent.batch_spans.values()))
    looked_at = traces[:: max(1, len(traces) // number)]
    looked_at += [trace for trace in traces if trace not in regular][:3]
    for trace in looked_at:
        spans = fleet.stack.trace(f"{trace:032x}")
        if not spans:
            assert trace in regular, f"{trace:032x} is missing: {done.sent.kept[trace]}"
            continue
        assert len(spans) == done.sent.batch_spans[trace]
        roots = [span for span in spans if span["name"] == semconv.TRAIN_BATCH]
        assert len({span["spanId"] for span in roots}) == done.training.ranks
