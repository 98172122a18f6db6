"""Three alerts, fired by real trainings, through the real servers to a real webhook, and resolved.

The rules, routes and intervals are the shipped ones with every duration divided by `FASTER`, and the trainings export
as much more often: what takes a quarter of an hour takes half a minute. The servers check the shortened files.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import pytest

from ocr_otel.stack import BINARIES, Layout, Plan, build, down, make_plan, up
from ocr_otel.stack.ports import taken

CONFIG = Path(__file__).parents[2] / "collector-config"
TRAINING = Path(__file__).parent / "steered_training.py"
FASTER: Final = 30
EXPORT_SECONDS: Final = 1.0
"""Twice as often as the minute divided by `FASTER`, so that a busy machine misses no export."""
LONGEST: Final = 120.0
SILENCE: Final = 15.0
"""Watched for what must not come: longer than every rule for a dead or silent run takes here."""

T = TypeVar("T")

pytestmark = pytest.mark.timeout(400)


# A faster copy of the configuration.

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


def shorten(duration: str) -> str:
    """Divide a duration such as `5m` by `FASTER`."""
    seconds = float(duration[:-1]) * _UNITS[duration[-1]]
    return f"{max(1, round(seconds / FASTER * 1000))}ms"


def faster(text: str) -> str:
    """Shorten every duration of rules, routes and intervals; and the one age in seconds that a rule compares with."""
    text = re.sub(
        r"((?:for|interval|_interval|group_wait): )(\d+[smh])$",
        lambda found: found[1] + shorten(found[2]),
        text,
        flags=re.M,
    )
    text = re.sub(r"\[(\d+[smh])\]", lambda found: f"[{shorten(found[1])}]", text)
    text = re.sub(r"offset (\d+[smh])", lambda found: f"offset {shorten(found[1])}", text)
    return text.replace("_age:seconds > 300", f"_age:seconds > {300 // FASTER}")


def test_shortening_changes_durations_and_nothing_else() -> None:
    text = "for: 2m\n  evaluation_interval: 30s\nexpr: a[1h] offset 10m > 0.3 and 5m\nsum: b_age:seconds > 300\n"
    expected = (
        "for: 4000ms\n  evaluation_interval: 1000ms\nexpr: a[120000ms] offset 20000ms > 0.3 and 5m\n"
        "sum: b_age:seconds > 10\n"
    )
    assert faster(text) == expected


# The webhook, the stack and the trainings.


@dataclass(frozen=True, slots=True)
class Said:
    """An alert in a message to the webhook."""

    name: str
    status: str
    run: str
    annotations: dict[str, str]


class Webhook:
    """Receives what Alertmanager sends."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.said += [
                    Said(
                        alert["labels"]["alertname"],
                        alert["status"],
                        alert["labels"].get("training_run_id", ""),
                        alert["annotations"],
                    )
                    for alert in message["alerts"]
                ]
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def about(self, run: str) -> list[Said]:
        return [said for said in self.said if said.run == run]

    def wait(self, run: str, name: str, status: str) -> Said:
        """Wait for the first message that says so."""

        def found() -> Said | None:
            return next((said for said in self.about(run) if (said.name, said.status) == (name, status)), None)

        return until(found, f"{name} {status} of {run}; came: {self.about(run)}")


