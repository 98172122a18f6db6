"""Two runs of the same tests are compared: JUnit files in, differences out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lightning_suite.comparing import Outcome, Result, differing, judge, passed, read, read_exceptions
from tests.lightning_suite.source import nearest

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
<testcase classname="loops.test_a" name="test_passes[1]" time="0.5"><properties>
  <property name="nodeid" value="loops/test_a.py::test_passes[1]" />
  <property name="ocr_otel_entries" value="2" /><property name="ocr_otel_said" value="it failed" />
</properties></testcase>
<testcase classname="loops.test_a" name="test_skipped" time="0"><properties>
  <property name="nodeid" value="loops/test_a.py::test_skipped" /></properties>
  <skipped type="pytest.skip" message="needs a GPU">where</skipped></testcase>
<testcase classname="loops.test_a" name="test_fails_twice" time="1"><failure message="assert
  1 == 2">trace</failure></testcase>
<testcase classname="loops.test_a" name="test_fails_twice" time="1"><properties>
  <property name="nodeid" value="loops/test_a.py::test_fails_twice" /></properties>
  <error message="zombie thread">trace</error></testcase>
<testcase classname="" name="loops.test_b" time="0"><error message="collection failure">trace</error></testcase>
</testsuite></testsuites>
"""


def test_a_file_is_read_with_one_result_a_test(tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    file.write_text(JUNIT)
    assert read(file) == {
        "loops/test_a.py::test_passes[1]": Result(Outcome.PASSED, "", 0.5, 2, "it failed"),
        "loops/test_a.py::test_skipped": Result(Outcome.SKIPPED, "needs a GPU"),
        "loops/test_a.py::test_fails_twice": Result(Outcome.ERROR, "zombie thread", 2.0),
        "loops.test_b": Result(Outcome.ERROR, "collection failure"),
    }


def results(**outcomes: Outcome) -> dict[str, Result]:
    return {name: Result(outcome) for name, outcome in outcomes.items()}


@pytest.mark.parametrize(
    ("without", "beside", "differs"),
    [
        (Outcome.PASSED, Outcome.PASSED, False),
        (Outcome.PASSED, Outcome.FAILED, True),
        (Outcome.PASSED, Outcome.ERROR, True),
        (Outcome.PASSED, Outcome.SKIPPED, True),
        (Outcome.PASSED, None, True),
        (Outcome.FAILED, Outcome.FAILED, False),
        (Outcome.FAILED, Outcome.PASSED, False),
        (Outcome.SKIPPED, Outcome.FAILED, False),
        (None, Outcome.FAILED, False),
    ],
)
def test_what_passed_without_must_pass_with(without: Outcome | None, beside: Outcome | None, differs: bool) -> None:
    one = results(**({"test": without} if without is not None else {}))
    other = results(**({"test": beside} if beside is not None else {}))
    assert differing(one, other) == (("test",) if differs else ())


def test_skipped_tests_did_not_pass() -> None:
    assert passed(results(a=Outcome.PASSED, b=Outcome.SKIPPED, c=Outcome.FAILED)) == {"a"}


def test_what_differs_is_judged_by_the_second_run_and_the_exceptions() -> None:
    exceptions = {
        "f.py::test_listed[1]": "one of them",
        "f.py::test_all": "all of them",
        "f.py::test_needless": "once",
        "f.py::test_other": "not run",
    }
    differ = [
        "f.py::test_listed[1]",
        "f.py::test_listed[2]",
        "f.py::test_all[a-b]",
        "f.py::test_once",
        "f.py::test_all_x",
    ]
    judged = judge(
        differ, [test for test in differ if test != "f.py::test_once"], exceptions, [*differ, "f.py::test_needless"]
    )
    assert judged.flaky == ("f.py::test_once",)
    assert judged.justified == {"f.py::test_listed[1]": "one of them", "f.py::test_all[a-b]": "all of them"}
    assert judged.broken == ("f.py::test_listed[2]", "f.py::test_all_x")
    assert judged.needless == ("f.py::test_needless",)


def test_each_exception_has_a_reason_and_names_one_test() -> None:
    exceptions = read_exceptions()
    assert exceptions
    for test, reason in exceptions.items():
        assert ".py::test_" in test
        assert len(reason) > 20


@pytest.mark.parametrize(
    ("installed", "tag"), [("2.6.6", "2.6.5"), ("2.6.5", "2.6.5"), ("2.6.1.post0", "2.6.1"), ("2.5.0", "2.5.0")]
)
def test_the_tests_are_those_of_the_nearest_release_that_is_not_newer(installed: str, tag: str) -> None:
    tags = ["2.5.0", "2.6.0", "2.6.1", "2.6.5rc0", "2.6.5", "2.7.0", "app/0.6.3", "2.6.6rc1"]
    assert nearest(tags, installed) == tag
    with pytest.raises(LookupError, match=r"up to 1\.0"):
        nearest(tags, "1.0")
