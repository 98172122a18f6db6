"""What a training writes is for its owner alone, whatever the umask; what the user made keeps the user's modes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ocr_otel.cli.main import app
from tests.reliability.hard import end_deliveries
from tests.support.scripts import run_python

NOBODY = 65534
LOOKS = """
import json, os, stat, sys
from pathlib import Path
import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

runs = Path(sys.argv[1])


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        loss = self.layer(batch).mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Looks(pl.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if batch_idx == 15:
            modes = {str(path.relative_to(runs)): path.lstat().st_mode for path in runs.rglob("*")}
            Path(sys.argv[2]).write_text(json.dumps(modes))


trainer = pl.Trainer(accelerator="cpu", max_epochs=2, logger=False, enable_progress_bar=False,
                     enable_model_summary=False, enable_checkpointing=False, callbacks=[Looks()])
trainer.fit(Module(), DataLoader(torch.randn(160, 8), batch_size=8))
"""


@pytest.fixture(autouse=True)
def generous() -> Iterator[None]:
    """A umask that takes nothing away."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody may enter; what still tries to deliver from it is ended."""
    made = Path(tempfile.mkdtemp(prefix="ocr_otel-permissions-"))
    made.chmod(0o755)
    yield made
    end_deliveries(made)
    shutil.rmtree(made)


def trained(folder: Path, **environment: str) -> dict[str, int]:
    """Train; return the modes of what lay in the directory of runs while it trained."""
    (folder / "looks.py").write_text(LOOKS)
    enabled = {"OCR_OTEL_ENABLED": "true", "OCR_OTEL_RUNS_DIR": str(folder / "runs"), "OCR_OTEL_RUN_ID": "run"}
    enabled |= {"OCR_OTEL_PROFILE": "on-demand,start", "OCR_OTEL_FLUSH_TIMEOUT": "3"}
    done = run_python(["looks.py", folder / "runs", folder / "modes.json"], folder, **enabled | environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads((folder / "modes.json").read_text())
    return found


def modes(directory: Path) -> dict[str, int]:
    return {str(path.relative_to(directory)): path.lstat().st_mode for path in (directory, *directory.rglob("*"))}


def open_to_others(found: dict[str, int]) -> dict[str, str]:
    """Return what is not for its owner alone.

    PyTorch writes a trace with modes of its own; it is there for a moment, in a directory that nobody else may enter.
    """
    return {
        name: f"{stat.S_IMODE(mode):o}"
        for name, mode in found.items()
        if stat.S_IMODE(mode) != (0o700 if stat.S_ISDIR(mode) else 0o600) and not name.endswith(".tmp.json")
    }


def test_files_of_a_run_are_for_its_owner_alone(folder: Path) -> None:
    during = trained(folder)
    assert {"run/run.json", "run/traces.jsonl", "run/control.json"} <= set(during)
    assert any(name.startswith("run/.watchdog/") and name.endswith("/journal") for name in during)
    assert open_to_others(during) == {}
    run = folder / "runs" / "run"
    assert CliRunner().invoke(app, ["report", str(run)]).exit_code == 0
    after = modes(folder / "runs")
    assert {"run/metrics.jsonl", "run/report.html"} <= set(after)
    assert {Path(name).suffix for name in after if name.startswith("run/profiles/")} == {".gz", ".json"}
    assert open_to_others(after) == {}


def test_what_waits_for_an_endpoint_is_for_its_owner_alone(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        during = trained(folder, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")
    assert any(name.startswith("run/spool/") for name in during)
    assert open_to_others(during) == {}
    after = modes(folder / "runs")
    assert any(name.startswith("run/spool/") for name in after)
    assert open_to_others(after) == {}


def test_a_directory_that_the_user_made_keeps_its_mode(folder: Path) -> None:
    (folder / "runs").mkdir(mode=0o755)
    trained(folder)
    assert stat.S_IMODE((folder / "runs").stat().st_mode) == 0o755
    assert open_to_others(modes(folder / "runs" / "run")) == {}


def test_another_user_of_the_host_reads_nothing(folder: Path) -> None:
    if os.geteuid() != 0:
        assert os.environ.get("CI") is None, "CI runs as root"
        pytest.skip("becoming another user needs root")
    (folder / "runs").mkdir(mode=0o755)
    trained(folder)
    (folder / "open.txt").write_text("for all")
    code = "import sys; print(open(sys.argv[1]).read(7))"
    for path, allowed in ((folder / "open.txt", True), (folder / "runs" / "run" / "traces.jsonl", False)):
        # Another interpreter: the environment's own may lie where only its user may enter.
        done = subprocess.run(
            [shutil.which("python3", path="/usr/bin:/bin") or sys.executable, "-I", "-c", code, path],
            user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) is allowed, done.stderr
        assert allowed or "PermissionError" in done.stderr


def test_a_link_in_the_place_of_a_file_is_not_written_through(folder: Path) -> None:
    precious = folder / "precious"
    precious.write_text("precious")
    run = folder / "runs" / "run"
    run.mkdir(parents=True)
    for name in ("traces.jsonl", "metrics.jsonl", "run.json", "control.json"):
        (run / name).symlink_to(precious)
    trained(folder)
    assert precious.read_text() == "precious"
