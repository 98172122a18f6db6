"""What the dashboards are shown: a training that goes on, one that failed, and recorded trouble."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dashboards.build import servers as server_metrics
from ocr_otel import semconv
from ocr_otel.semconv import Name
from tests.stack.dashboards import recorded
from tests.stack.dashboards.asking import Servers, until
from tests.stack.dashboards.recorded import LONG_AGO, Recorded, growing, steady

SERVICE: Final = "dashboards"
GOES_ON: Final = "dashboards-goes-on"
FAILED: Final = "dashboards-failed"
TROUBLED: Final = "dashboards-troubled"
SILENT: Final = "dashboards-silent"
PATIENCE_SECONDS: Final = 150
"""How long data may take from the training, and hosts' metrics to be there twice, before it counts as missing."""
TRAINING_SECONDS: Final = 100
SCRIPT: Final = Path(__file__).parent / "training.py"


@dataclass(frozen=True, slots=True)
class Scene:
    """Where to ask, and until when to wait for an answer.

    Attributes:
        servers: Prometheus and Jaeger, filled.
        host: Name of the host that trains.
        deadline: On the monotonic clock.
    """

    servers: Servers
    host: str
    deadline: float

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the dashboards, as Grafana fills them in; several values come as a regular expression."""
        return {
            "service": SERVICE,
            "run": GOES_ON,
            "host": self.host,
            "rank": ".*",
            "server": ".*",
            "jaeger": self.servers.jaeger,
        }


@contextmanager
def played(servers: Servers, environment: Mapping[str, str], folder: Path) -> Iterator[Scene]:
    """Fill the servers, and keep a training going meanwhile.

    Args:
        servers: Where the data arrives.
        environment: What sends a training there.
        folder: Where trainings may write.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    going = _training(GOES_ON, folder, environment)
    try:
        failed = _training(FAILED, folder, environment, "failing")
        assert failed.wait(TRAINING_SECONDS) == 1, (folder / FAILED / "log").read_text()
        host = until(deadline, lambda: servers.label_values(f"label_values({_ACTIVE}{{{_OF_IT}}}, host_name)"))
        assert host, (folder / GOES_ON / "log").read_text()
        _record(f"{servers.prometheus}/api/v1/otlp/v1/metrics", host[0])
        yield Scene(servers, host[0], deadline)
        assert going.poll() is None, (folder / GOES_ON / "log").read_text()
    finally:
        (folder / GOES_ON / "stop").touch()
        try:
            going.wait(TRAINING_SECONDS)
        finally:
            going.kill()


_ACTIVE: Final = semconv.prometheus_name(semconv.METRICS[semconv.METRIC_RUN_ACTIVE])
_OF_IT: Final = f'training_run_id="{GOES_ON}"'


def _training(run: str, folder: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    (folder / run).mkdir()
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OCR_OTEL_", "OTEL_"))}
    own = {
        "OCR_OTEL_ENABLED": "true",
        "OCR_OTEL_RUN_ID": run,
        "OTEL_SERVICE_NAME": SERVICE,
        # Dashboards expect four exports in a window; the test does not wait four minutes for them.
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OCR_OTEL_PROFILE_EVERY": "20",
    }
    with (folder / run / "log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, SCRIPT, folder / run, *arguments],
            cwd=folder / run,
            env={**inherited, **environment, **own},
            stdout=log,
            stderr=log,
        )


def _record(endpoint: str, host: str) -> None:
    def of_run(run: str, rank: str = "0") -> dict[str, str]:
        return {"service.name": SERVICE, "training.run.id": run, "training.rank": rank, "host.name": host}

    now = time.time()
    stalled = [
        steady(semconv.METRIC_RUN_ACTIVE, 1),
        steady(semconv.METRIC_LAST_BATCH, now - 400),
        growing(semconv.METRIC_SPANS_DROPPED, 3, cause="queue full"),
        growing(semconv.METRIC_ERRORS, 1, cause="summary"),
    ]
    recorded.write(endpoint, of_run(GOES_ON), recorded.gpu("0") + recorded.gpu("1"))
    # As of another rank: the training on this machine reads its own processes and disks itself.
    recorded.write(endpoint, of_run(GOES_ON, rank="1"), recorded.machine())
    recorded.write(endpoint, of_run(TROUBLED), stalled)
    recorded.write(endpoint, of_run(SILENT), [steady(semconv.METRIC_RUN_ACTIVE, 1, LONG_AGO)])
    # A server that is down, and has lost what it was sent: the real ones have not.
    down = Recorded(Name(server_metrics.UP, "gauge", "", "", ""), (0.0,) * 4, {"server": "recorded"})
    lost = [recorded.server_counter(name) for name in server_metrics.LOSSES]
    recorded.write(endpoint, {"service.name": "stack", "service.instance.id": "recorded"}, [down, *lost])
