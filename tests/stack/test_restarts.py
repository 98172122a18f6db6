"""A Collector that is killed and started again while a run sends to it costs no span."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocr_otel.stack import BINARIES, cached, processes
from tests.support.ports import free_ports
from tests.support.scripts import FOLDER, clean_environment
from tests.support.stack import CONFIGURATION, wait_for

SPANS = 100_000
SECONDS = 50.0
"""In which they are made."""
KILLS = 2
BEFORE_KILL = 10.0
DOWN = 3.0
BETWEEN_KILLS = 20.0
LONGEST = 100.0
"""Seconds from the last span to the last one that arrives, on a machine that is busy."""
REQUEST = 512
"""Spans in a request, at most: the SDK's default."""

CONFIGURED = """
extensions:
  health_check: {{endpoint: "127.0.0.1:{health}"}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{otlp}"}}}}}}
exporters:
  file:
    path: {taken}
    # Without it lines wait in a buffer for a second after they are acknowledged, and a kill loses them.
    rotation: {{max_megabytes: 10000}}
service:
  extensions: [health_check]
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [file]}}
"""
_BEGINNING = b'{"resourceSpans":'


class Collector:
    """The real Collector, which writes what it takes into a file before it acknowledges it."""

    def __init__(self, folder: Path) -> None:
        self.taken = folder / "taken.jsonl"
        self._health, self._otlp = free_ports(2)
        self._log = folder / "collector.log"
        self._configuration = folder / "collector.yaml"
        self._configuration.write_text(CONFIGURED.format(health=self._health, otlp=self._otlp, taken=self.taken))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._otlp}"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        binary = cached(BINARIES["otelcol"], CONFIGURATION)
        assert binary.is_file(), "run `ocr-otel stack build` first, as `make test-stack` does"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [binary, f"--config={self._configuration}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_for(lambda: processes.answers(f"http://127.0.0.1:{self._health}"), 30, f"the Collector, see {self._log}")

    def kill(self) -> None:
        """Kill it where it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def may_have(self, spans: int) -> bool:
        """Return, soon, whether there may be so many spans in the file."""
        return self.taken.read_bytes().count(b'"spanId"') >= spans

    def spans(self) -> Counter[str]:
        """Return how often each span id is in the file."""
        found: Counter[str] = Counter()
        content = self.taken.read_bytes() if self.taken.exists() else b""
        # What a kill has cut has no end, and the next line begins behind it.
        for part in content.split(_BEGINNING)[1:]:
            try:
                request = json.loads(_BEGINNING + part)
            except ValueError:
                continue
            found.update(
                span["spanId"]
                for resource in request["resourceSpans"]
                for scope in resource["scopeSpans"]
                for span in scope["spans"]
            )
        return found


@contextmanager
def running(folder: Path) -> Iterator[Collector]:
    collector = Collector(folder)
    collector.start()
    try:
        yield collector
    finally:
        collector.kill()


@pytest.mark.timeout(300)
def test_100_000_spans_arrive_at_a_collector_that_is_killed_twice(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    truth = tmp_path / "truth"
    with running(tmp_path) as collector:
        script = subprocess.Popen(
            [sys.executable, FOLDER / "many_spans_script.py", truth, str(SPANS), str(SECONDS)],
            cwd=tmp_path,
            env=clean_environment(
                OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
                OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
                OTEL_METRICS_EXPORTER="none",
                OCR_OTEL_RUNS_DIR=str(tmp_path / "runs"),
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            wait_for(lambda: collector.taken.exists() and collector.taken.stat().st_size, 60, "the first spans")
            time.sleep(BEFORE_KILL)
            for kill in range(KILLS):
                time.sleep((BETWEEN_KILLS - DOWN) * (kill > 0))
                assert script.poll() is None, "it was over before the Collector was killed"
                collector.kill()
                time.sleep(DOWN)
                collector.start()
            lost, said = script.communicate(timeout=120)
        finally:
            script.kill()
        assert (script.returncode, lost.strip()) == (0, "{}"), said
        made = truth.read_text().split()
        assert len(set(made)) == SPANS
        began = time.monotonic()
        wait_for(lambda: collector.may_have(SPANS) and len(collector.spans()) >= SPANS, LONGEST, "the last spans")
        waited = time.monotonic() - began
        arrived = collector.spans()
    twice = sum(arrived.values()) - len(arrived)
    record = (
        f"{SPANS} spans, {KILLS} kills of the Collector: {twice} arrived twice, the last {waited:.0f} s after the end"
    )
    record_property("restarts", record)
    print(f"\n{record}")
    assert arrived.keys() == set(made)
    # A request whose answer the kill has cut off is sent again, and nothing else is.
    assert twice <= KILLS * REQUEST
