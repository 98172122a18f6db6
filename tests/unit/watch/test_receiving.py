"""Runs that are sent over OTLP/HTTP become run directories."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from ocr_otel import semconv
from ocr_otel.otlp import protobuf
from ocr_otel.runs import load
from ocr_otel.watch import receiving
from ocr_otel.watch.app import App
from ocr_otel.watch.gate import LOOPBACK_NAMES, Gate
from ocr_otel.watch.library import Library
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape

TOKEN = "t" * 32
PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    received = tmp_path / "received"
    gate = Gate(App(Library(received), receiving.Receiver(received)).routes(), TOKEN, LOOPBACK_NAMES, 1)
    headers = {"authorization": f"Bearer {TOKEN}"}
    with TestClient(gate, base_url="http://127.0.0.1:1", headers=headers) as client:
        yield client


@pytest.fixture
def sent(tmp_path: Path) -> Path:
    """A run that is sent."""
    return synthetic_run.make(tmp_path / "runs" / "sent", Shape(epochs=1, batches=30, kept=10))


def replay(run: Path, client: TestClient, encoded: bool) -> list[httpx.Response]:
    """Send the lines of a run, as protobuf or as JSON."""
    answers = []
    for signal in ("traces", "metrics"):
        for line in (run / f"{signal}.jsonl").read_bytes().splitlines():
            named = json.loads(line)
            for resource in named[f"resource{'Spans' if signal == 'traces' else 'Metrics'}"]:
                resource["resource"].setdefault("attributes", []).append(
                    {"key": semconv.RUN_ID, "value": {"stringValue": "sent"}}
                )
            body = protobuf.encode(signal, named) if encoded else json.dumps(named).encode()
            headers = dict(PROTOBUF) if encoded else {"content-type": "application/json"}
            headers["content-encoding"] = "gzip"
            answers.append(client.post(f"/v1/{signal}", content=gzip.compress(body), headers=headers))
    return answers


@pytest.mark.parametrize("encoded", [True, False], ids=["protobuf", "json"])
def test_run_that_is_sent_is_the_run_that_was_recorded(
    client: TestClient, sent: Path, tmp_path: Path, encoded: bool
) -> None:
    assert {answer.status_code for answer in replay(sent, client, encoded)} == {200}
    recorded, received = load(sent), load(tmp_path / "received" / "sent")
    assert received.spans == recorded.spans
    assert [batch.span.attributes for batch in received.batches] == [
        batch.span.attributes for batch in recorded.batches
    ]
    assert [batch.span.span_id for batch in received.batches] == [batch.span.span_id for batch in recorded.batches]
    assert [(p.name, p.time, p.value) for p in received.points] == [(p.name, p.time, p.value) for p in recorded.points]
    assert (tmp_path / "received" / "sent" / "traces.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("run_id", ["", "../evil", "a/b", ".hidden", "x" * 200])
def test_what_names_no_run_is_rejected_and_written_nowhere(client: TestClient, tmp_path: Path, run_id: str) -> None:
    attributes = [{"key": semconv.RUN_ID, "value": {"stringValue": run_id}}] if run_id else []
    body = protobuf.encode("traces", {"resourceSpans": [{"resource": {"attributes": attributes}}]})
    answer = client.post("/v1/traces", content=body, headers=PROTOBUF)
    assert answer.status_code == 200
    assert protobuf.read_rejected("traces", answer.content)[0] == 1
    assert not (tmp_path / "received").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == []


def test_who_has_no_token_sends_nothing(client: TestClient, tmp_path: Path) -> None:
    for header in ("", "Bearer wrong", TOKEN, f"Basic {TOKEN}"):
        assert client.post("/v1/traces", content=b"", headers={**PROTOBUF, "authorization": header}).status_code == 401


@pytest.mark.parametrize(
    ("path", "content", "headers", "status"),
    [
        ("/v1/profiles", b"", PROTOBUF, 404),
        ("/v1/traces", b"", {"content-type": "text/plain"}, 415),
        ("/v1/traces", b"\xff\xff\xff", PROTOBUF, 400),
        ("/v1/traces", b"[" * 50_000, {"content-type": "application/json"}, 400),
        ("/v1/traces", b"no gzip", {**PROTOBUF, "content-encoding": "gzip"}, 400),
        ("/v1/traces", b"\0" * (receiving.LARGEST_REQUEST + 1), PROTOBUF, 413),
        ("/v1/traces", gzip.compress(b"\0" * 10**8, mtime=0), {**PROTOBUF, "content-encoding": "gzip"}, 413),
    ],
)
def test_what_is_no_request_is_refused(
    client: TestClient, path: str, content: bytes, headers: dict[str, str], status: int
) -> None:
    assert client.post(path, content=content, headers=headers).status_code == status
