"""The spool behind real sockets that fail, the real SDK before it: nothing blocks, nothing is lost, all is counted."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider

from ocr_otel.replay import Patience, replay
from ocr_otel.spool import append
from ocr_otel.spool.lock import Lock
from ocr_otel.telemetry.exporting import load_exporter
from ocr_otel.telemetry.losses import Losses
from ocr_otel.telemetry.spooling import Spool
from tests.reliability.exporting import EXPORTERS, Process
from tests.reliability.faults import Fault, Proxy
from tests.support.otlp_server import OtlpGrpcServer, OtlpServer
from tests.support.scripts import run_python

BLOCKED = 0.5
"""Seconds; an export that waits for the network in any of these tests takes longer."""


def ids(server: OtlpServer | OtlpGrpcServer) -> Counter[str]:
    """The spans that a receiver took, with how often."""
    return Counter(span.span_id.hex() for span in server.spans)


def eventually(condition: Any, seconds: float = 20.0) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come about"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")


@pytest.fixture(params=["grpc", "http"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(protocol: str) -> Iterator[OtlpServer | OtlpGrpcServer]:
    with OtlpGrpcServer() if protocol == "grpc" else OtlpServer() as server:
        yield server


@pytest.fixture
def proxy(server: OtlpServer | OtlpGrpcServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", proxy.endpoint)
        yield proxy


@pytest.fixture
def process(tmp_path: Path, protocol: str, proxy: Proxy) -> Iterator[Process]:
    process = Process(tmp_path / "spool", protocol)
    yield process
    process.close()


def test_all_arrives_once_and_leaves_no_file(
    process: Process, server: OtlpServer | OtlpGrpcServer, tmp_path: Path
) -> None:
    process.record(20)
    assert process.spool.drain(10)
    assert ids(server) == process.made
    assert process.timed.longest < BLOCKED
    assert process.close() == 0
    assert not (tmp_path / "spool").exists()
    assert process.lost == 0


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.HANGS, Fault.SLOW, Fault.RESET_IN_REQUEST])
def test_all_arrives_once_when_a_fault_ends(
    process: Process, server: OtlpServer | OtlpGrpcServer, proxy: Proxy, fault: Fault
) -> None:
    process.record(2)
    assert process.spool.drain(10)
    proxy.set(fault)
    process.record(50)
    began = time.monotonic()
    assert not process.spool.drain(0.7)
    assert time.monotonic() - began < 0.7 + 0.3
    assert process.spool.waiting()["traces"] > 100_000
    assert process.timed.longest < BLOCKED
    proxy.heal()
    process.record(5)
    assert process.spool.drain(40)
    assert ids(server) == process.made
    assert process.lost == 0
    assert process.spool.waiting() == {}


@pytest.mark.parametrize("protocol", ["http"], indirect=True)
def test_a_connection_that_breaks_in_the_middle_of_an_answer_loses_nothing(
    process: Process, server: OtlpServer | OtlpGrpcServer, proxy: Proxy
) -> None:
    proxy.set(Fault.BROKEN_ANSWER)
    process.record(20)
    assert not process.spool.drain(0.7)
    assert process.lost == 0
    proxy.heal()
    assert process.spool.drain(40)
    assert ids(server) == process.made
    assert process.lost == 0


def test_a_request_whose_answer_got_lost_is_sent_again(
    process: Process, server: OtlpServer | OtlpGrpcServer, proxy: Proxy
) -> None:
    proxy.set(Fault.RESET_BEFORE_ANSWER)
    process.record(10)
    eventually(lambda: proxy.lost_answers >= 1 and server.spans)
    proxy.heal()
    assert process.spool.drain(40)
    arrived = ids(server)
    assert set(arrived) == set(process.made)
    assert sum(arrived.values()) > sum(process.made.values()), "the answer was lost, not the request"
    twice = [span for span, times in arrived.items() if times > 1]
    assert len(twice) == 50, "one request, and none else"


def test_a_receiver_that_is_busy_is_given_the_time_that_it_asks_for(
    process: Process, server: OtlpServer | OtlpGrpcServer, protocol: str
) -> None:
    times: list[float] = []
    if isinstance(server, OtlpGrpcServer):
        server.fail(1, grpc.StatusCode.UNAVAILABLE, 1.5)
    else:
        server.fail(1, 503, "1.5")
    process.record(1)
    eventually(lambda: len(server.requests) == 1)
    times.append(time.monotonic())
    # Nor does an end that is near make it impatient.
    assert process.spool.drain(20)
    assert time.monotonic() - times[0] > 1.2
    assert len(server.requests) == 2
    assert ids(server) == process.made


@pytest.mark.parametrize("answer", [408, 429, 502, 503, 504])
def test_http_answers_after_which_it_is_tried_again(tmp_path: Path, monkeypatch: Any, answer: int) -> None:
    with OtlpServer() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.endpoint)
        process = Process(tmp_path / "spool", "http")
        server.fail(1, answer)
        process.record(3)
        assert process.spool.drain(10)
        assert ids(server) == process.made
        assert process.close() == 0
        assert process.lost == 0


@pytest.mark.parametrize("code", ["CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "UNAVAILABLE"])
def test_grpc_answers_after_which_it_is_tried_again(tmp_path: Path, monkeypatch: Any, code: str) -> None:
    with OtlpGrpcServer() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.endpoint)
        process = Process(tmp_path / "spool", "grpc")
        server.fail(1, grpc.StatusCode[code])
        process.record(3)
        assert process.spool.drain(10)
        assert ids(server) == process.made
        assert process.close() == 0
        assert process.lost == 0


def test_what_is_refused_is_dropped_and_counted(process: Process, server: OtlpServer | OtlpGrpcServer) -> None:
    if isinstance(server, OtlpGrpcServer):
        server.fail(2, grpc.StatusCode.INVALID_ARGUMENT)
    else:
        server.fail(2, 400)
    process.record(5, spans=30)
    assert process.spool.drain(10)
    assert sum(ids(server).values()) == 3 * 30
    assert process.losses.spans == {"refused": 2 * 30}
    assert process.losses.delivered == 3 * 30
    assert process.spool.dropped == {("traces", "refused"): 60}


def test_what_is_taken_in_part_is_counted(process: Process, server: OtlpServer | OtlpGrpcServer) -> None:
    server.reject(7)
    process.record(3)
    assert process.spool.drain(10)
    assert len(server.requests) == 3, "what the receiver rejected is not sent again"
    assert process.losses.spans == {"rejected": 21}


def test_credentials_that_are_wrong_keep_all(tmp_path: Path, monkeypatch: Any, protocol: str) -> None:
    kind = OtlpGrpcServer if protocol == "grpc" else OtlpServer
    with kind(require_headers={"authorization": "right"}) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.endpoint)
        process = Process(tmp_path / "spool", protocol)
        process.record(3)
        assert not process.spool.drain(0.5)
        assert process.close() > 0
        assert process.lost == 0


def test_a_full_spool_is_counted_exactly(
    tmp_path: Path, server: Any, proxy: Proxy, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.set(Fault.REFUSED)
    process = Process(tmp_path / "spool", protocol, limit=1_000_000)
    process.record(1)
    eventually(lambda: "takes no telemetry" in caplog.text)
    process.record(100)
    on_disk = sum(path.stat().st_size for path in (tmp_path / "spool").glob("*.jsonl"))
    assert 900_000 < on_disk <= 1_000_000
    proxy.heal()
    assert process.spool.drain(40)
    assert sum(ids(server).values()) + process.lost == sum(process.made.values())
    assert set(process.losses.spans) == {"spool_full"}
    assert process.losses.delivered == sum(ids(server).values())
    assert process.timed.longest < BLOCKED
    process.record(2)
    assert process.spool.drain(10)
    assert sum(ids(server).values()) + process.lost == sum(process.made.values()), "there is room again"
    assert process.close() == 0


def test_a_full_disk_loses_nothing_while_the_receiver_is_there(
    small_disk: Path, server: Any, proxy: Proxy, protocol: str
) -> None:
    (small_disk / "full").write_bytes(bytes(64_000))
    process = Process(small_disk / "spool", protocol)
    process.record(10)
    assert process.spool.drain(10)
    assert ids(server) == process.made
    assert process.lost == 0
    assert process.close() == 0


def test_a_full_disk_is_counted_exactly_while_the_receiver_is_away(
    small_disk: Path, server: Any, proxy: Proxy, protocol: str
) -> None:
    proxy.set(Fault.REFUSED)
    process = Process(small_disk / "spool", protocol)
    process.record(30)
    proxy.heal()
    assert process.spool.drain(20)
    assert process.lost > 0
    assert sum(ids(server).values()) + process.lost == sum(process.made.values())
    assert set(process.losses.spans) == {"spool_failed"}
    process.record(1)
    assert process.spool.drain(20)
    assert process.close() == 0


def test_a_spool_that_somebody_removed_is_made_anew(
    tmp_path: Path, process: Process, server: Any, proxy: Proxy
) -> None:
    process.record(1)
    assert process.spool.drain(10)
    for path in (tmp_path / "spool").iterdir():
        path.unlink()
    (tmp_path / "spool").rmdir()
    proxy.set(Fault.REFUSED)
    process.record(3)
    proxy.heal()
    assert process.spool.drain(20)
    assert ids(server) == process.made


def test_threads_may_export_at_once(process: Process, server: Any) -> None:
    exporter = process.timed.inner
    tracer = TracerProvider().get_tracer("test")
    batches = [[tracer.start_span("x") for _ in range(10)] for _ in range(80)]
    threads = [
        threading.Thread(target=lambda mine: [exporter.export(each) for each in mine], args=(batches[index::4],))
        for index in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process.spool.drain(20)
    assert sum(ids(server).values()) == 800
    assert set(ids(server).values()) == {1}


def test_metrics_and_logs_wait_too(
    tmp_path: Path, server: Any, proxy: Proxy, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.set(Fault.REFUSED)
    spool = Spool(tmp_path / "spool", 10_000_000, Losses())
    name = EXPORTERS[protocol]
    reader = PeriodicExportingMetricReader(spool.metrics(load_exporter("metrics", name)), 3_600_000)
    meters = MeterProvider([reader])
    counter = meters.get_meter("test").create_counter("training.batches")
    logs = LoggerProvider()
    logs.add_log_record_processor(BatchLogRecordProcessor(spool.logs(load_exporter("logs", name))))
    for number in range(5):
        counter.add(1)
        meters.force_flush()
        logs.get_logger("test").emit(event_name="training.hang", body=str(number))
        logs.force_flush()
    assert set(spool.waiting()) == {"metrics", "logs"}
    proxy.heal()
    assert spool.drain(20)
    assert [metric.sum.data_points[0].as_int for metric in server.metrics] == [1, 2, 3, 4, 5]
    assert [record.body.string_value for record in server.logs] == ["0", "1", "2", "3", "4"]
    meters.shutdown()
    logs.shutdown()
    assert spool.drain(10), "the reader's last metrics"
    assert spool.close() == 0


def test_refused_metrics_and_logs_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OtlpServer(paths=["/v1/traces"]) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.endpoint)
        losses = Losses()
        spool = Spool(tmp_path / "spool", 10_000_000, losses)
        meters = MeterProvider(
            [PeriodicExportingMetricReader(spool.metrics(load_exporter("metrics", "otlp_proto_http")), 3_600_000)]
        )
        counter = meters.get_meter("test").create_counter("training.batches")
        counter.add(1, {"training.stage": "train"})
        counter.add(1, {"training.stage": "validate"})
        meters.force_flush()
        assert spool.drain(10)
        assert spool.dropped == {("metrics", "refused"): 2}
        assert losses.spans == {"metric_refused": 0}
        meters.shutdown()
        spool.close()


def test_a_name_that_cannot_be_resolved_keeps_all(tmp_path: Path, monkeypatch: Any, protocol: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://no-such-host.invalid:4317")
    process = Process(tmp_path / "run" / "spool", protocol)
    process.record(4)
    assert not process.spool.drain(0.5)
    assert process.timed.longest < BLOCKED
    assert process.close() > 0
    deliver(tmp_path / "run", protocol, process.made)


def test_a_certificate_for_another_name_keeps_all(tmp_path: Path, monkeypatch: Any, protocol: str) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other.example"),
            *("-addext", "subjectAltName=DNS:other.example", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(certificate))
    with OtlpServer(tls=context) as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.endpoint)
        process = Process(tmp_path / "run" / "spool", protocol)
        process.record(4)
        assert not process.spool.drain(1.0)
        assert process.timed.longest < BLOCKED
        assert process.close() > 0
        assert not server.requests
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_CERTIFICATE")
    deliver(tmp_path / "run", protocol, process.made)


def deliver(directory: Path, protocol: str, made: Counter[str], twice: int = 0) -> None:
    """Deliver from outside what waits, and see that all is there, and not more than `twice` of it again."""
    with OtlpGrpcServer() if protocol == "grpc" else OtlpServer() as server:
        done = delivery(directory, server, protocol)
        assert done.returncode == 0, done.stderr
        arrived = ids(server)
        assert set(arrived) == set(made)
        assert sum(arrived.values()) - sum(made.values()) <= twice
        assert not directory.exists()


def delivery(directory: Path, server: Any, protocol: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
    """Run the delivery."""
    return run_python(
        ["-m", "ocr_otel.telemetry.delivery", directory, f"--seconds={seconds}"],
        Path(__file__).parents[2],
        OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc" if protocol == "grpc" else "http/protobuf",
        OTEL_EXPORTER_OTLP_TIMEOUT="2",
    )


class Exporting:
    """A process that exports until it is killed.

    Attributes:
        said: What it has printed, by lines.
    """

    def __init__(self, directory: Path, protocol: str) -> None:
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.exporting", directory, protocol],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)

    def kill(self) -> None:
        """Kill it, and read the rest."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self._reader.join(10)

    @property
    def handed_over(self) -> set[str]:
        """Ids of the spans that it says it has handed over; the last line may be cut by the kill."""
        return {each for line in self.said if line.endswith("\n") for each in line.split()}


