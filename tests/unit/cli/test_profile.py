"""What `ocr-otel profile` says: of a window, and in one sentence why there is none."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from typer.testing import CliRunner

from ocr_otel import semconv
from ocr_otel.cli.main import app
from ocr_otel.profiling.control import card as cards
from ocr_otel.profiling.control import places
from tests.support.listening import Listening, listening

TRACE = "/runs/x/profiles/0-001.pt.trace.json.gz"


@pytest.fixture
def sockets_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A short path in the place of `/tmp` and of TMPDIR."""
    with tempfile.TemporaryDirectory(prefix="ocr") as folder:
        monkeypatch.setattr(places, "SYSTEM_TEMPORARY", Path(folder))
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def command(runs: Path, *arguments: object, status: int) -> str:
    result = CliRunner().invoke(app, ["profile", *map(str, arguments), "--runs-dir", str(runs)])
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def recorded(runs: Path, name: str, root: bool = True) -> Path:
    """Write a run directory with a `fit`, that is over or not."""
    directory = runs / name
    directory.mkdir(exist_ok=True)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(directory / "traces.jsonl")))
    tracer = provider.get_tracer("test")
    fit = tracer.start_span("fit", attributes={semconv.OUTCOME: "completed"})
    from opentelemetry import trace

    tracer.start_span("fit.start", context=trace.set_span_in_context(fit)).end()
    if root:
        fit.end()
    provider.shutdown()
    return directory


def edit_card(directory: Path, change: Callable[[dict[str, object]], None]) -> None:
    card = json.loads((directory / cards.CARD).read_text())
    change(card)
    (directory / cards.CARD).write_text(json.dumps(card))


def errors(output: str) -> str:
    (line,) = [line for line in output.splitlines() if line.startswith("ocr-otel:")]
    return line


def test_verdict_with_its_evidence_and_the_trace_are_printed(sockets_at: Path, runs: Path) -> None:
    directory = recorded(runs, "one", root=False)
    with listening("one", "--places", sockets_at, "--directory", directory) as training:
        output = command(runs, "one", "--batches", 2, status=0)
        by_path = command(runs, directory, status=0)
        newest = command(runs, status=0)
        said = training.stop()
    assert output.splitlines()[-7:] == [
        "Bottleneck: data, 62% of the time, without it at most 2.6 times as fast, confidence high",
        "  The training waited for data 62% of the time.",
        "  - waiting: 41 ms a batch (fetch)",
        "  - workers: 2 (training.config.num_workers)",
        "  Try: workers 2 → 6",
        f"  Trace of 2 batches: {TRACE}",
        f"  Open it in https://ui.perfetto.dev, or read it with: ocr-otel analyze {TRACE}",
    ]
    shown = [line for line in output.splitlines() if line.startswith("rank 0: ")]
    assert shown == [
        "rank 0: waiting for the batch that runs",
        "rank 0: the window is open, batch 1 of 2",
        "rank 0: analysing 2 batches",
    ]
    assert "Trace of 3 batches" in by_path
    assert "Run one" in newest
    assert len([line for line in said if line.startswith("opened")]) == 3


