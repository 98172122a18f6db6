"""What two runs of the same tests have in common, and where they differ; read from pytest's JUnit files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

EXCEPTIONS: Final = Path(__file__).with_name("exceptions.toml")
NODE_ID: Final = "nodeid"
ENTRIES: Final = "ocr_otel_entries"
SAID: Final = "ocr_otel_said"
"""Names of the properties that `plugin` gives each test."""


class Outcome(IntEnum):
    """How a test ended; of two ends of one test, as of its call and its teardown, the larger counts."""

    PASSED = 0
    SKIPPED = 1
    FAILED = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Result:
    """One test of one run.

    Attributes:
        outcome: How it ended.
        message: Why it did not pass, in a line.
        seconds: How long it took.
        entries: Trainer entries that were recorded in it, in its own process.
        said: What ocr_otel warned of meanwhile.
    """

    outcome: Outcome
    message: str = ""
    seconds: float = 0.0
    entries: int = 0
    said: str = ""


Results = Mapping[str, Result]
"""The tests of a run by their ids, as pytest takes them."""

_OUTCOMES: Final = {"failure": Outcome.FAILED, "error": Outcome.ERROR, "skipped": Outcome.SKIPPED}
_MAX_MESSAGE: Final = 300


def read(junit: Path) -> Results:
    """Return the tests of a JUnit file.

    What could not be collected has no id of a test; it goes by its name there.
    """
    found: dict[tuple[str, str], list[tuple[str, Result]]] = {}
    for case in ElementTree.parse(junit).iter("testcase"):
        name = case.get("classname", ""), case.get("name", "")
        found.setdefault(name, []).append(_result(case))
    return dict(_together(name, results) for name, results in found.items())


def _result(case: ElementTree.Element) -> tuple[str, Result]:
    properties = {each.get("name"): each.get("value", "") for each in case.iter("property")}
    ends = [(_OUTCOMES[each.tag], each.get("message", "")) for each in case if each.tag in _OUTCOMES]
    outcome, message = max(ends, default=(Outcome.PASSED, ""))
    return properties.get(NODE_ID, ""), Result(
        outcome,
        " ".join(message.split())[:_MAX_MESSAGE],
        float(case.get("time", 0)),
        int(properties.get(ENTRIES, 0)),
        properties.get(SAID, ""),
    )


def _together(name: tuple[str, str], results: list[tuple[str, Result]]) -> tuple[str, Result]:
    """Return one result of a test that ended more than once, as in its call and in its teardown."""
    ids = [test for test, _ in results if test]
    worst = max((result for _, result in results), key=lambda result: result.outcome)
    return ids[-1] if ids else "::".join(filter(None, name)), Result(
        worst.outcome,
        worst.message,
        sum(result.seconds for _, result in results),
        max(result.entries for _, result in results),
        "\n".join(filter(None, (result.said for _, result in results))),
    )


def passed(results: Results) -> frozenset[str]:
    """Return the tests that passed."""
    return frozenset(test for test, result in results.items() if result.outcome is Outcome.PASSED)


def differing(without: Results, beside: Results) -> tuple[str, ...]:
    """Return the tests that pass without ocr_otel and not with it, in order; one that is missing with it is among them.

    Args:
        without: The run without ocr_otel.
        beside: The run with it.
    """
    lost = passed(without) - passed(beside)
    return tuple(test for test in without if test in lost)


@dataclass(frozen=True, slots=True)
class Judged:
    """The tests that differed in the first run, after the second.

    Attributes:
        flaky: They did not differ again.
        justified: They did, and have a reason to.
        broken: They did, and have none.
        needless: Exceptions whose tests were run, and did not differ.
    """

    flaky: tuple[str, ...]
    justified: Mapping[str, str]
    broken: tuple[str, ...]
    needless: tuple[str, ...]


def judge(first: Iterable[str], again: Iterable[str], exceptions: Mapping[str, str], ran: Iterable[str]) -> Judged:
    """Judge tests that differed.

    Args:
        first: Those that differed in the first run.
        again: Those of them that differed in the second.
        exceptions: The reasons of those that may, by id; an id without parameters stands for all of them.
        ran: All tests that passed without ocr_otel.
    """
    second = set(again)
    reasons = {test: reason for test in second if (reason := _reason(test, exceptions)) is not None}
    used = {name for name in exceptions if any(_is(test, name) for test in second)}
    known = {name for name in exceptions if any(_is(test, name) for test in ran)}
    return Judged(
        flaky=tuple(test for test in first if test not in second),
        justified={test: reasons[test] for test in first if test in reasons},
        broken=tuple(test for test in first if test in second and test not in reasons),
        needless=tuple(sorted(known - used)),
    )


def read_exceptions(path: Path = EXCEPTIONS) -> Mapping[str, str]:
    """Return why a test may fail with ocr_otel, by its id."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _reason(test: str, exceptions: Mapping[str, str]) -> str | None:
    return next((reason for name, reason in exceptions.items() if _is(test, name)), None)


def _is(test: str, name: str) -> bool:
    return name in (test, test.partition("[")[0])