def until(found: Callable[[], T | None], what: str) -> T:
    """Return what `found` returns as soon as it does."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        if (value := found()) is not None:
            return value
        time.sleep(0.2)
    raise AssertionError(f"not in {LONGEST:.0f} s: {what}")


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs."""

    plan: Plan
    webhook: Webhook

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.plan.url('PROMETHEUS')}/api/v1/query", params={"query": expression})
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def firing(self, run: str) -> set[str]:
        alerts = self.query(f'ALERTS{{training_run_id="{run}", alertstate="firing"}}')
        return {alert["metric"]["alertname"] for alert in alerts}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("alerts")
    configuration = folder / "collector-config"
    shutil.copytree(CONFIG, configuration, ignore=shutil.ignore_patterns("build", "tests", "kubernetes"))
    for path in (configuration / "prometheus").rglob("*.yaml"):
        path.write_text(faster(path.read_text(encoding="utf-8")), encoding="utf-8")
    routes = configuration / "alertmanager" / "alertmanager.yaml"
    routes.write_text(faster(routes.read_text(encoding="utf-8")), encoding="utf-8")
    programs = {name: build(BINARIES[name], CONFIG) for name in ("otelcol", "prometheus", "alertmanager", "promtool")}
    checked = subprocess.run(
        [programs["promtool"], "check", "rules", *(configuration / "prometheus" / "rules").glob("*.yaml")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr

    webhook = Webhook()
    layout = Layout(folder / "stack")
    layout.alertmanager.mkdir(parents=True)
    (layout.alertmanager / "webhook-url").write_text(webhook.url, encoding="utf-8")
    plan = free_plan(layout, configuration)
    try:
        up(plan, layout, configuration, programs)
        yield Stack(plan, webhook)
    finally:
        down(layout)
        webhook.close()


def free_plan(layout: Layout, configuration: Path) -> Plan:
    """Plan on free ports, without Jaeger: alerts come from metrics alone."""
    for _ in range(50):
        plan = make_plan(layout, configuration, team=False, offset=random.randrange(1000, 30000))
        if not taken(dict(plan.ports)):
            servers = [server for server in plan.servers if server.name != "jaeger"]
            return replace(plan, servers=tuple(quick_to_forget(server) for server in servers))
    raise AssertionError("no free ports")


def quick_to_forget(server: Any) -> Any:
    """Shorten what is no file but a flag: for how long Prometheus takes the last sample for the present."""
    if server.name != "prometheus":
        return server
    return replace(server, arguments=(*server.arguments, f"--query.lookback-delta={shorten('5m')}"))


class Training:
    """A steered training as a process of its own, instrumented by environment variables alone."""

    def __init__(self, stack: Stack, folder: Path, run: str) -> None:
        folder.mkdir(exist_ok=True)
        self.run = run
        self.folder = folder
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("OCR_OTEL", "OTEL_"))}
        self.process = subprocess.Popen(
            [sys.executable, str(TRAINING), str(folder)],
            env=clean
            | stack.plan.training_environment()
            | {"OCR_OTEL_RUN_ID": run, "OTEL_METRIC_EXPORT_INTERVAL": str(int(EXPORT_SECONDS * 1000))},
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=(folder / "stderr.txt").open("a"),
        )
        active = f'training_run_active{{training_run_id="{run}"}} == 1 and on () training_last_batch_timestamp_seconds'
        try:
            until(lambda: stack.query(active) or None, f"{run} in Prometheus")
        except AssertionError:
            self.end()
            raise

    def ask(self, what: str) -> None:
        (self.folder / what).touch()

    def take_back(self, what: str) -> None:
        (self.folder / what).unlink()

    def stop(self) -> None:
        """End it cleanly."""
        self.ask("stop")
        assert self.process.wait(60) == 0, (self.folder / "stderr.txt").read_text()

    def end(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def start(stack: Stack, tmp_path: Path) -> Iterator[Callable[[str], Training]]:
    """Starts trainings and ends what a failed test left."""
    begun: list[Training] = []

    def start(run: str) -> Training:
        training = Training(stack, tmp_path / f"{run}-{len(begun)}", run)
        begun.append(training)
        return training

    yield start
    for training in begun:
        training.end()


def test_a_killed_run_is_told_without_its_stall_and_resolved_when_it_is_resumed(
    stack: Stack, start: Callable[[str], Training]
) -> None:
    training = start("killed-run")
    training.process.send_signal(signal.SIGKILL)
    training.process.wait()

    told = stack.webhook.wait("killed-run", "TrainingRunKilled", "firing")
    assert told.annotations["summary"] == "Run killed-run of ocr-training vanished without an end."
    assert told.annotations["description"].startswith("1 of its ranks said nothing")
    assert told.annotations["runbook_url"] == "docs/runbooks/TrainingRunKilled.md"

    resumed = start("killed-run")
    stack.webhook.wait("killed-run", "TrainingRunKilled", "resolved")
    resumed.stop()
    time.sleep(SILENCE)
    assert stack.firing("killed-run") == set()
    assert {said.name for said in stack.webhook.about("killed-run")} == {"TrainingRunKilled"}


def test_a_stalled_run_is_told_and_resolved_when_it_goes_on(stack: Stack, start: Callable[[str], Training]) -> None:
    training = start("stalled-run")
    training.ask("hang")
    told = stack.webhook.wait("stalled-run", "TrainingRunStalled", "firing")
    assert told.annotations["summary"] == "Run stalled-run of ocr-training stands still."
    assert re.match(r"Its last batch ended 1\d(\.\d+)?s ago", told.annotations["description"])

    training.take_back("hang")
    stack.webhook.wait("stalled-run", "TrainingRunStalled", "resolved")
    training.stop()
    time.sleep(SILENCE)
    assert stack.firing("stalled-run") == set()
    assert "TrainingRunKilled" not in {said.name for said in stack.webhook.about("stalled-run")}


def test_a_starved_run_is_told_and_resolved_when_data_comes_again(
    stack: Stack, start: Callable[[str], Training]
) -> None:
    training = start("starved-run")
    training.ask("starve")
    told = stack.webhook.wait("starved-run", "TrainingDataStarvation", "firing")
    share = re.match(r"Its loop waited for the dataloader in ([\d.]+)%", told.annotations["description"])
    assert share is not None
    assert 30 < float(share[1]) < 100

    training.take_back("starve")
    stack.webhook.wait("starved-run", "TrainingDataStarvation", "resolved")
    training.stop()
    time.sleep(SILENCE)
    assert stack.firing("starved-run") == set()
    # Starvation explains the lost throughput, which is not told beside it.
    assert {said.name for said in stack.webhook.about("starved-run")} == {"TrainingDataStarvation"}


def test_alertmanager_holds_back_what_a_dead_run_or_a_broken_road_explains(stack: Stack) -> None:
    def alert(name: str, run: str = "", server: str = "") -> dict[str, Any]:
        labels = {"alertname": name, "severity": "critical", "service_name": "ocr", "training_run_id": run}
        return {"labels": {key: value for key, value in (labels | {"server": server}).items() if value}}

    alerts = [
        *(alert(name, "dead") for name in ("TrainingRunFailed", "TrainingRunStalled", "TrainingGPUIdle")),
        alert("TrainingGPUErrors", "dead"),
        alert("TrainingRunStalled", "alive"),
        alert("TrainingGPUIdle", "alive"),
        alert("TrainingRunKilled", "silent"),
        alert("TelemetryServerDown", server="gateway"),
        alert("TelemetryServerDown", server="agent"),
    ]
    url = f"{stack.plan.url('ALERTMANAGER')}/api/v2/alerts"
    httpx.post(url, json=alerts).raise_for_status()

    def held_back() -> set[tuple[str, str]] | None:
        answer = httpx.get(url)
        answer.raise_for_status()
        known = [each for each in answer.json() if each["labels"].get("service_name") == "ocr"]
        if len(known) < len(alerts) or any(each["status"]["state"] == "unprocessed" for each in known):
            return None
        return {
            (each["labels"]["alertname"], each["labels"]["training_run_id"])
            for each in known
            if each["status"]["state"] == "suppressed"
        }

    assert until(held_back, "all alerts in Alertmanager") == {
        ("TrainingRunStalled", "dead"),
        ("TrainingGPUIdle", "dead"),
        ("TrainingGPUIdle", "alive"),
        ("TrainingRunKilled", "silent"),
    }