def test_run_without_a_directory_is_found_by_its_id_and_the_newest_is_meant_without_one(
    sockets_at: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCR_OTEL_RUNS_DIR", str(runs))
    with listening("first", "--places", sockets_at):
        time.sleep(0.05)
        with listening("second", "--places", sockets_at):
            assert "Run first" in command(runs, "first", status=0)
            result = CliRunner().invoke(app, ["profile"])
            assert result.exit_code == 0, result.output
            assert "Run second" in result.output
            # With a directory named, runs elsewhere are not meant.
            assert "no training that takes requests runs here" in command(runs, status=1)


def test_all_ranks_open_at_the_same_step(sockets_at: Path, runs: Path) -> None:
    parts = [runs / "two" / f"rank-{rank}" for rank in (0, 1)]
    for part in parts:
        part.mkdir(parents=True)
    common = ("two", "--places", sockets_at, "--world-size", 2, "--seconds", 0.01)
    with (
        listening(*common, "--rank", 0, "--directory", parts[0]) as zero,
        listening(*common, "--rank", 1, "--directory", parts[1]) as one,
    ):
        output = command(runs, "two", "--rank", "all", status=0)
        alone = command(runs, "two", "--rank", 1, status=0)
        zero.stop(), one.stop()
    assert "Rank 0: Bottleneck: data" in output
    assert "Rank 1: Bottleneck: data" in output
    step = int(re.search(r"rank 1: waiting for step (\d+)", output).group(1))  # type: ignore[union-attr]
    assert zero.opened() == [step]
    assert one.opened()[0] == step
    assert len(one.opened()) == 2
    assert "Rank" not in alone


def test_ranks_elsewhere_are_named_with_what_to_do(sockets_at: Path, runs: Path) -> None:
    parts = [runs / "four" / f"rank-{rank}" for rank in (0, 2)]
    for part in parts:
        part.mkdir(parents=True)
    common = ("four", "--places", sockets_at, "--world-size", 4)
    with listening(*common, "--directory", parts[0]), listening(*common, "--rank", 2, "--directory", parts[1]) as away:

        def move(card: dict[str, object]) -> None:
            card["machine"] = {"host": "n42", "boot": "another", "pids": "pid:[1]"}

        edit_card(parts[1], move)
        output = command(runs, "four", "--rank", "all", status=0)
        assert re.search(
            r"Not on this host: rank 1, 2 \(n42\), 3\. To open all windows at the same step, call it on each host with "
            r"the same step: ocr-otel profile four --rank all --at-step \d+",
            output,
        )
        assert errors(command(runs, "four", "--rank", 2, status=1)) == (
            "ocr-otel: rank 2 of run four runs on n42: call the command there"
        )
        assert "takes no requests on this host; those that do: 0" in command(runs, "four", "--rank", 1, status=1)
        assert "--rank 4 is not allowed: run four has the ranks 0 to 3" in command(runs, "four", "--rank", 4, status=2)
        edit_card(parts[0], move)
        output = command(runs, "four", status=1)
        assert re.fullmatch(r"ocr-otel: run four runs on n42, and this is \S+: call the command there", output.strip())
        assert away.opened() == []


def test_step_that_is_named_is_waited_for(sockets_at: Path, runs: Path) -> None:
    with listening("named", "--places", sockets_at) as training:
        assert "waiting for step 400" in command(runs, "named", "--at-step", 400, "--timeout", 1, status=0)
        training.stop()
    assert training.opened() == [400]


def test_unknown_run_names_those_that_are_there(sockets_at: Path, runs: Path) -> None:
    recorded(runs, "old")
    with listening("running", "--places", sockets_at):
        output = errors(command(runs, "runing", status=1))
    assert output == (
        f"ocr-otel: there is no run 'runing': it is neither a directory, nor in {runs}, nor does it run here. "
        f"Running here: running. In {runs}: old."
    )
    nowhere = command(runs / "no", "x", status=1)
    assert "Running here: none." in nowhere


def test_finished_run_says_when_and_how_it_ended(sockets_at: Path, runs: Path) -> None:
    directory = recorded(runs, "done")
    output = errors(command(runs, "done", status=1))
    assert re.fullmatch(
        r"ocr-otel: run done is over: its fit ended at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(completed\)\. "
        r"It left no trace of a window\.",
        output,
    )
    (directory / "profiles").mkdir()
    (directory / "profiles" / "0-001-on-demand.pt.trace.json.gz").touch()
    assert f"The traces of its windows are read by: ocr-otel analyze {directory}" in command(runs, "done", status=1)


def test_killed_run_is_said_to_be_one(sockets_at: Path, runs: Path) -> None:
    directory = recorded(runs, "killed", root=False)
    training = Listening("killed", "--places", sockets_at, "--directory", directory)
    training.kill()
    output = errors(command(runs, "killed", status=1))
    assert f"run killed runs no more: its process {training.process.pid} on" in output
    assert "was killed or ended without a word" in output


def test_run_that_takes_no_requests_names_the_setting(sockets_at: Path, runs: Path) -> None:
    recorded(runs, "off", root=False)
    assert errors(command(runs, "off", status=1)).startswith(
        "ocr-otel: run off takes no requests: it was killed, or OCR_OTEL_PROFILE of its training is without on-demand."
    )


def test_directory_that_is_no_run_is_said_to_be_none(sockets_at: Path, runs: Path) -> None:
    (runs / "empty").mkdir()
    assert "is not a run directory" in errors(command(runs, "empty", status=1))


def test_refusal_is_the_trainings_own(sockets_at: Path, runs: Path) -> None:
    with listening("busy", "--places", sockets_at, "--refuse"):
        assert errors(command(runs, "busy", status=1)) == (
            "ocr-otel: the training refuses: another profiler of PyTorch is active in this training; ours stands back."
        )


def test_hanging_training_and_a_slow_batch_are_told_apart(sockets_at: Path, runs: Path) -> None:
    with listening("hangs", "--places", sockets_at, "--hang"):
        output = errors(command(runs, "hangs", "--timeout", 0.3, status=1))
    assert output == (
        "ocr-otel: the training has told nothing new for 0.3 s. It is still at step 0: it hangs in a batch, or does "
        "something between two, such as a checkpoint. The window opens when it goes on."
    )
    with listening("slow", "--places", sockets_at, "--seconds", 2) as slow:
        output = errors(command(runs, "slow", "--timeout", 0.3, status=1))
        slow.kill()
    assert "A batch takes 2.0 s: give it more with --timeout." in output


def test_training_that_ends_meanwhile(sockets_at: Path, runs: Path) -> None:
    with listening("ends", "--places", sockets_at, "--hang") as training:
        asked = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, sockets_at, "ends"], stderr=subprocess.PIPE, text=True
        )
        assert asked.stderr is not None
        assert asked.stderr.readline() == "Run ends\n"
        assert asked.stderr.readline() == "rank 0: waiting for the batch that runs\n"
        training.stop()
        assert asked.stderr.read() == (
            "ocr-otel: the training has no window to show: the training ended before the window was done.\n"
        )
        assert asked.wait(10) == 1


