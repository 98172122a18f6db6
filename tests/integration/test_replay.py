"""Replay of runs that the official file exporters wrote, to receivers on real sockets that come, go and misbehave."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.json.file import FileMetricExporter, FileSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from ocr_otel.replay import Outcome, Patience, replay
from ocr_otel.replay.state import STATE_FILE
from tests.support.otlp import Traces
from tests.support.otlp_server import OtlpServer

SPANS = 60
QUICK = Patience(attempts=3, seconds=5, longest_wait=0.05, first_contact=2)


def write(folder: Path, spans: int = SPANS) -> None:
    """One span a line, each with what the encodings differ in: ids, parents, links, 64-bit numbers, special floats."""
    folder.mkdir(parents=True, exist_ok=True)
    provider = TracerProvider(resource=Resource({"training.run.id": "run", "folder": folder.name}))
    provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(folder / "traces.jsonl")))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("fit") as root:
        for index in range(spans - 1):
            with tracer.start_as_current_span("train_batch", attributes={"big": 2**62, "ratio": float("nan")}) as span:
                span.set_attribute("training.batch.index", index)
                span.add_link(root.get_span_context())
    provider.shutdown()
    reader = PeriodicExportingMetricReader(FileMetricExporter(folder / "metrics.jsonl"), 60_000)
    meters = MeterProvider([reader])
    counter = meters.get_meter("test").create_counter("training.batches")
    for _ in range(3):
        counter.add(1)
        meters.force_flush()
    meters.shutdown()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write(tmp_path / "run")
    return tmp_path / "run"


def send(run: Path, server: OtlpServer, **options: object) -> Outcome:
    return replay(run, server.endpoint, **{"patience": QUICK, "timeout": 2.0, **options})


def ids(server: OtlpServer) -> Counter[str]:
    return Counter(span.span_id.hex() for span in server.spans)


def recorded(run: Path) -> Counter[str]:
    return Counter(span.span_id for path in run.rglob("traces.jsonl") for span in Traces(path).spans)


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_all_arrives_as_it_was_recorded(run: Path, encoding: str) -> None:
    with OtlpServer(encodings=[encoding]) as server:
        outcome = send(run, server, max_items=25)
    assert outcome.complete
    assert outcome.sent == {"traces": SPANS, "metrics": 4}
    assert ids(server) == recorded(run)
    root = next(span for span in server.spans if span.name == "fit")
    batches = [span for span in server.spans if span.name == "train_batch"]
    assert (
        {batch.parent_span_id for batch in batches} == {root.span_id} == {batch.links[0].span_id for batch in batches}
    )
    assert {batch.trace_id for batch in batches} == {root.trace_id}
    values = {pair.key: pair.value for pair in batches[0].attributes}
    assert values["big"].int_value == 2**62
    assert values["ratio"].double_value != values["ratio"].double_value
    assert [metric.sum.data_points[0].as_int for metric in server.metrics] == [1, 2, 3, 3]
    took = [request for request in server.requests if request.message is not None]
    assert [request.path for request in took] == ["/v1/traces"] * 3 + ["/v1/metrics"]
    assert all(request.headers["content-encoding"] == "gzip" for request in took)


def test_requests_are_bounded_in_bytes(run: Path) -> None:
    with OtlpServer() as server:
        assert send(run, server, max_bytes=5000).complete
    assert len(server.requests) > 3
    assert max(request.size for request in server.requests) <= 5000
    assert ids(server) == recorded(run)


def test_ranks_are_sent_too(tmp_path: Path) -> None:
    for rank in range(2):
        write(tmp_path / "run" / f"rank-{rank}", 10)
    with OtlpServer() as server:
        assert send(tmp_path / "run", server).sent["traces"] == 20
    assert ids(server) == recorded(tmp_path)


def test_goes_on_where_the_receiver_died(run: Path) -> None:
    with OtlpServer() as server:
        server.die_after(3)
        first = send(run, server, max_items=10)
    assert not first.complete
    assert "closed the connection without an answer" in first.stopped
    assert len(ids(server)) == 30
    with OtlpServer(port=server.port) as back:
        second = send(run, back, max_items=10)
    assert second.complete
    assert second.resumed > 0
    assert ids(server) + ids(back) == recorded(run)
    assert len(back.metrics) == 4


def test_a_finished_replay_sends_nothing_again_unless_asked(run: Path) -> None:
    with OtlpServer() as server, OtlpServer() as other:
        send(run, server)
        assert send(run, server).sent == {}
        assert ids(server) == recorded(run)
        assert send(run, other).sent["traces"] == SPANS, "another endpoint has its own state"
        assert send(run, server).sent == {}
        assert send(run, server, resume=False).sent["traces"] == SPANS


def test_what_a_living_run_adds_is_sent_by_the_next_replay(run: Path) -> None:
    traces = run / "traces.jsonl"
    whole = traces.read_bytes()
    lines = whole.splitlines(keepends=True)
    traces.write_bytes(b"".join(lines[:20]) + lines[20][:50])
    with OtlpServer() as server:
        first = send(run, server)
        assert [(each.line, each.reason) for each in first.damaged] == [(21, "cut before its end")]
        assert first.sent["traces"] == 20
        traces.write_bytes(whole)
        second = send(run, server)
        assert second.damaged == []
        assert ids(server) == recorded(run)


def test_a_last_line_that_only_lacks_its_newline_is_sent(run: Path) -> None:
    expected = recorded(run)
    traces = run / "traces.jsonl"
    traces.write_bytes(traces.read_bytes().rstrip(b"\n"))
    with OtlpServer() as server:
        assert send(run, server).complete
        assert send(run, server).sent == {}
    assert ids(server) == expected


def test_damaged_lines_are_named_and_skipped_once(run: Path) -> None:
    traces = run / "traces.jsonl"
    lines = traces.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4][:40] + b"\n"
    lines[9] = b'{"resourceMetrics":[]}\n'
    lines[11] = b"\xff\xfe\n"
    lines.insert(15, b"\n")
    traces.write_bytes(b"".join(lines))
    with OtlpServer() as server:
        outcome = send(run, server)
        assert [(each.name, each.line) for each in outcome.damaged] == [("traces.jsonl", n) for n in (5, 10, 12)]
        assert len(server.spans) == SPANS - 3
        assert outcome.complete
        assert send(run, server).damaged == []


def test_waits_as_long_as_the_receiver_asks(run: Path) -> None:
    waits: list[float] = []
    with OtlpServer() as server:
        server.fail(2, 503, retry_after="0.03")
        outcome = send(run, server, on_wait=lambda reason, seconds: waits.append(seconds))
    assert outcome.complete
    assert waits == [0.03, 0.03]
    assert ids(server) == recorded(run)


def test_stops_when_the_receiver_asks_for_a_longer_wait_than_there_is_patience(run: Path) -> None:
    with OtlpServer() as server:
        server.fail(1, 429, retry_after="3600")
        outcome = send(run, server)
    assert "429" in outcome.stopped
    assert "asks to wait 3600 s" in outcome.stopped
    assert outcome.left == sum(path.stat().st_size for path in run.glob("*.jsonl"))


def test_a_receiver_that_hangs_is_given_up(run: Path) -> None:
    with OtlpServer() as server:
        server.hang()
        assert "did not answer in time" in send(run, server, timeout=0.2).stopped


def test_a_signal_that_the_receiver_does_not_know_does_not_stop_the_others(run: Path) -> None:
    with OtlpServer(paths=["/v1/traces"]) as server:
        outcome = send(run, server)
        assert list(outcome.not_taken) == ["metrics"]
        assert not outcome.complete
        assert ids(server) == recorded(run)
        assert send(run, server, signals=["traces"]).complete


def test_requests_that_are_too_large_are_halved(run: Path) -> None:
    with OtlpServer(largest=5000) as server:
        assert send(run, server).complete
    assert ids(server) == recorded(run)


def test_a_refused_line_does_not_take_its_neighbours_with_it(run: Path) -> None:
    traces = run / "traces.jsonl"
    lines = traces.read_text().splitlines(keepends=True)
    lines[30] = lines[30].replace('"spanId":"', '"spanId":"zz', 1)
    traces.write_text("".join(lines))
    with OtlpServer() as server:
        outcome = send(run, server, max_items=16)
    assert [where for where, _ in outcome.refused] == ["traces.jsonl line 31 (1 spans)"]
    assert len(server.spans) == SPANS - 1
    assert not outcome.complete


def test_what_the_receiver_rejects_is_counted(run: Path) -> None:
    for encoding in ("json", "protobuf"):
        with OtlpServer(encodings=[encoding]) as server:
            server.reject(7)
            outcome = send(run, server)
        assert outcome.rejected == {"traces": 7, "metrics": 7}
        assert outcome.remarks == {"too old": 2}
        assert not outcome.complete


def test_ctrl_c_ends_behind_the_request_under_way(run: Path) -> None:
    with OtlpServer() as server:
        stopping = threading.Event()
        first = send(run, server, max_items=10, on_progress=lambda size: stopping.set(), stopping=stopping)
        assert first.stopped == "interrupted"
        assert len(server.spans) == 10
        assert send(run, server).complete
    assert ids(server) == recorded(run)


def test_state_holds_offsets_of_whole_lines(run: Path) -> None:
    with OtlpServer() as server:
        send(run, server)
    state = json.loads((run / STATE_FILE).read_text())
    size = (run / "traces.jsonl").stat().st_size
    assert state["endpoints"][server.endpoint]["traces.jsonl"] == {"offset": size, "line": SPANS}
    assert [path.name for path in run.glob(f"{STATE_FILE}*")] == [STATE_FILE]
