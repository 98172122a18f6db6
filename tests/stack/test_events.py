"""Events pass through agent and gateway and can be read there, with the run that they are of."""

from __future__ import annotations

from pathlib import Path

from ocr_otel import semconv
from tests.support.scripts import run_python
from tests.support.stack import RunningStack, wait_for

EMIT = """
from ocr_otel import semconv
from ocr_otel.settings import Settings
from ocr_otel.telemetry import RunIdentity, Session, destination
session = Session(Settings(), RunIdentity("run-with-an-event"), destination())
session.events.emit(semconv.GPU_ERROR, {"hw.id": "GPU-7", "error.type": "xid_79", semconv.GPU_XID: 79})
assert session.flush()
"""


def test_an_event_arrives_in_the_gateways_log_with_its_run(stack: RunningStack, tmp_path: Path) -> None:
    done = run_python(["-c", EMIT], tmp_path, **stack.environment())
    assert done.returncode == 0, done.stderr
    log = stack.layout.log("gateway")

    def event() -> str:
        return log.read_text(encoding="utf-8").partition(f"EventName: {semconv.GPU_ERROR}")[2]

    told = wait_for(event, 30, "the event in the gateway's log")
    assert "hw.id: Str(GPU-7)" in told
    assert f"{semconv.GPU_XID}: Int(79)" in told
    assert "training.run.id: Str(run-with-an-event)" in log.read_text(encoding="utf-8")
