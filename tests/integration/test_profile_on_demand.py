"""`ocr-otel profile` and `SIGUSR2`, on real trainings that run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.profiling.control import card as cards
from ocr_otel.profiling.control import client
from ocr_otel.profiling.control.card import Card
from ocr_otel.profiling.requests import Request, State
from ocr_otel.runs import RunReader
from ocr_otel.runs.model import SpanRecord

SCRIPT = Path(__file__).parents[1] / "support" / "on_demand_script.py"
WARMUP = 1
LONGEST = 120


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("OCR_OTEL", "OTEL_"))}


def command(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `ocr-otel profile` as a user does."""
    code = "from ocr_otel.cli.main import app; app()"
    return subprocess.run(
        [sys.executable, "-c", code, "profile", *map(str, arguments), "--runs-dir", str(folder / "runs")],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )


@contextmanager
def training(
    folder: Path, batches: int, step_seconds: float, ranks: int = 1, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a training that listens, until it is no longer needed."""
    enabled = {
        "OCR_OTEL_ENABLED": "true",
        "OCR_OTEL_RUNS_DIR": str(folder / "runs"),
        "OCR_OTEL_RUN_ID": "run",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    arguments = [f"--batches={batches}", f"--step-seconds={step_seconds}", f"--devices={ranks}"]
    process = subprocess.Popen(
        [sys.executable, SCRIPT, *arguments],
        cwd=folder,
        env=clean_environment() | enabled | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def listening(directory: Path, steps: int = 10) -> Card:
    """Wait until a training listens and has done some batches."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        card = cards.read(directory)
        if card is not None and client.standing(Path(card.socket)).steps >= steps:
            return card
        time.sleep(0.05)
    raise AssertionError(f"nothing listens in {directory}")


def windows(directory: Path, number: int) -> list[SpanRecord]:
    """Wait until so many windows of a rank are exported, and a little longer for one too many, and return all."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        time.sleep(0.5)
        if len(RunReader(directory).read().windows) >= number:
            break
    time.sleep(0.5)
    return [window.span for window in RunReader(directory).read().windows]


@pytest.mark.parametrize(("step_seconds", "batches"), [(0.005, 20_000), (1.0, 200)])
def test_window_opens_within_two_batches_and_its_verdict_is_printed(
    tmp_path: Path, step_seconds: float, batches: int
) -> None:
    directory = tmp_path / "runs" / "run"
    with training(tmp_path, batches, step_seconds):
        card = listening(directory, steps=2)
        with client.ask(Path(card.socket), Request(batches=2)) as call:
            assert call.answer().progress.state is State.WAITING  # type: ignore[union-attr]
            steps = client.standing(Path(card.socket)).steps
            told = [progress for _, progress in client.follow({0: call}, LONGEST)]
        assert told[-1].state is State.DONE, told[-1]
        (first,) = windows(directory, 1)
        # Batches count from 0, and the window warms up for one before it records.
        assert first.attributes[semconv.PROFILE_FIRST_BATCH] - WARMUP <= steps + 2
        done = command(tmp_path, "run", "--batches", 2)
    assert done.returncode == 0, done.stderr
    assert re.search(r"rank 0: the window is open, batch 1 of 2\n", done.stderr)
    trace = re.search(r"Trace of 2 batches: (\S+)\n", done.stdout)
    assert trace is not None, done.stdout
    assert Path(trace[1]).stat().st_size > 0
    assert Path(trace[1]).parent == directory / "profiles"
    assert done.stdout.startswith("Bottleneck: ")


def test_asked_ten_times_at_once_it_opens_one_window(tmp_path: Path) -> None:
    directory = tmp_path / "runs" / "run"
    with training(tmp_path, 20_000, 0.1):
        socket = Path(listening(directory, steps=2).socket)

        def asked(number: int) -> State:
            with client.ask(socket, Request()) as call:
                return [progress.state for _, progress in client.follow({0: call}, LONGEST)][-1]

        with ThreadPoolExecutor(10) as ten:
            assert list(ten.map(asked, range(10))) == [State.DONE] * 10
        (window,) = windows(directory, 1)
    assert window.attributes[semconv.PROFILE_MODE] == "on-demand"


def test_all_ranks_open_at_the_same_step(tmp_path: Path) -> None:
    parts = [tmp_path / "runs" / "run" / f"rank-{rank}" for rank in (0, 1)]
    with training(tmp_path, 20_000, 0.02, ranks=2):
        for part in parts:
            listening(part)
        done = command(tmp_path, "run", "--rank", "all")
        assert done.returncode == 0, done.stdout + done.stderr
        firsts = [windows(part, 1)[0].attributes[semconv.PROFILE_FIRST_BATCH] for part in parts]
    step = re.search(r"rank 1: waiting for step (\d+)", done.stderr)
    assert step is not None
    assert firsts == [int(step[1]) + WARMUP] * 2
    assert done.stdout.startswith("Rank 0: ")
    assert "\nRank 1: " in done.stdout


def test_signal_opens_a_window(tmp_path: Path) -> None:
    directory = tmp_path / "runs" / "run"
    with training(tmp_path, 20_000, 0.01) as process:
        listening(directory)
        process.send_signal(signal.SIGUSR2)
        (window,) = windows(directory, 1)
    assert window.attributes[semconv.PROFILE_MODE] == "on-demand"


def test_setting_without_on_demand_is_named(tmp_path: Path) -> None:
    with training(tmp_path, 20_000, 0.01, OCR_OTEL_PROFILE="anomaly"):
        listening(tmp_path / "runs" / "run")
        done = command(tmp_path, "run")
    assert done.returncode == 1
    assert "OCR_OTEL_PROFILE of this training is without on-demand" in done.stderr


def test_training_leaves_nothing_to_ask_and_a_finished_run_says_so(tmp_path: Path) -> None:
    directory = tmp_path / "runs" / "run"
    with training(tmp_path, 300, 0.01) as process:
        card = listening(directory)
        said, _ = process.communicate(timeout=LONGEST)
    assert "trained 300" in said
    assert "ocr_otel failed" not in said
    assert not (directory / cards.CARD).exists()
    assert not Path(card.socket).exists()
    done = command(tmp_path, "run")
    assert done.returncode == 1
    assert re.search(r"run run is over: its fit ended at .* \(completed\)\. It left no trace of a window", done.stderr)