@pytest.fixture
def exporting(tmp_path: Path, protocol: str, proxy: Proxy) -> Iterator[Exporting]:
    exporting = Exporting(tmp_path / "run" / "spool", protocol)
    yield exporting
    exporting.kill()


@pytest.mark.parametrize("fault", [Fault.NONE, Fault.REFUSED, Fault.SLOW])
def test_what_a_killed_process_had_handed_over_is_delivered(
    tmp_path: Path, server: Any, proxy: Proxy, exporting: Exporting, protocol: str, fault: Fault
) -> None:
    eventually(lambda: len(exporting.said) > 20)
    if fault is not Fault.NONE:
        proxy.set(fault)
    eventually(lambda: len(exporting.said) > 60)
    exporting.kill()
    proxy.heal()
    done = delivery(tmp_path / "run", server, protocol)
    assert done.returncode == 0, done.stderr
    arrived = ids(server)
    assert exporting.handed_over <= set(arrived)
    # The last request may be on the disk, and the process was killed before it could say so.
    assert len(set(arrived) - exporting.handed_over) in (0, 50)
    # The request under way when it was killed; and the one whose answer was lost when the connections were dropped.
    again = 1 if fault is Fault.NONE else 2
    assert sum(times - 1 for times in arrived.values()) <= 50 * again
    assert not (tmp_path / "run").exists()


