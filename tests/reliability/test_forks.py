"""User code that forks the training while telemetry is on its way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.hard import train_both
from tests.reliability.test_limits import spans
from tests.support.otlp_server import OtlpServer


class SlowServer(OtlpServer):
    """Takes its time with each request, so that there is always one on its way."""

    def _handle(self, handler: object) -> None:
        time.sleep(0.2)
        super()._handle(handler)  # type: ignore[arg-type]


@pytest.fixture
def server() -> Iterator[OtlpServer]:
    with SlowServer() as server:
        yield server


@pytest.mark.parametrize("way", ["os._exit", "sys.exit", "exception"])
def test_a_child_neither_flushes_nor_removes_anything_of_the_trainings(tmp_path: Path, way: str) -> None:
    ended = train_both(tmp_path, "forks", way)
    assert ended.code == 0
    found = spans(tmp_path)
    assert [span["name"] for span in found].count("fit") == 1
    ids = [span["spanId"] for span in found]
    assert len(ids) == len(set(ids))
    assert {span["name"]: span for span in found}["fit"].get("status", {}).get("code", 0) != 2


@pytest.mark.parametrize("way", ["os._exit", "sys.exit"])
def test_a_child_of_a_training_that_is_exporting(tmp_path: Path, server: OtlpServer, way: str) -> None:
    ended = train_both(
        tmp_path,
        "forks",
        way,
        "--slowness=0.1",
        OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
        OTEL_BSP_SCHEDULE_DELAY="100",
        OTEL_METRIC_EXPORT_INTERVAL="200",
    )
    assert ended.code == 0
    ids = [span.span_id for span in server.spans]
    assert len(ids) == len(set(ids))
    assert [span.name for span in server.spans].count("fit") == 1
