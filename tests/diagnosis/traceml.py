"""TraceML on the same trainings: `python -m tests.diagnosis.traceml` runs it and puts its table beside ours.

It is asked as its users ask it: `traceml run`, a process for each training, and the verdict of its final summary. Its
kinds are coarser than the labels, so two things are counted: whether its verdict could mean the label at all, which is
generous, and whether it names it. What it adds to each batch makes the planted shares smaller; they are taken as they
are.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.diagnosis.document import put, saved, store
from tests.diagnosis.judged import SCRIPT, Answer, environment
from tests.diagnosis.table import accuracy, accused, by_half, markdown, missed
from tests.diagnosis.trainings.case import NONE, Case
from tests.diagnosis.trainings.cases import CASES

COULD_MEAN: Final[Mapping[str, tuple[str, ...]]] = {
    "INPUT_BOUND": ("data",),
    "H2D_BOUND": ("transfer",),
    # Its advice names "CPU stalls, logging, checkpointing, validation, or unobserved transfers".
    "RESIDUAL_HEAVY": ("logging", "checkpoint", "validation", "transfer", "memory", "launch", "cpu_contention"),
    "COMPUTE_BOUND": ("compute", "memory_bandwidth", "launch", "compile", "communication", "cpu_contention", NONE),
    "COMPUTE_BOUND in the optimizer": ("optimizer",),
    "NO_CLEAR_PERFORMANCE_BOTTLENECK": (NONE,),
    "BALANCED": (NONE,),
}
"""Labels that each of its kinds could mean; the first is the one that it names."""
NAMES_NONE: Final = frozenset({"RESIDUAL_HEAVY"})
"""Says that time was spent where it did not look: names no kind."""
LONGEST_RUN: Final = 180


def understood(verdict: str, label: str) -> str:
    """Return the label where a verdict of TraceML's could mean it, else the first kind that it could mean."""
    meanings = COULD_MEAN.get(verdict, (verdict.lower(),))
    return label if label in meanings else meanings[0]


def named(verdict: str) -> str:
    """Return the one kind that a verdict of TraceML's names."""
    return verdict.lower() if verdict in NAMES_NONE else COULD_MEAN.get(verdict, (verdict.lower(),))[0]


def ask(case: Case, folder: Path) -> dict[str, Any]:
    """Run a training under TraceML, and return its verdict with what the training measured of itself."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    result = folder / "result.json"
    launcher = Path(sys.executable).with_name("traceml")
    command = [launcher, "run", SCRIPT, "--logs-dir", folder / "logs", "--run-name", "run", "--mode", "summary"]
    done = subprocess.run(
        [*map(str, command), "--args", case.name, "--result", str(result), "--attempts", "1"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN,
    )
    summary = folder / "logs" / "run" / "final_summary.json"
    if done.returncode or not result.is_file() or not summary.is_file():
        raise RuntimeError(f"{case.name} failed under TraceML with status {done.returncode}: {done.stderr[-2000:]}")
    (measured,) = json.loads(result.read_text(encoding="utf-8"))
    written = json.loads(summary.read_text(encoding="utf-8"))
    verdict = str(written["primary_diagnosis"].get("kind", ""))
    phase = str((written["step_time"].get("diagnosis") or {}).get("phase") or "")
    if verdict == "COMPUTE_BOUND" and phase == "optimizer":
        verdict += " in the optimizer"
    evidence = written["primary_diagnosis"].get("evidence") or {}
    return {
        "name": case.name,
        "verdict": verdict,
        "share": evidence.get("score") or 0.0,
        "summary": str(written["primary_diagnosis"].get("summary", "")),
        "planted": measured["shares"],
        "wrong": measured["wrong"],
    }


def answer(case: Case, found: Mapping[str, Any], said: str) -> Answer:
    """Return a verdict of TraceML's as one of ours."""
    return Answer(case.name, case.kind, said, found["share"], summary=found["summary"], planted=found["planted"])


def main() -> None:
    """Run all trainings that were not run yet, and write the table."""
    parser = argparse.ArgumentParser(description="What TraceML says of the labelled trainings.")
    parser.add_argument("--again", action="store_true", help="run those anew that were run before")
    options = parser.parse_args()
    found: dict[str, Any] = {} if options.again else saved("traceml")
    # Its launcher starts one process for the training; a training of several ranks is started otherwise.
    cases = [case for case in CASES if not case.own_process]
    with tempfile.TemporaryDirectory(prefix="ocr-otel-traceml-") as folder:
        for case in cases:
            if case.name not in found:
                found[case.name] = ask(case, Path(folder) / "run")
                store("traceml", found)
                one = found[case.name]
                print(f"{case.name:45} {case.kind:16} {one['verdict']} {one['share']:.0%} {one['wrong']}", flush=True)
    generous = [answer(case, found[case.name], understood(found[case.name]["verdict"], case.kind)) for case in cases]
    strict = [answer(case, found[case.name], named(found[case.name]["verdict"])) for case in cases]
    text = [
        f"TraceML {version('traceml-ai')}, {len(cases)} trainings. Named right, generously: "
        + ", ".join(f"{half} {accuracy(part):.0%}" for half, part in by_half(generous).items())
        + f". Balanced trainings of which something is said to stand out: {len(accused(generous))} of "
        + f"{sum(case.kind == NONE for case in cases)}.",
        "",
        markdown({"TraceML, generous": generous, "TraceML, as named": strict}),
    ]
    put("traceml", "\n".join(text))
    print("\n".join([*text, "", *missed(generous)]))


if __name__ == "__main__":
    main()
