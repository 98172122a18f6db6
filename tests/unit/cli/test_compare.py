"""Two runs compared as a user does it: what is said, in which form, and what when it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ocr_otel.cli.main import app
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape

HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31m|@all `x`"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    synthetic_run.make(folder / "before", Shape(epochs=2, batches=150, kept=150, machine="gpu"))
    synthetic_run.make(
        folder / "after", Shape(epochs=2, batches=150, kept=150, pace=1.5, seed=8, workers=4, machine="gpu")
    )
    synthetic_run.make(folder / "again", Shape(epochs=2, batches=150, kept=150, seed=9))
    synthetic_run.make(folder / "running", Shape(epochs=1, batches=150, kept=150, seed=9, outcome=""))
    synthetic_run.make(folder / "tiny", Shape(epochs=1, batches=20, kept=20))
    synthetic_run.make(folder / "nothing", Shape(epochs=0))
    return folder


def compare(runs: Path, *arguments: object) -> Result:
    result = CliRunner().invoke(app, ["compare", *(str(each) for each in arguments), "--runs-dir", str(runs)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def pairs(runs: Path, *arguments: object) -> list[dict[str, object]]:
    return json.loads(compare(runs, *arguments, "--format", "json").stdout)["pairs"]


def test_slower_run_is_said_with_the_phase_and_what_differs(runs: Path) -> None:
    (pair,) = pairs(runs, "before", "after")
    assert pair["change"] == "slower"
    first = pair["phases"][0]
    assert (first["phase"], first["changed"]) == ("forward", True)
    assert first["difference"] == pytest.approx(0.008, rel=0.1)
    assert [each["phase"] for each in pair["phases"] if each["changed"]] == ["forward"]
    differs = {each["name"]: (each["base"], each["other"]) for each in pair["differences"]}
    assert differs["dataloader.num_workers"] == ("2", "4")
    assert not any("run.id" in name for name in differs)
    text = compare(runs, "before", "after").stdout
    assert "A batch takes 11" in text
    assert "% longer" in text
    assert "300 batches compared" not in text
    assert "277 batches compared, all by their index; 23 kept ones left out as warm-up" in text


def test_same_training_again_is_no_change(runs: Path) -> None:
    (pair,) = pairs(runs, "before", "again")
    assert pair["change"] == "no change found"
    assert not any(each["changed"] for each in pair["batch_time"])
    assert "No change of the batch time found" in compare(runs, "before", "again").stdout


def test_several_runs_stand_beside_the_first_and_share_the_level(runs: Path) -> None:
    found = pairs(runs, "before", "after", "again")
    assert [(each["run_id"], each["change"]) for each in found] == [("after", "slower"), ("again", "no change found")]
    assert found[0]["batch_time"][0]["level"] == pytest.approx(0.05 / 2 * 0.8)


def test_change_that_is_asked_not_to_matter_is_none(runs: Path) -> None:
    assert pairs(runs, "before", "after", "--min-change", 0.3)[0]["change"] == "no change found"


@pytest.mark.parametrize(("other", "said"), [("tiny", "too few batches"), ("nothing", "too few batches")])
def test_run_with_too_few_batches_is_compared_in_what_it_has(runs: Path, other: str, said: str) -> None:
    (pair,) = pairs(runs, "before", other)
    assert pair["change"] == said
    assert pair["batch_time"] == []
    assert pair["quantities"]
    for form in ("text", "markdown"):
        assert "Too few batches to compare" in compare(runs, "before", other, "--format", form).stdout


def test_run_that_goes_on_is_compared_as_far_as_it_came(runs: Path) -> None:
    (pair,) = pairs(runs, "before", "running")
    assert pair["change"] == "no change found"
    assert any("running or killed" in note for note in pair["notes"])
    assert not [each for each in pair["differences"] if each["other"] == ""]


def test_cut_and_damaged_lines_are_left_out_and_said(runs: Path, tmp_path: Path) -> None:
    for name in ("traces.jsonl", "metrics.jsonl", "run.json"):
        (tmp_path / "cut").mkdir(exist_ok=True)
        (tmp_path / "cut" / name).write_bytes((runs / "again" / name).read_bytes())
    traces = tmp_path / "cut" / "traces.jsonl"
    traces.write_bytes(b"not json\n" + traces.read_bytes()[:-40])
    (pair,) = pairs(runs, "before", tmp_path / "cut")
    assert any("2 damaged lines left out" in note for note in pair["notes"])


def test_runs_of_different_batch_sizes_are_told_apart(runs: Path, tmp_path: Path) -> None:
    other = tmp_path / "large"
    other.mkdir()
    for name in ("traces.jsonl", "metrics.jsonl", "run.json"):
        text = (runs / "again" / name).read_text()
        (other / name).write_text(text.replace('"intValue":"4800"', '"intValue":"9600"'))
    (pair,) = pairs(runs, "before", other)
    assert any("16 and 32 samples: their times are of different work" in note for note in pair["notes"])


def test_hostile_names_steer_no_terminal_and_are_only_text(runs: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "hostile"
    synthetic_run.make(
        hostile, Shape(epochs=1, batches=60, kept=60, outcome="failed", exception=HOSTILE, logged=HOSTILE)
    )
    (hostile / "run.json").write_text(json.dumps({"format": 1, "run_id": HOSTILE}))
    shown = compare(runs, "before", hostile).stdout
    assert "\x1b[31m" not in shown
    assert "\ufffd[31m" in shown
    markdown = compare(runs, "before", hostile, "--format", "markdown").stdout
    assert "<img" not in markdown.replace("`" * 2 + " </script><img", "").split("```")[0].replace(HOSTILE[:37], "")
    page = tmp_path / "page.html"
    assert compare(runs, "before", hostile, "--format", "html", "--output", page).exit_code == 0
    assert "<img" not in page.read_text()


def test_page_lies_in_the_last_runs_directory_for_its_owner_alone(runs: Path) -> None:
    result = compare(runs, "before", "after", "--format", "html")
    assert result.stdout.strip() == str(runs / "after" / "comparison.html")
    assert (runs / "after" / "comparison.html").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_compared_is_said(runs: Path, tmp_path: Path) -> None:
    assert (alone := compare(runs, "before")).exit_code == 2
    assert "two runs at least" in alone.stderr
    assert "Runs in" in compare(runs, "before", "absent").stderr
    newer = tmp_path / "newer"
    synthetic_run.make(newer, Shape(epochs=0))
    (newer / "run.json").write_text(json.dumps({"format": 9}))
    assert "upgrade" in compare(runs, "before", newer).stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "traces.jsonl").write_text("")
    assert "is empty" in compare(runs, "before", empty).stderr
    lost = compare(runs, "before", "after", "--format", "html", "--output", tmp_path / "absent" / "x.html")
    assert "cannot be written" in lost.stderr
