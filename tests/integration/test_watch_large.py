"""The live page of very many batches, and of twenty runs at once: opened soon, in bounded memory."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocr_otel import semconv
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape
from tests.support.watching import Watching

EPOCHS, BATCHES, KEPT = 100, 100_000, 200
EXPORTS = 20_000
MEGABYTE = 1_000_000


def made_long(run: Path) -> None:
    """Write a run of ten million batches with 200 kept ones an epoch, by repeating the lines of a short one."""
    synthetic_run.make(run, Shape(epochs=2, batches=60, kept=30, machine="cpu"))
    lines = [json.loads(line) for line in (run / "traces.jsonl").read_bytes().splitlines()]
    resource = lines[0]["resourceSpans"][0]["resource"]
    spans = [span for line in lines for scope in line["resourceSpans"][0]["scopeSpans"] for span in scope["spans"]]
    batch = next(span for span in spans if span["name"] == semconv.TRAIN_BATCH and not span.get("parentSpanId"))
    of_batch = [span for span in spans if span["traceId"] == batch["traceId"]]
    epoch = next(span for span in spans if span["name"] == semconv.TRAIN_EPOCH)
    start = next(span for span in spans if span["name"] == semconv.FIT + semconv.START_SUFFIX)
    begun, length = int(start["startTimeUnixNano"]), 10**13

    def line(found: list[dict[str, Any]], at: int, number: int) -> bytes:
        origin = int(found[-1]["startTimeUnixNano"])
        moved = []
        for place, span in enumerate(found):
            times = {key: str(int(span[key]) - origin + at) for key in ("startTimeUnixNano", "endTimeUnixNano")}
            ids = {"spanId": f"{number * 100 + place:016x}", "traceId": f"{number + 1:032x}"}
            parent = "" if place == len(found) - 1 else f"{number * 100 + len(found) - 1:016x}"
            moved.append(span | times | ids | {"parentSpanId": parent, "events": [], "links": []})
        named = {"resource": resource, "scopeSpans": [{"spans": moved}]}
        return json.dumps({"resourceSpans": [named]}, separators=(",", ":")).encode() + b"\n"

    of_batch.sort(key=lambda span: span["spanId"] == batch["spanId"])
    with (run / "traces.jsonl").open("wb") as file:
        file.write(line([start], begun, 0))
        number = 1
        for index in range(EPOCHS):
            for kept in range(KEPT):
                file.write(line(of_batch, begun + index * length + kept * length // KEPT, number))
                number += 1
            end = {"endTimeUnixNano": str(int(epoch["startTimeUnixNano"]) + length)}
            file.write(line([epoch | end], begun + index * length, number))
            number += 1
    exports = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    counts = next(line for line in reversed(exports) if f'"{semconv.METRIC_BATCHES}"' in line)
    step = EPOCHS * length // EXPORTS
    export = json.loads(max(exports, key=len))
    export["resourceMetrics"] += json.loads(counts)["resourceMetrics"]
    for scope in export["resourceMetrics"][-1]["scopeMetrics"]:
        for metric in scope["metrics"]:
            if metric["name"] == semconv.METRIC_BATCHES:
                metric["sum"]["dataPoints"][0] |= {"asInt": "COUNT", "asDouble": "COUNT"}
    for found in export["resourceMetrics"]:
        for metric in (metric for scope in found["scopeMetrics"] for metric in scope["metrics"]):
            for kind in ("sum", "gauge", "histogram"):
                for point in metric.get(kind, {}).get("dataPoints", []):
                    point["timeUnixNano"] = "TIME"
    last = json.dumps(export).replace('"COUNT"', "COUNT") + "\n"
    with (run / "metrics.jsonl").open("w", encoding="utf-8") as file:
        for index in range(EXPORTS):
            done = EPOCHS * BATCHES * (index + 1) // EXPORTS
            file.write(last.replace("TIME", str(begun + index * step)).replace("COUNT", str(done)))


def processor_seconds(process: int) -> float:
    """User and system time of a process: what it takes on an idle machine, whatever else runs here."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def state(client: httpx.Client, path: str, event: str) -> Any:
    """The first event of a stream."""
    with client.stream("GET", path) as answer:
        for text in answer.iter_lines():
            if text.startswith("data: "):
                return json.loads(text.removeprefix("data: "))
    raise AssertionError(f"{path} has no {event}")


@pytest.mark.timeout(300)
def test_run_of_ten_million_batches_opens_in_two_seconds_and_twenty_runs_fit_into_100_megabytes(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    made_long(runs / "long")
    sizes = {path.name: path.stat().st_size for path in (runs / "long").glob("*.jsonl")}
    assert sum(sizes.values()) > 100 * MEGABYTE
    first = synthetic_run.make(runs / "run-00", Shape(epochs=5, machine="gpu", outcome=""))
    for number in range(1, 19):
        shutil.copytree(first, runs / f"run-{number:02}")
    with Watching("--port", "0", folder=tmp_path) as watching, httpx.Client(timeout=120) as client:
        base = watching.address.partition("/?")[0]
        client.get(watching.address, follow_redirects=True)
        # What any page needs is loaded with the first.
        assert client.get(f"{base}/runs/run-18").status_code == 200
        before = processor_seconds(watching.process.pid)
        page = client.get(f"{base}/runs/long")
        opened = processor_seconds(watching.process.pid) - before
        assert page.status_code == 200
        assert opened < 2, sizes
        now = state(client, f"{base}/runs/long/events", "now")
        assert now["batches"] == EPOCHS * BATCHES
        assert "an even choice" in page.text
        listed = state(client, f"{base}/events", "runs")
        assert len(listed) == 20
        assert all(not run["error"] for run in listed)
        for name in ("run-01", "run-02", "long"):
            assert client.get(f"{base}/runs/{name}/fresh").status_code == 200
        print(f"opened in {opened:.2f} s of a CPU, {sizes}, {watching.memory / MEGABYTE:.0f} MB")
        assert watching.memory < 100 * MEGABYTE
    shutil.rmtree(runs)
