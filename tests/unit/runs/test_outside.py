"""Run directories from somebody else: nothing outside of them is read or written, nothing blocks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ocr_otel import semconv
from ocr_otel.cli.main import app
from ocr_otel.replay import ReplayError, telemetry_files
from ocr_otel.report import html
from ocr_otel.runs import RunError, load
from ocr_otel.runs.traces import traces
from tests.support import run_directory, synthetic_run
from tests.support.run_directory import complete, span
from tests.support.synthetic_run import Shape

SECRET = "a-name-of-the-other-run"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A run that the one who reads may read, and that is not meant."""
    return complete(tmp_path / "other", logged=SECRET)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory that came from somebody else."""
    return complete(tmp_path / "run")


@pytest.mark.parametrize("target", ["{other}/traces.jsonl", "../other/traces.jsonl"])
def test_traces_that_are_elsewhere_are_not_read_and_the_link_is_named(run: Path, other: Path, target: str) -> None:
    (run / "traces.jsonl").unlink()
    (run / "traces.jsonl").symlink_to(target.format(other=other))
    with pytest.raises(RunError, match=r"traces.jsonl is a link that leads out"):
        load(run)
    assert SECRET not in str([file.name for file in telemetry_files(run) if file.signal == "traces"])
    assert [file.signal for file in telemetry_files(run)] == ["metrics"]


@pytest.mark.parametrize("name", ["metrics.jsonl", "run.json"])
def test_other_files_that_are_elsewhere_count_as_missing(run: Path, other: Path, name: str) -> None:
    (other / "run.json").write_text(f'{{"format": 1, "run_id": "{SECRET}"}}')
    shutil.copy(other / "traces.jsonl", other / "metrics.jsonl")
    (run / name).unlink()
    (run / name).symlink_to(other / name)
    found = load(run)
    assert found.spans
    assert found.run_id == "run"
    assert found.damaged == []
    assert name not in [file.name for file in telemetry_files(run)]


def test_a_rank_that_is_elsewhere_is_not_read(run: Path, other: Path) -> None:
    (run / "rank-0").mkdir()
    for file in ("traces.jsonl", "metrics.jsonl", "run.json"):
        (run / file).rename(run / "rank-0" / file)
    (run / "rank-1").symlink_to(other)
    assert load(run).ranks == 1
    assert {file.name for file in telemetry_files(run)} == {"rank-0/traces.jsonl", "rank-0/metrics.jsonl"}
    shutil.rmtree(run / "rank-0")
    with pytest.raises(RunError, match="rank-1 is a link that leads out"):
        load(run)
    with pytest.raises(ReplayError):
        telemetry_files(run)


def test_a_run_directory_that_is_a_link_itself_is_what_the_user_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(run)
    assert load(tmp_path / "latest").spans == load(run).spans
    (run / "kept").mkdir()
    (run / "traces.jsonl").rename(run / "kept" / "traces.jsonl")
    (run / "traces.jsonl").symlink_to("kept/traces.jsonl")
    assert load(tmp_path / "latest").spans


@pytest.mark.parametrize("name", ["traces.jsonl", "metrics.jsonl", "run.json", ".replay.json"])
def test_a_pipe_that_nobody_writes_to_does_not_block(run: Path, name: str) -> None:
    (run / name).unlink(missing_ok=True)
    os.mkfifo(run / name)
    if name == "traces.jsonl":
        with pytest.raises(RunError, match="is not a run directory"):
            load(run)
    else:
        assert load(run).spans
    if name == ".replay.json":
        done = CliRunner().invoke(app, ["replay", str(run), "--endpoint", "http://127.0.0.1:9", "--timeout", "0.1"])
        assert done.exit_code != 0


NAMES: dict[str, Callable[[Path], str]] = {
    "absolute": lambda outside: str(outside),
    "upwards": lambda outside: f"../../{outside.parent.name}/{outside.name}",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_name_of_a_trace_on_a_span_leads_nowhere(
    run: Path, tmp_path: Path, name: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "1.profile.json").write_text("{}")
    (folder / "1.pt.trace.json.gz").write_text("")
    window = span(
        semconv.PROFILE, 900, 1, 2.0, 1.0, attributes={semconv.PROFILE_FILE: name(folder / "1.pt.trace.json.gz")}
    )
    with (run / "traces.jsonl").open("a") as file:
        file.write(run_directory.line([window]))
    opened: list[str] = []
    monkeypatch.setattr(Path, "read_text", _noting(opened))
    page = html.page(html.build(load(run)))
    assert not any("elsewhere" in path for path in opened)
    assert "The trace file is not here any more" in page


def _noting(opened: list[str]) -> Callable[..., str]:
    original = Path.read_text

    def read_text(path: Path, *args: str, **more: str) -> str:
        opened.append(str(path))
        return original(path, *args, **more)

    return read_text


def test_profiles_and_traces_that_are_elsewhere_are_not_read(tmp_path: Path) -> None:
    shape = Shape(epochs=1, batches=20, kept=4, slow=1, windows=1, machine="cpu")
    run = synthetic_run.make(tmp_path / "run", shape)
    assert len(traces(run)) == 1
    assert "window-line" in html.page(html.build(load(run)))
    (run / "profiles").rename(tmp_path / "profiles")
    (run / "profiles").symlink_to(tmp_path / "profiles")
    assert traces(run) == []
    page = html.page(html.build(load(run)))
    assert 'class="window-line"' not in page
    assert "The trace file is not here any more" in page


@pytest.mark.parametrize("command", ["report", "analyze"])
def test_a_page_is_never_written_through_a_link(run: Path, tmp_path: Path, command: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    if command == "report":
        page, arguments = run / "report.html", ["report", str(run)]
    else:
        trace = run / "trace.json"
        trace.write_text(
            '{"traceEvents": [{"ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 1, "tid": 1, "ts": 1, "dur": 5}]}'
        )
        page, arguments = run / "trace.html", ["analyze", str(trace), "--format=html"]
    page.symlink_to(precious)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert precious.read_text() == "precious"
    assert not page.is_symlink()
    assert page.stat().st_mode & 0o777 == 0o600
