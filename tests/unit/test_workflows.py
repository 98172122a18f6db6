"""The workflows of GitHub Actions follow their schema, and run what is here."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "tests" / "support" / "schemas" / "github-workflow.json"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=[path.name for path in WORKFLOWS])


def steps(path: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def test_there_is_one() -> None:
    assert WORKFLOWS


@each_workflow
def test_a_workflow_follows_the_schema(path: Path) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    # YAML 1.1, which the reader here speaks, takes the key `on` for a truth value.
    read = {"on" if key is True else key: value for key, value in yaml.safe_load(path.read_text("utf-8")).items()}
    jsonschema.Draft7Validator(schema).validate(read)


@each_workflow
def test_actions_are_named_by_commit_with_their_version_beside(path: Path) -> None:
    used = [line.partition("uses:")[2].strip() for line in path.read_text("utf-8").splitlines() if "uses:" in line]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


@each_workflow
def test_what_it_runs_is_here(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    commands = [step["run"].split() for step in steps(path) if "run" in step]
    for program, *arguments in commands:
        if program == "make":
            assert arguments[0] in targets
        else:
            assert os.access(ROOT / program, os.X_OK), program


def test_ci_runs_the_script_the_package_and_the_pythons_of_the_matrix() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert {".ci/run", "make test-package"} <= {step.get("run") for step in steps(ROOT / ".github/workflows/ci.yml")}
    (pythons,) = re.findall(r"^ +python: \[(.*)\]", text, re.M)
    (tested,) = re.findall(r"^PYTHONS = \((.*)\)", (ROOT / "noxfile.py").read_text(encoding="utf-8"), re.M)
    assert pythons == tested
