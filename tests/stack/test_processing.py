"""What the agent takes out, and which traces the gateway keeps: the shipped files in the real Collector.

A second configuration file puts a file in the place of the exporters; everything before them is as shipped.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from ocr_otel import semconv
from ocr_otel.stack import BINARIES, build
from tests.support.ports import free_ports

CONFIG = Path(__file__).parents[2] / "collector-config"
TOKEN: Final = "test-token"
LONGEST: Final = 60.0
TO_FILE: Final = """
exporters:
  file: {{path: {path}, flush_interval: 200ms}}
service:
  pipelines:
    traces: {{exporters: [file]}}
    metrics: {{exporters: [file]}}
"""


@contextmanager
def collector(folder: Path, name: str, **variables: str) -> Iterator[tuple[httpx.Client, Path]]:
    """Run the Collector with a shipped file; gives a client for its OTLP/HTTP port and the file that it writes."""
    prefix = "GATEWAY" if name == "gateway" else "AGENT"
    kinds = ("GRPC", "HTTP", "METRICS", "HEALTH")
    ports = dict(zip(kinds, free_ports(len(kinds)), strict=True))
    subprocess.run(["sh", CONFIG / "make-certificates.sh", folder / "tls"], check=True, capture_output=True)
    written = folder / "written.jsonl"
    override = folder / "to-file.yaml"
    override.write_text(TO_FILE.format(path=written), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("STACK_")}
    environment |= {f"STACK_{prefix}_{kind}_PORT": str(port) for kind, port in ports.items()}
    environment |= {
        "STACK_DATA_DIRECTORY": str(folder),
        "STACK_TLS_DIRECTORY": str(folder / "tls"),
        "STACK_GATEWAY_TOKEN": TOKEN,
        **variables,
    }
    program = build(BINARIES["otelcol"], CONFIG)
    log = folder / "log.txt"
    process = subprocess.Popen(
        [program, f"--config=file:{CONFIG / name}.yaml", f"--config=file:{override}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=log.open("w"),
    )
    try:
        end = time.monotonic() + LONGEST
        while not healthy(ports["HEALTH"]):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        scheme = "https" if name == "gateway" else "http"
        with httpx.Client(
            base_url=f"{scheme}://127.0.0.1:{ports['HTTP']}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            verify=ssl.create_default_context(cafile=folder / "tls" / "ca.pem"),
        ) as client:
            yield client, written
    finally:
        process.terminate()
        process.wait(30)


def healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/").status_code == 200
    except httpx.TransportError:
        return False


def attributes(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def span(trace: str, name: str, kept: str = "", failed: bool = False) -> dict[str, Any]:
    now = time.time_ns()
    return {
        "traceId": trace,
        "spanId": secrets.token_hex(8),
        "name": name,
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now),
        "attributes": attributes({semconv.KEPT: kept} if kept else {}),
        "status": {"code": 2} if failed else {},
    }


def send(client: httpx.Client, spans: list[dict[str, Any]], resource: dict[str, str] | None = None) -> None:
    body = {"resource": {"attributes": attributes(resource or {})}, "scopeSpans": [{"spans": spans}]}
    client.post("/v1/traces", json={"resourceSpans": [body]}).raise_for_status()


def lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    # What follows the last end of a line is still being written.
    return [json.loads(line) for line in text.split("\n")[:-1]]


def spans_of(path: Path) -> list[tuple[str, str]]:
    """Return trace and name of every span that came out."""
    return [
        (each["traceId"], each["name"])
        for line in lines(path)
        for resource in line.get("resourceSpans", [])
        for scope in resource["scopeSpans"]
        for each in scope["spans"]
    ]


# The agent.

PRIVATE: Final = {
    "process.command_line": "python train.py --token=abc",
    "process.command_args": "train.py",
    "process.owner": "alice",
    "process.executable.path": "/home/alice/venv/bin/python",
    "process.environment_variable.HF_TOKEN": "abc",
    "process.working_directory": "/home/alice",
}
MASKED: Final = {
    "wandb.api_key": ("0123456789", "****"),
    "db.password": ("hunter2", "****"),
    "message": ("cannot read /mnt/customer-7/scans/a.png for bob@example.com", "cannot read ****a.png for ****"),
    "address": ("postgres://u:pw@db/lines", "postgres****db/lines"),
    "note": ("key hf_abcdefghijklmnopqrstuvwx", "key ****"),
}
KEPT_AS_IT_IS: Final = {
    "training.config.tokenizer": "bpe",
    "training.logged.token_accuracy": "0.98",
    "training.checkpoint.file": "epoch=3-step=120.ckpt",
    "vcs.ref.head.revision": "f5f23a2be24ca0a7c1a9f27dd0e3c14c0e7c3d51",
    "exception.message": "CTC loss got 12/31 frames at 3.5/s",
    "training.run.id": "20261125-165919-178cab",
}


@pytest.mark.parametrize("name", ["agent", "single"])
def test_what_must_not_leave_is_taken_out_and_the_rest_stays(tmp_path: Path, name: str) -> None:
    given = {key: before for key, (before, _) in MASKED.items()} | KEPT_AS_IT_IS
    expected = {key: after for key, (_, after) in MASKED.items()} | KEPT_AS_IT_IS
    with collector(tmp_path, name) as (client, written):
        one = span(secrets.token_hex(16), "train_batch")
        one["attributes"] = attributes(given)
        one["events"] = [{"name": "exception", "timeUnixNano": "1", "attributes": attributes(given)}]
        send(client, [one], PRIVATE | given | {"service.name": "ocr", "host.name": "a-container", "process.pid": "7"})
        point = {"asDouble": 1.0, "timeUnixNano": "1", "attributes": attributes(given)}
        metric = {"name": "application.metric", "gauge": {"dataPoints": [point]}}
        body = {"resource": {"attributes": attributes(PRIVATE)}, "scopeMetrics": [{"metrics": [metric]}]}
        client.post("/v1/metrics", json={"resourceMetrics": [body]}).raise_for_status()
        deadline = time.monotonic() + LONGEST
        while len(lines(written)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    (traces,) = [line["resourceSpans"][0] for line in lines(written) if "resourceSpans" in line]
    (metrics,) = [line["resourceMetrics"][0] for line in lines(written) if "resourceMetrics" in line]

    def read(found: list[dict[str, Any]]) -> dict[str, str]:
        return {each["key"]: each["value"]["stringValue"] for each in found}

    came = traces["scopeSpans"][0]["spans"][0]
    assert read(came["attributes"]) == expected
    assert read(came["events"][0]["attributes"]) == expected
    (point,) = metrics["scopeMetrics"][0]["metrics"][0]["gauge"]["dataPoints"]
    assert read(point["attributes"]) == expected
    resource = read(traces["resource"]["attributes"])
    host = {"host.name": socket.gethostname(), "os.type": "linux"}
    assert resource == expected | host | {"service.name": "ocr", "process.pid": "7"}
    assert read(metrics["resource"]["attributes"]) == host


# The gateway.


def test_the_gateway_keeps_what_matters_whole_and_a_share_of_the_rest(tmp_path: Path) -> None:
    with collector(tmp_path, "gateway", STACK_KEEP_REGULAR_PERCENT="0") as (client, written):
        trace = {
            name: secrets.token_hex(16) for name in ("run", "slow", "profiled", "first", "error", "raised", "ranks")
        }
        regular = [secrets.token_hex(16) for _ in range(20)]
        send(client, [span(trace["run"], "fit.start")])
        for kept in ("slow", "profiled", "first", "error"):
            send(client, [span(trace[kept], "fetch"), span(trace[kept], "train_batch", kept)])
        send(client, [span(trace["raised"], "train_batch", "regular", failed=True), span(trace["raised"], "forward")])
        for each in regular:
            send(client, [span(each, "fetch"), span(each, "train_batch", "regular")])
        # Two ranks of one batch, one of them slow: what the other one sent is kept with it.
        send(client, [span(trace["ranks"], "train_batch", "regular"), span(trace["ranks"], "fetch")])
        send(client, [span(trace["ranks"], "train_batch", "slow")])

        expected = {
            *(
                (trace[kept], name)
                for kept in ("slow", "profiled", "first", "error")
                for name in ("fetch", "train_batch")
            ),
            (trace["run"], "fit.start"),
            *((trace["raised"], name) for name in ("train_batch", "forward")),
            *((trace["ranks"], name) for name in ("train_batch", "fetch")),
        }
        wait_for(written, expected)
        # What comes after the decision follows it: the end of the run, and late spans of a batch that was not kept.
        send(client, [span(trace["run"], "fit"), span(trace["run"], "train_epoch"), span(regular[0], "forward")])
        expected |= {(trace["run"], "fit"), (trace["run"], "train_epoch")}
        wait_for(written, expected)
    # The Collector has decided on everything before it ended.
    assert set(spans_of(written)) == expected


def test_the_gateway_keeps_every_regular_batch_unless_told_otherwise(tmp_path: Path) -> None:
    traces = [secrets.token_hex(16) for _ in range(50)]
    with collector(tmp_path, "gateway") as (client, written):
        for trace in traces:
            send(client, [span(trace, "train_batch", "regular")])
        wait_for(written, {(trace, "train_batch") for trace in traces})


def wait_for(written: Path, expected: set[tuple[str, str]]) -> None:
    deadline = time.monotonic() + LONGEST
    while not expected <= set(spans_of(written)):
        assert time.monotonic() < deadline, expected - set(spans_of(written))
        time.sleep(0.2)
