"""What a baseline file may hold, and what is said of one that holds something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocr_otel.baseline.file import Baseline, BaselineError, Limit, read, saved, written


def file(folder: Path, content: object) -> Path:
    path = folder / "baseline.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    limits = {
        "batch.mean": Limit(0.4362, 0.1),
        "batch.p95_to_mean": Limit(most=1.4),
        "validation.duration": Limit(16.29, 0.1, most=300.0),
        "throughput.samples": Limit(least=50.0, required=False),
    }
    assert read(file(tmp_path, written("run", limits))) == Baseline("run", limits)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ([], 'an object with "format" and "measures"'),
        ({"measures": {}}, "has format None, and this version of ocr_otel reads 1"),
        ({"format": 2, "measures": {}}, "has format 2"),
        ({"format": 1, "measures": {}}, "one measure at least: batch.mean"),
        ({"format": 1, "measures": {"batch.men": {}}}, "no measure 'batch.men': did you mean 'batch.mean'?"),
        ({"format": 1, "measures": {"x": {}}}, "no measure 'x': there are batch.mean"),
        ({"format": 1, "measures": {"batch.mean": 3}}, "must be an object"),
        ({"format": 1, "measures": {"batch.mean": {}}}, 'needs "value", "max" or "min"'),
        ({"format": 1, "measures": {"batch.mean": {"maximum": 1}}}, "'maximum'; allowed are value, tolerance, max"),
        ({"format": 1, "measures": {"batch.mean": {"max": "1"}}}, "batch.mean.max is '1'"),
        ({"format": 1, "measures": {"batch.mean": {"value": -1}}}, "must be a number of 0 or more"),
        ('{"format": 1, "measures": {"batch.mean": {"value": NaN}}}', "batch.mean.value is nan"),
        ({"format": 1, "measures": {"batch.mean": {"max": 1, "required": "no"}}}, "must be true or false"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(tmp_path: Path, content: object, said: str) -> None:
    with pytest.raises(BaselineError) as raised:
        read(file(tmp_path, content))
    assert said in str(raised.value)
    assert str(tmp_path / "baseline.json") in str(raised.value)


def test_file_that_is_not_there_is_said_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match="ocr-otel baseline save"):
        read(tmp_path / "absent.json")
    with pytest.raises(BaselineError, match="cannot be read"):
        read(tmp_path)


def test_saving_anew_renews_values_and_keeps_what_a_person_wrote() -> None:
    old = Baseline("old", {"batch.mean": Limit(1.0, 0.3, most=2.0), "batch.p95_to_mean": Limit(most=1.4)})
    values = {"batch.mean": 0.8, "batch.p95_to_mean": 1.1, "goodput": 0.5}
    assert saved(values, ["goodput", "mfu"], 0.1, old) == {
        "batch.mean": Limit(0.8, 0.3, most=2.0),
        "batch.p95_to_mean": Limit(most=1.4),
        "goodput": Limit(0.5, 0.1),
    }
