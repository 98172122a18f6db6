"""All labelled trainings, in the order in which they are run; every second one of a kind is held out."""

from __future__ import annotations

from tests.diagnosis.trainings.case import Case
from tests.diagnosis.trainings.cases import balanced, beside, combined, data, model, optimizer, process, transfer

CASES: tuple[Case, ...] = (
    *data.CASES,
    *transfer.CASES,
    *model.CASES,
    *optimizer.CASES,
    *beside.CASES,
    *process.CASES,
    *combined.CASES,
    *balanced.CASES,
)


def named(name: str) -> Case:
    """Return a case.

    Raises:
        SystemExit: There is none of that name.
    """
    for case in CASES:
        if case.name == name:
            return case
    raise SystemExit(f"there is no training {name!r}; there are {', '.join(case.name for case in CASES)}")