def test_nobody_else_sends_while_the_process_lives(
    tmp_path: Path, process: Process, server: Any, proxy: Proxy, protocol: str
) -> None:
    proxy.set(Fault.REFUSED)
    process.record(1)
    assert delivery(tmp_path, server, protocol, seconds=0.2).returncode == 3
    assert not server.requests


def test_two_deliveries_send_nothing_twice(
    tmp_path: Path, server: Any, proxy: Proxy, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.set(Fault.REFUSED)
    process = Process(tmp_path / "run" / "spool", protocol)
    process.record(40)
    assert process.close() > 0
    statuses: list[int] = []
    both = [
        threading.Thread(target=lambda: statuses.append(delivery(tmp_path / "run", server, protocol).returncode))
        for _ in range(2)
    ]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert set(statuses) <= {0, 3}
    assert ids(server) == process.made
    assert not (tmp_path / "run").exists()


def test_lines_that_come_during_a_delivery_are_sent_too(
    tmp_path: Path, server: Any, proxy: Proxy, protocol: str
) -> None:
    proxy.set(Fault.REFUSED)
    process = Process(tmp_path / "run" / "spool", protocol)
    process.record(40)
    assert process.close() > 0
    line = next((tmp_path / "run" / "spool").glob("traces-*.jsonl")).read_bytes().splitlines()[0]
    spool = Spool(tmp_path / "run" / "spool", 10_000_000, Losses())
    append(tmp_path / "run" / "spool", "traces", line)
    proxy.heal()
    assert spool.deliver("traces", load_exporter("traces", EXPORTERS[protocol]))
    assert spool.drain(20)
    assert sum(ids(server).values()) == 41 * 50
    assert spool.close() == 0


def test_a_run_that_begins_while_its_former_self_is_delivered_has_a_spool_of_its_own(
    tmp_path: Path, server: Any, proxy: Proxy, protocol: str
) -> None:
    proxy.set(Fault.REFUSED)
    former = Process(tmp_path / "run" / "spool", protocol)
    former.record(2)
    process = Process(tmp_path / "run" / "spool", protocol)
    process.record(2)
    assert process.close() > 0
    assert former.close() > 0
    deliver(tmp_path / "run", protocol, former.made + process.made)


def test_a_forked_child_sends_and_writes_nothing(process: Process, server: Any, proxy: Proxy) -> None:
    proxy.set(Fault.REFUSED)
    process.record(2)
    before = process.spool.waiting()
    child = os.fork()
    if child == 0:
        span = process.provider.get_tracer("test").start_span("child")
        process.timed.export([span])
        drained, left = process.spool.drain(5), process.spool.close()
        os._exit(0 if drained and left == 0 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert process.spool.waiting() == before
    proxy.heal()
    assert process.spool.drain(20)
    assert ids(server) == process.made


def test_a_child_that_outlives_a_killed_process_does_not_keep_its_spool(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "spool")
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(told, 1)
        os._exit(0)
    lock.forget()
    Lock(tmp_path / "spool").release()
    os.write(tell, b"x")
    os.waitpid(child, 0)
    os.close(told)
    os.close(tell)


def test_replay_sends_what_waits(tmp_path: Path, server: Any, proxy: Proxy, protocol: str) -> None:
    proxy.set(Fault.REFUSED)
    process = Process(tmp_path / "run" / "spool", protocol)
    process.record(20)
    with OtlpServer() as other:
        in_use = replay(tmp_path / "run", other.endpoint)
        assert in_use.in_use == ["spool"]
        assert not other.requests
        assert process.close() > 0
        other.die_after(2)
        first = replay(tmp_path / "run", other.endpoint, max_items=100, patience=Patience(2, 5, 0.05, 2))
        assert first.stopped
        assert sum(ids(other).values()) == 200
    with OtlpServer() as another:
        second = replay(tmp_path / "run", another.endpoint)
        assert second.complete
        assert ids(other) + ids(another) == process.made
    assert not (tmp_path / "run").exists()
