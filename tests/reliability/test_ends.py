"""Ways in which a training ends: its exit code, its output and the handlers of signals are the user's own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.reliability.hard import train_both
from tests.reliability.test_limits import spans


def fit_of(folder: Path) -> dict[str, str]:
    """Return the attributes of the root span."""
    root = next(span for span in spans(folder) if span["name"] == "fit")
    return {each["key"]: next(iter(each["value"].values())) for each in root["attributes"]}


@pytest.mark.parametrize(
    ("way", "code", "outcome"),
    [
        ("sys.exit", 3, "interrupted"),
        ("exception", 1, "failed"),
        ("recursion", 1, "failed"),
        ("SIGINT", None, "interrupted"),
        ("SIGTERM", None, None),
    ],
)
def test_an_end_in_the_middle(tmp_path: Path, way: str, code: int | None, outcome: str | None) -> None:
    ended = train_both(tmp_path, "ends", way)
    assert code is None or ended.code == code
    found = fit_of(tmp_path)
    assert outcome is None or found["training.outcome"] == outcome
    assert found["training.outcome"] != "completed"


@pytest.mark.parametrize(("way", "code"), [("os._exit", 3), ("SIGKILL", -signal.SIGKILL), ("SIGABRT", -signal.SIGABRT)])
def test_an_end_that_nobody_is_told_of(tmp_path: Path, way: str, code: int) -> None:
    assert train_both(tmp_path, "ends", way).code == code


def test_sigterm_after_the_training(tmp_path: Path) -> None:
    assert train_both(tmp_path, "killed-afterwards").code == -signal.SIGTERM
    assert fit_of(tmp_path)["training.outcome"] == "completed"


def test_the_users_handlers_stay_in_force(tmp_path: Path) -> None:
    ended = train_both(tmp_path, "own-handlers")
    assert ended.code == 0
    for name in ("SIGUSR1", "SIGUSR2", "SIGINT", "SIGHUP", "SIGALRM", "SIGWINCH"):
        assert f"handled {name}" in ended.out


def test_slurm_requeues_the_training(tmp_path: Path) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "scontrol").write_text('#!/bin/sh\necho "scontrol $@"\n')
    (commands / "scontrol").chmod(0o755)
    ended = train_both(
        tmp_path,
        "requeued",
        PATH=f"{commands}:/usr/bin:/bin",
        SLURM_JOB_ID="42",
        SLURM_JOB_NAME="train",
        SLURM_NTASKS="1",
        SLURM_NTASKS_PER_NODE="1",
        SLURM_NNODES="1",
        SLURM_NODELIST="localhost",
        SLURM_PROCID="0",
        SLURM_LOCALID="0",
        SLURM_NODEID="0",
    )
    assert ended.code == 0
    assert "scontrol requeue 42" in ended.out


def test_daemon_threads_that_outlive_the_interpreter(tmp_path: Path) -> None:
    assert train_both(tmp_path, "daemon-threads").code == 0
