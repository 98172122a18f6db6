"""`python -m tests.diagnosis` judges the labelled set and writes the outcome into `docs/verdict-accuracy.md`."""

from __future__ import annotations

import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.diagnosis import generated
from tests.diagnosis.document import put
from tests.diagnosis.judged import WITH_WINDOW, WITHOUT_WINDOW, judge
from tests.diagnosis.table import report
from tests.diagnosis.trainings.case import NONE
from tests.diagnosis.trainings.cases import CASES

PACKAGES: Final = ("torch", "lightning")


def main() -> None:
    """Judge all, and write the tables."""
    with tempfile.TemporaryDirectory(prefix="ocr-otel-verdicts-") as name:
        folder = Path(name)
        with_window = judge(CASES, WITH_WINDOW, folder / "with")
        without = judge(CASES, WITHOUT_WINDOW, folder / "without")
        traces = folder / "traces"
        traces.mkdir()
        of_traces = generated.judge(traces)
    balanced = sum(case.kind == NONE for case in CASES)
    packages = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    disturbed = [sum(one.excused for one in answers) for answers in (with_window, without)]
    wrong = [sum(bool(one.wrong) for one in answers) for answers in (with_window, without)]
    text = [
        f"{len(CASES)} trainings, {balanced} of them balanced; {len(os.sched_getaffinity(0))} cores, "
        f"Python {platform.python_version()}, {packages}. Left out are trainings "
        f"whose core other programs had, as was said ({disturbed[0]} with a window, {disturbed[1]} without), and those "
        f"that planted another share of the time than they claim ({wrong[0]} and {wrong[1]}).",
        "",
        report({"with a window": with_window, "without a window": without}),
        "",
        f"**{len(of_traces)} generated traces of a GPU**",
        "",
        report({"generated traces": of_traces}),
    ]
    put("verdicts", "\n".join(text))
    print("\n".join(text))


if __name__ == "__main__":
    main()
