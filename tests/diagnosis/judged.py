"""Runs labelled trainings as a user would, with recording on, and reads their verdicts from the files of the runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.runs import load
from ocr_otel.runs.model import Entry
from tests.diagnosis.trainings.case import NONE, Case
from tests.diagnosis.trainings.cases import named

ROOT: Final = Path(__file__).parents[2]
SCRIPT: Final = Path(__file__).parent / "trainings" / "script.py"
LONGEST_RUN: Final = 600
PROFILE_EVERY: Final = "6"
"""Batches to the window: the shortest training has three times as many."""
WITHOUT_WINDOW: Final[Mapping[str, str]] = {"OCR_OTEL_PROFILE": "off"}
WITH_WINDOW: Final[Mapping[str, str]] = {
    "OCR_OTEL_PROFILE": "off",
    "OCR_OTEL_PROFILE_EVERY": PROFILE_EVERY,
    "OCR_OTEL_PROFILE_WINDOWS": "1",
}
ACCEPTED: Final[Mapping[str, frozenset[str]]] = {NONE: frozenset({NONE, "compute"})}
"""Where more than the label is right: that a balanced training computes is no accusation."""
COARSE: Final[Mapping[str, frozenset[str]]] = {
    kind: frozenset({"compute", NONE}) for kind in ("launch", "memory_bandwidth", "communication")
}
"""What is said without a window where only a window could tell: that it is the model's own work, and no more."""
CONTENTION: Final = "cpu_contention"
MUCH_STOLEN: Final = 0.25
"""Share of the network's time in which others had its core, from which on nobody can say that nothing stood out."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of a training.

    Attributes:
        name: The training.
        kind: Its label.
        said: Kind of the verdict; empty where there is none.
        share: The verdict's share of the time.
        ranked: Kinds of all causes, by rank.
        summary: The verdict's sentence.
        planted: What the training measured of itself, by part.
        wrong: What of that is not as its label claims; then it is no evidence for or against anybody.
        disturbed: Whether other programs of the machine had the training's core for much of the time.
    """

    name: str
    kind: str
    said: str
    share: float = 0.0
    ranked: tuple[str, ...] = ()
    summary: str = ""
    planted: Mapping[str, float] | None = None
    wrong: str = ""
    disturbed: bool = False

    @property
    def excused(self) -> bool:
        """Whether it says that other programs were in the way, and they were: true, and no answer to the question."""
        return self.disturbed and self.said == CONTENTION != self.kind

    @property
    def right(self) -> bool:
        """Whether the label was named."""
        return self.said in ACCEPTED.get(self.kind, frozenset({self.kind}))


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what would configure what is compared, and with the tests to import."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OCR_OTEL_", "OTEL_", "TRACEML_"))}
    return clean | {"PYTHONPATH": str(ROOT)} | more


def judge(cases: Iterable[Case], windows: Mapping[str, str], folder: Path) -> list[Answer]:
    """Run trainings, most of them in one process, and return what was said of them.

    Args:
        cases: The trainings.
        windows: Variables that say whether the profiler's windows open.
        folder: Where the runs are written.

    Raises:
        RuntimeError: A process failed.
    """
    cases = list(cases)
    groups = [[case for case in cases if not case.own_process]]
    groups += [[case] for case in cases if case.own_process]
    answers = {}
    for number, group in enumerate(groups):
        if group:
            for answer in _run(group, windows, folder / f"{number}"):
                answers[answer.name] = answer
    return [answers[case.name] for case in cases]


def _run(cases: Sequence[Case], windows: Mapping[str, str], folder: Path) -> list[Answer]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    result = folder / "result.json"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *(case.name for case in cases), "--result", str(result)],
        cwd=folder,
        env=environment(
            OCR_OTEL_ENABLED="true",
            OCR_OTEL_RUNS_DIR=str(folder / "runs"),
            OCR_OTEL_RUN_ID="run",
            OCR_OTEL_SUMMARY="false",
            **windows,
        ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN,
    )
    if done.returncode or not result.is_file():
        raise RuntimeError(f"the trainings failed with status {done.returncode}: {_told(done.stderr)}")
    if "ocr_otel failed" in done.stderr:
        raise RuntimeError(f"ocr_otel failed in the trainings: {_told(done.stderr)}")
    fits = [entry for entry in load(folder / "runs" / "run").entries if entry.name == semconv.FIT]
    measured = json.loads(result.read_text(encoding="utf-8"))
    return [_answer(one, fits[one["fit"]]) for one in measured]


def _answer(measured: Mapping[str, Any], fit: Entry) -> Answer:
    root = fit.root
    if root is None:
        raise RuntimeError(f"{measured['name']} has no span of its fit")
    causes = [event.attributes for event in root.events if event.name == semconv.BOTTLENECK_EVENT]
    causes.sort(key=lambda cause: cause.get(semconv.BOTTLENECK_RANK, 0))
    return Answer(
        name=measured["name"],
        kind=named(measured["name"]).kind,
        said=root.text(semconv.BOTTLENECK_KIND),
        share=root.number(semconv.BOTTLENECK_SHARE),
        ranked=tuple(str(cause.get(semconv.BOTTLENECK_KIND)) for cause in causes),
        summary=root.text(semconv.BOTTLENECK_SUMMARY),
        planted=measured["shares"],
        wrong=measured["wrong"],
        disturbed=measured["shares"]["stolen"] > MUCH_STOLEN,
    )


def _told(text: str) -> str:
    # A process that loaded the compiler ends with many lines on what its binding leaked.
    return text.partition("nanobind: leaked")[0][-3000:]
