"""Kills real trainings at moments drawn by chance, and compares what is left of them with what really happened."""

from __future__ import annotations

import base64
import glob
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format

from ocr_otel import semconv
from tests.reliability.hard import start
from tests.support.otlp_server import OtlpServer

SCRIPT: Final = Path(__file__).parent / "killed_training.py"
CLOSED_WITHIN: Final = 10.0
"""Seconds after a kill within which the run's trace is to be closed."""
ANSWERED: Final = 0.2
"""Seconds after a kill in which a request of the training may still be read; nobody else begins to send as soon."""
SETTLED: Final = 1.0
"""Seconds before the kill: a batch that was over by then must be there."""
LONGEST_TRAINING: Final = 240.0
"""Seconds until the moment comes, on a machine that is busy; it is a few on one that is not."""
_ERROR: Final = (2, "STATUS_CODE_ERROR")


@dataclass(frozen=True, slots=True)
class Moment:
    """When a training is killed.

    Attributes:
        name: What it does then.
        event: What is to have happened, as the training writes it down.
        times: How often, at least and at most; drawn by chance.
        delay: Seconds from then to the kill, at most; drawn by chance.
        settings: Further settings of ocr_otel.
    """

    name: str
    event: str
    times: tuple[int, int]
    delay: float
    settings: Mapping[str, str] = field(default_factory=dict)


MOMENTS: Final = (
    Moment("a batch", "batch", (5, 150), 0.03),
    Moment("the first batch", "batch", (1, 1), 0.02),
    Moment("a validation", "validation", (3, 34), 0.02),
    Moment("a checkpoint", "checkpoint", (1, 4), 0.35),
    Moment("a worker's fetch", "fetch", (20, 150), 0.008),
    Moment("a window of the profiler", "batch", (4, 35), 0.02,
           {"OCR_OTEL_PROFILE": "start", "OCR_OTEL_PROFILE_BATCHES": "40"}),
    Moment("the end of fit", "over", (1, 1), 1.0),
    Moment("the end of the process", "end", (1, 1), 0.3),
)  # fmt: skip


@dataclass(slots=True)
class Left:
    """What is left of a run, wherever it went.

    Attributes:
        spans: Spans as OTLP JSON has them, in hex and with enumerations as numbers.
        active: Values of `training.run.active`, by time.
        killed: Whether a run was counted as killed.
    """

    spans: list[dict[str, Any]]
    active: dict[int, float]
    killed: bool

    def roots(self) -> list[dict[str, Any]]:
        """Return the roots of run traces."""
        return [span for span in self.spans if span["name"] == semconv.FIT]


@dataclass(slots=True)
class Kill:
    """One kill and what came of it.

    Attributes:
        number: Its number, which is the seed.
        target: `files` or `otlp`.
        moment: When.
        code: The exit code of the training.
        closed: Seconds from the kill until the run's trace was closed; None where it was not in time.
        batches: Batches that were over a second before.
        again: Spans of the request whose answer the kill cut off, and which was therefore sent again.
        problems: What is not as it should be.
    """

    number: int
    target: str
    moment: str
    code: int = 0
    closed: float | None = None
    batches: int = 0
    again: int = 0
    problems: list[str] = field(default_factory=list)


def events(truth: Path) -> list[list[str]]:
    """Return what the training has written down so far, but a line that is not complete."""
    if not truth.exists():
        return []
    *lines, _ = truth.read_text().split("\n")
    return [line.split() for line in lines]