def test_interrupted_command_leaves_the_training_alone(sockets_at: Path, runs: Path) -> None:
    with listening("goes-on", "--places", sockets_at, "--seconds", 0.4) as training:
        asked = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, sockets_at, "goes-on"], stderr=subprocess.PIPE, text=True
        )
        assert asked.stderr is not None
        assert asked.stderr.readline() == "Run goes-on\n"
        assert asked.stderr.readline() == "rank 0: waiting for the batch that runs\n"
        asked.send_signal(signal.SIGINT)
        said = asked.stderr.read()
        assert asked.wait(10) == 130
        assert said.strip().startswith("ocr-otel: interrupted. The training is not touched")
        assert "Traceback" not in said
        training.stop()
    assert training.process.returncode == 0
    assert len(training.opened()) == 1


_COMMAND = (
    # Where the tests run as a shell's background job, Ctrl-C is ignored by all that they start.
    "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from pathlib import Path\nfrom ocr_otel.cli.main import app\n"
    "from ocr_otel.profiling.control import places\n"
    "places.SYSTEM_TEMPORARY = Path(sys.argv[1])\napp(['profile', *sys.argv[2:]])"
)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--batches", "0"], "Invalid value for '--batches'"),
        (["--batches", "101"], "Invalid value for '--batches'"),
        (["--batches", "few"], "Invalid value for '--batches'"),
        (["--at-step", "-1"], "Invalid value for '--at-step'"),
        (["--rank", "first"], "--rank 'first' is not allowed: the number of a rank, from 0 on, or all"),
        (["--rank", "-1"], "--rank '-1' is not allowed"),
        (["--rank", "1"], "--rank 1 is not allowed: run usage has only rank 0"),
    ],
)
def test_wrong_use_is_said(sockets_at: Path, runs: Path, arguments: list[str], said: str) -> None:
    with listening("usage", "--places", sockets_at) as training:
        assert said in " ".join(command(runs, "usage", *arguments, status=2).split())
        training.stop()
    assert training.opened() == []


def test_steps_are_counted_in_fit_alone(sockets_at: Path, runs: Path) -> None:
    with listening("testing", "--places", sockets_at, "--entry", "test"):
        assert "run testing is in `test`, which has no training batches to count" in command(
            runs, "testing", "--at-step", 5, status=1
        )
        assert "Bottleneck: data" in command(runs, "testing", status=0)


def test_other_version_of_the_protocol(sockets_at: Path, runs: Path) -> None:
    directory = recorded(runs, "older", root=False)
    with listening("older", "--places", sockets_at, "--directory", directory, "--protocol", 0):
        assert "run older speaks version 0 of the protocol (ocr_otel " in errors(command(runs, "older", status=1))
    with listening("newer", "--places", sockets_at, "--protocol", 2) as training:
        output = errors(command(runs, "newer", status=1))
        assert f"The training with process {training.process.pid} does not tell which run it is" in output
        assert "version 2" in output


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_run_of_another_user_names_them(sockets_at: Path) -> None:
    sockets_at.chmod(0o755)
    runs = sockets_at / "runs"
    runs.mkdir()
    directory = recorded(runs, "theirs", root=False)
    # What is needed is imported first: the interpreter's own files may be closed to that user.
    code = (
        "import os, sys, pathlib, ocr_otel.cli.main, ocr_otel.runs, ocr_otel.settings\n"
        "import ocr_otel.profiling.control.finding\nos.setgid(65534); os.setuid(65534)\n" + _COMMAND
    )

    def as_nobody(run: object) -> str:
        arguments = [sys.executable, "-c", code, "/nowhere", str(run), "--runs-dir", str(runs)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 1, done.stderr
        return done.stderr.strip()

    card = directory / "control.json"
    with listening("theirs", "--places", sockets_at, "--directory", directory):
        assert card.stat().st_mode & 0o777 == 0o600
        assert as_nobody("theirs") == f"ocr-otel: {card} may not be read: it belongs to the user root"
        card.chmod(0o644)
        assert as_nobody("theirs") == "ocr-otel: run theirs belongs to the user root: only they, or root, may ask it"
        directory.chmod(0o700)
        assert as_nobody(directory) == f"ocr-otel: {card} may not be read: it belongs to the user root"


def test_directory_of_sockets_that_is_not_safe_is_named(sockets_at: Path, runs: Path, tmp_path: Path) -> None:
    (sockets_at / f"ocr_otel-{os.geteuid()}").symlink_to(tmp_path)
    assert "is not used: it is a link or a file, and not a directory." in errors(command(runs, "x", status=1))


def test_socket_that_is_out_of_sight_is_explained(sockets_at: Path, runs: Path) -> None:
    directory = recorded(runs, "private", root=False)
    with listening("private", "--places", sockets_at, "--directory", directory):
        edit_card(directory, lambda card: card.update(socket="/nowhere/1-1.sock"))
        assert "its socket /nowhere/1-1.sock cannot be seen: the training has a /tmp of its own" in errors(
            command(runs, "private", status=1)
        )
