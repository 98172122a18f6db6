"""The labelled set is run once for all tests: with windows of the profiler, without, and the generated traces."""

from __future__ import annotations

import pytest

from tests.diagnosis import generated
from tests.diagnosis.judged import WITH_WINDOW, WITHOUT_WINDOW, Answer, judge
from tests.diagnosis.trainings.cases import CASES


@pytest.fixture(scope="session")
def with_window(tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """What is said of each training in which a window opened."""
    return judge(CASES, WITH_WINDOW, tmp_path_factory.mktemp("with"))


@pytest.fixture(scope="session")
def without_window(tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """What is said of each training in which none opened."""
    return judge(CASES, WITHOUT_WINDOW, tmp_path_factory.mktemp("without"))


@pytest.fixture(scope="session")
def of_traces(tmp_path_factory: pytest.TempPathFactory) -> list[Answer]:
    """What is said of each generated trace."""
    return generated.judge(tmp_path_factory.mktemp("traces"))