def kill_one(number: int, target: str, folder: Path) -> Kill:
    """Train, kill, and compare.

    Args:
        number: The seed; with the target it decides on everything.
        target: `files` or `otlp`.
        folder: An empty folder.
    """
    chance = random.Random(f"{target} {number}")
    moment = MOMENTS[number % len(MOMENTS)]
    result = Kill(number, target, moment.name)
    with OtlpServer() as server:
        settings = {"OCR_OTEL_BATCH_SPANS": "2000", "OCR_OTEL_RESOURCE_INTERVAL": "0.5", **moment.settings}
        if target == "otlp":
            settings |= {"OTEL_EXPORTER_OTLP_ENDPOINT": server.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        truth = folder / "truth"
        process = start([SCRIPT, f"--root={folder / 'root'}", f"--truth={truth}"], folder, **settings)
        try:
            _wait_for(process, truth, moment.event, chance.randint(*moment.times))
            time.sleep(chance.uniform(0, moment.delay))
        finally:
            killed = time.time_ns()
            process.send_signal(signal.SIGKILL)
        process.wait(30)
        # Not read to their ends: who has inherited them may live longer, and would be waited for.
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()
        result.code = process.returncode
        _compare(result, folder, server, killed)
    return result


def _wait_for(process: subprocess.Popen[str], truth: Path, event: str, times: int) -> None:
    deadline = time.monotonic() + LONGEST_TRAINING
    while process.poll() is None and time.monotonic() < deadline:
        if sum(words[1] == event for words in events(truth)) >= times:
            return
        time.sleep(0.003)
    assert process.poll() is not None, f"{event} did not come {times} times"


def _compare(result: Kill, folder: Path, server: OtlpServer, killed: int) -> None:
    rank = folder / "runs" / "run"
    while True:
        since = (time.time_ns() - killed) / 1e9
        # Asked before what has arrived is read, which takes some time: what was still to come is not in it.
        delivered = not _remains(rank)
        left = from_server(server) if result.target == "otlp" else from_files(rank)
        if left.roots() and delivered:
            result.closed = since
        if result.closed is not None or since > CLOSED_WITHIN:
            break
        time.sleep(0.05)
    if result.closed is None or result.closed > CLOSED_WITHIN:
        result.problems.append(f"not closed within {CLOSED_WITHIN:.0f} s: {_remains(rank) or 'no root'}")
    told = [
        words for words in events(folder / "truth") if words[1] == "done" and int(words[0]) < killed - SETTLED * 1e9
    ]
    result.batches = len(told)
    again = cut_off(server, killed)
    result.again = len(again)
    result.problems += problems_of(left, {(int(epoch), int(index)) for _, _, epoch, index in told}, result.code, again)


def cut_off(server: OtlpServer, killed: int) -> set[str]:
    """Return the ids of spans that came twice because their request's answer was cut off by the kill.

    Over OTLP nobody can know whether such a request arrived, so that it is sent again. It can be no more than one, and
    the last one before the kill.

    Args:
        server: What took the requests.
        killed: When the training was killed, Unix nanoseconds.
    """
    before: list[set[str]] = []
    after: set[str] = set()
    for request in list(server.requests):
        if request.path != "/v1/traces" or request.message is None:
            continue
        ids = {
            base64.b64encode(span.span_id).decode()
            for resource in request.message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        }
        if request.at <= killed + ANSWERED * 1e9:
            before.append(ids)
        else:
            after |= ids
    if not before or not before[-1] <= after:
        return set()
    return before[-1]


def _remains(rank: Path) -> list[str]:
    """Return what a closed run must not leave behind; the watchdog may be removing it meanwhile."""
    # Not by `Path.glob`, which raises where a folder goes while it is read.
    journals = glob.glob(f"{rank}/.watchdog/*/journal")
    return journals + [path for path in glob.glob(f"{rank}/spool/**", recursive=True) if _size(path)]


def _size(path: str) -> int:
    try:
        return os.path.getsize(path) if os.path.isfile(path) else 0
    except FileNotFoundError:
        return 0


def problems_of(
    left: Left, batches: set[tuple[int, int]], code: int, again: Collection[str] = frozenset()
) -> list[str]:
    """Return what is wrong with what is left of a run.

    Args:
        left: What is left.
        batches: Epoch and index of each batch that must be there.
        code: Exit code of the training.
        again: Ids of spans that may be there twice.
    """
    found = []
    times_of = Counter(span["spanId"] for span in left.spans)
    twice = [each for each, times in times_of.items() if times > (2 if each in again else 1)]
    if twice:
        names = [span["name"] for span in left.spans if span["spanId"] in twice]
        found.append(f"span ids that are there twice: {Counter(names)}")
    missing = batches - {
        (int(attributes[semconv.EPOCH]), int(attributes[semconv.BATCH_IDX]))
        for attributes in (_attributes(span) for span in left.spans if span["name"] == semconv.TRAIN_BATCH)
    }
    if missing:
        found.append(f"{len(missing)} of {len(batches)} batches are missing: {sorted(missing)[:5]}")
    if len(left.roots()) != 1:
        return [*found, f"{len(left.roots())} roots"]
    root = left.roots()[0]
    run = [span for span in left.spans if span["traceId"] == root["traceId"]]
    ids = {span["spanId"] for span in run}
    found += [
        f"{span['name']} has no parent" for span in run if span.get("parentSpanId") and span["parentSpanId"] not in ids
    ]
    found += [f"{span['name']} has no end" for span in left.spans if not int(span.get("endTimeUnixNano", 0))]
    if code != -signal.SIGKILL or _attributes(root).get(semconv.OUTCOME) == "completed":
        # The kill came too late, or after the run's own end was told.
        return found
    if root.get("status", {}).get("code") not in _ERROR:
        found.append(f"the root's status is {root.get('status')}")
    attributes = _attributes(root)
    ended = attributes.get(semconv.END_CAUSE), attributes.get(semconv.END_SIGNAL)
    if ended != ("signal", "SIGKILL"):
        found.append(f"the root's end is {ended}")
    if not left.active or left.active[max(left.active)] != 0:
        found.append("training.run.active is not 0 in the end")
    if not left.killed:
        found.append("no run was counted as killed")
    return found


def from_files(rank: Path) -> Left:
    """Read what is left in a run directory; a line that is cut is not there."""
    return _left(list(_lines(rank / "traces.jsonl")), list(_lines(rank / "metrics.jsonl")))


def from_server(server: OtlpServer) -> Left:
    """Read what a server took."""
    requests = list(server.requests)
    taken = {
        path: [json_format.MessageToDict(each.message) for each in requests if each.path == path and each.message]
        for path in ("/v1/traces", "/v1/metrics")
    }
    return _left(taken["/v1/traces"], taken["/v1/metrics"])


def _left(traces: list[dict[str, Any]], metrics: list[dict[str, Any]]) -> Left:
    spans = [span for each in traces for span in _parts(each, "resourceSpans", "scopeSpans", "spans")]
    active: dict[int, float] = {}
    killed = False
    for each in metrics:
        for metric in _parts(each, "resourceMetrics", "scopeMetrics", "metrics"):
            for point in (metric.get("gauge") or metric.get("sum") or {}).get("dataPoints", ()):
                value = float(point.get("asDouble", point.get("asInt", 0)))
                if metric["name"] == semconv.METRIC_RUN_ACTIVE:
                    active[int(point["timeUnixNano"])] = value
                if metric["name"] == semconv.METRIC_RUNS and _attributes(point).get(semconv.OUTCOME_LABEL) == "killed":
                    killed |= value > 0
    return Left(spans, active, killed)


def _parts(line: dict[str, Any], outer: str, middle: str, inner: str) -> Iterator[dict[str, Any]]:
    for resource in line.get(outer, ()):
        for scope in resource.get(middle, ()):
            yield from scope.get(inner, ())


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for line in path.read_bytes().split(b"\n"):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            yield found


def _attributes(holder: dict[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values()), None) for each in holder.get("attributes", ())}


def table(kills: list[Kill]) -> str:
    """Return a Markdown table of what came of the kills."""
    rows = [
        "| target | killed in | kills | closed within, s | batches lost | requests sent again | problems |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for target in sorted({each.target for each in kills}):
        for moment in MOMENTS:
            those = [each for each in kills if (each.target, each.moment) == (target, moment.name)]
            if not those:
                continue
            closed = max((each.closed for each in those if each.closed is not None), default=float("nan"))
            lost = sum("missing" in problem for each in those for problem in each.problems)
            told = "; ".join(f"{each.number}: {problem}" for each in those for problem in each.problems)
            again = sum(each.again > 0 for each in those)
            rows.append(f"| {target} | {moment.name} | {len(those)} | {closed:.1f} | {lost} | {again} | {told} |")
    return "\n".join(rows)


def number_of_kills() -> int:
    """Return how many kills of each kind of target are wanted."""
    return int(os.environ.get("RELIABILITY_KILLS", "3"))
