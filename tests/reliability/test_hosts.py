"""Where trainings run: in a thread, a notebook, a test-suite in parallel, under coverage, inside another training."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.reliability.hard import SCRIPT, check_said_once, check_same, end, environment, start, train_both
from tests.reliability.test_limits import spans

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("circumstance", ["in-thread", "nested", "user-timeouts"])
def test_a_training_within_something_else(tmp_path: Path, circumstance: str) -> None:
    ended = train_both(tmp_path, circumstance)
    assert ended.code == (1 if circumstance == "user-timeouts" else 0)
    # The inner one is a part of the outer one's step.
    assert [span["name"] for span in spans(tmp_path)].count("fit") == 1


def test_a_training_under_coverage(tmp_path: Path) -> None:
    def measured(on: bool) -> object:
        folder = tmp_path / ("with" if on else "without")
        command = [
            "-m",
            "coverage",
            "run",
            f"--data-file={folder / 'data'}",
            SCRIPT,
            "none",
            f"--root={folder / 'root'}",
        ]
        return start(command, folder, on)

    without, with_ours = measured(False), measured(True)
    assert check_same(end(without), end(with_ours)).code == 0  # type: ignore[arg-type]
    assert [span["name"] for span in spans(tmp_path)].count("fit") == 1


NOTEBOOK = """
import sys
sys.path.insert(0, {folder!r})
sys.argv = ["user_training", "none", "--root", {root!r}]
import user_training
user_training.main()
"""


def test_a_training_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {}
    for on in (False, True):
        folder = tmp_path / ("with" if on else "without")
        folder.mkdir()
        code = NOTEBOOK.format(folder=str(FOLDER), root=str(folder / "root"))
        # Twice in one kernel, as a user runs a cell again.
        cells = [nbformat.v4.new_code_cell(each) for each in (code, "user_training.main()")]
        notebook = nbformat.v4.new_notebook(cells=cells)
        client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": folder}})
        client.execute(env=environment(folder, on))
        outputs = [output for cell in notebook.cells for output in cell.outputs]
        said[on] = "".join(each.text for each in outputs if each.output_type == "stream" and each.name == "stdout")
        assert not [each for each in outputs if each.output_type == "error"]
    losses = re.compile(r"^(?:loss|validation) .*$", re.MULTILINE)
    assert losses.findall(said[True]) == losses.findall(said[False]) != []
    # The kernel ends by a signal or by its own command: both trainings are there already.
    assert [span["name"] for span in spans(tmp_path)].count("fit") == 2


SUITE = """
import sys
import pytest
sys.path.insert(0, {folder!r})
from torch.utils.data import DataLoader
from user_training import Images, Module, trainer


@pytest.mark.parametrize("number", range(6))
def test_training(number, tmp_path, capfd):
    module = Module()
    one = trainer(max_epochs=1, default_root_dir=tmp_path)
    one.fit(module, DataLoader(Images(24), batch_size=8))
    assert module.steps == 3


def test_a_training_that_fails(tmp_path):
    class Failing(Module):
        def training_step(self, batch, batch_idx):
            raise RuntimeError("planted failure")

    with pytest.raises(RuntimeError, match="planted failure"):
        trainer(max_epochs=1, default_root_dir=tmp_path).fit(Failing(), DataLoader(Images(24), batch_size=8))
"""


@pytest.mark.parametrize("run_id", ["", "run"])
def test_a_users_test_suite_in_two_processes(tmp_path: Path, run_id: str) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE.format(folder=str(FOLDER)))
    command = ["-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", tmp_path / "test_suite.py"]
    ended = end(start(command, tmp_path / "with", OCR_OTEL_RUN_ID=run_id))
    assert ended.code == 0, ended.out
    assert "7 passed" in ended.out
    check_said_once(ended)
    found = [json.loads(line) for path in (tmp_path / "with" / "runs").rglob("traces.jsonl") for line in path.open()]
    names = [
        span["name"] for line in found for part in line["resourceSpans"] for scope in part["scopeSpans"]
        for span in scope["spans"]
    ]  # fmt: skip
    assert names.count("fit") == 7
