"""Precision and recall of each kind, as a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.diagnosis.judged import Answer
from tests.diagnosis.trainings.case import NONE, halves


@dataclass(frozen=True, slots=True)
class Score:
    """How often a kind was named, and how often rightly.

    Attributes:
        kind: The kind.
        trainings: Trainings with this label.
        right: Of these, those in which it was named.
        said: Trainings in which it was named.
        said_rightly: Of these, those with this label.
    """

    kind: str
    trainings: int
    right: int
    said: int
    said_rightly: int

    @property
    def recall(self) -> float | None:
        """Share of the trainings with this label in which it was named; None without any."""
        return self.right / self.trainings if self.trainings else None

    @property
    def precision(self) -> float | None:
        """Share of the trainings in which it was named that have this label; None where it never was."""
        return self.said_rightly / self.said if self.said else None


def scores(answers: Iterable[Answer]) -> list[Score]:
    """Return the score of each kind that is a label or was named.

    What is right though it is not the label, such as that a balanced training computes, counts as the label. What is
    not `counted` is left out.
    """
    answers = counted(answers)
    said = {id(one): one.kind if one.right else one.said or "nothing" for one in answers}
    kinds = dict.fromkeys([one.kind for one in answers] + list(said.values()))
    return [
        Score(
            kind,
            trainings=sum(one.kind == kind for one in answers),
            right=sum(one.kind == kind and one.right for one in answers),
            said=sum(said[id(one)] == kind for one in answers),
            said_rightly=sum(said[id(one)] == kind and one.kind == kind for one in answers),
        )
        for kind in kinds
    ]


def counted(answers: Iterable[Answer]) -> list[Answer]:
    """Leave out what is excused, and trainings in which another share was planted than they claim."""
    return [one for one in answers if not one.excused and not one.wrong]


def accuracy(answers: Iterable[Answer]) -> float:
    """Return the share of the trainings that were named right."""
    answers = counted(answers)
    return sum(one.right for one in answers) / len(answers) if answers else 0.0


def accused(answers: Iterable[Answer]) -> list[Answer]:
    """Return the balanced trainings of which something is said to stand out."""
    return [one for one in counted(answers) if one.kind == NONE and not one.right]


def by_half(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    """Part answers as their trainings are parted."""
    return {half: list(part) for half, part in halves(list(answers)).items()}


def missed(answers: Iterable[Answer]) -> list[str]:
    """Say in a line each what was named wrong."""
    return [
        f"{one.name}: {one.kind}, said {one.said or 'nothing'} ({one.share:.0%})"
        for one in counted(answers)
        if not one.right
    ]


def markdown(columns: dict[str, Sequence[Answer]]) -> str:
    """Return a table with a row a kind, and precision and recall of each column.

    Args:
        columns: What was said of the same trainings, by how it was judged.
    """
    by_column = {name: {score.kind: score for score in scores(answers)} for name, answers in columns.items()}
    kinds = dict.fromkeys(kind for found in by_column.values() for kind in found)
    lines = [
        "| kind | trainings | " + " | ".join(f"{name}: precision | recall" for name in columns) + " |",
        "| --- | --- |" + " --- | --- |" * len(columns),
    ]
    for kind in kinds:
        trainings = max(found[kind].trainings for found in by_column.values() if kind in found)
        row = [f"`{kind}`", str(trainings) if trainings else "none"]
        for found in by_column.values():
            score = found.get(kind)
            row += [_percent(score.precision if score else None), _percent(score.recall if score else None)]
        lines.append(f"| {' | '.join(row)} |")
    totals = ["**named right**", str(len(next(iter(columns.values()))))]
    for answers in map(counted, columns.values()):
        totals += ["", f"**{sum(one.right for one in answers)} of {len(answers)}, {accuracy(answers):.0%}**"]
    return "\n".join([*lines, f"| {' | '.join(totals)} |"])


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def report(columns: dict[str, Sequence[Answer]]) -> str:
    """Return the table, each half apart, and a line for each training that was named wrong."""
    lines = [markdown(columns), ""]
    for name, answers in columns.items():
        balanced = [one for one in answers if one.kind == NONE]
        halves_right = ", ".join(
            f"{half} {sum(one.right for one in part)} of {len(part)} ({accuracy(part):.0%})"
            for half, part in ((half, counted(part)) for half, part in by_half(answers).items())
        )
        left_out = len(answers) - len(counted(answers))
        lines.append(
            f"- {name[0].upper()}{name[1:]}: {halves_right}; balanced trainings accused: "
            f"{len(accused(balanced))} of {len(counted(balanced))}." + (f" {left_out} left out." if left_out else "")
        )
        lines += [f"    - {line}" for line in missed(answers)]
    return "\n".join(lines)
