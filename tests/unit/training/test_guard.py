"""The boundary around our code: what fails is said and counted, and passes nowhere."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from ocr_otel.settings import SettingsError
from ocr_otel.telemetry.failures import MAX_FAILURES, attempt
from ocr_otel.training.guard import Parts, guarded


class Hooks:
    """Guarded methods, and what they failed with."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, str]] = []

    def failed(self, cause: str, error: Exception) -> None:
        self.failures.append((cause, str(error)))

    @guarded
    def raising(self, error: BaseException) -> None:
        raise error

    @guarded
    def recursing(self) -> None:
        self.recursing.__wrapped__(self)  # type: ignore[attr-defined]


def failing() -> None:
    raise RuntimeError("planted")


def test_an_exception_is_told_with_the_name_of_the_hook() -> None:
    hooks = Hooks()
    hooks.raising(MemoryError("none left"))
    assert hooks.failures == [("raising", "none left")]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), SettingsError("OCR_OTEL_X is wrong")])
def test_what_is_the_users_passes(error: BaseException) -> None:
    with pytest.raises(type(error)):
        Hooks().raising(error)


def test_failing_to_say_what_failed_passes_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = Hooks()
    monkeypatch.setattr(hooks, "failed", lambda cause, error: failing())
    hooks.raising(RuntimeError())
    assert attempt(failing, lambda cause, error: failing(), "part") is None


def test_the_end_of_the_stack_passes_nowhere() -> None:
    hooks = Hooks()
    hooks.recursing()
    assert hooks.failures[0][0] == "recursing"


def call_at(depth: int, function: Callable[[], object]) -> None:
    if depth:
        call_at(depth - 1, function)
    else:
        function()


def deepest() -> int:
    depth = 0
    try:
        while True:
            call_at(depth + 1, lambda: None)
            depth += 1
    except RecursionError:
        return depth


def test_the_end_of_the_stack_right_at_the_boundary() -> None:
    """Where the stack has room for a call of nothing, it has room for a hook that fails."""
    hooks = Hooks()
    depth = deepest()
    for less in range(30):
        call_at(depth - less, hooks.recursing)


def test_a_part_is_off_after_some_failures_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    counted: list[str] = []
    parts = Parts(lambda cause, error: counted.append(cause))
    ended: list[bool] = []
    parts.end_by("resources", lambda: ended.append(True))
    calls = 0

    def read() -> None:
        nonlocal calls
        calls += 1
        failing()

    with caplog.at_level(logging.WARNING, "ocr_otel"):
        for _ in range(3 * MAX_FAILURES):
            parts.attempt("resources", read)
    assert calls == len(counted) == MAX_FAILURES
    assert ended == [True]
    assert [record.getMessage() for record in caplog.records if "is off" in record.getMessage()] == [
        "ocr_otel: resources failed 3 times and is off for the rest of this run, which is recorded without it: "
        "RuntimeError: planted"
    ]
    assert parts.attempt("flops", lambda: 1) == 1


def test_a_part_whose_end_fails_is_off_as_well() -> None:
    parts = Parts(lambda cause, error: None)
    parts.end_by("resources", failing)
    for _ in range(MAX_FAILURES):
        parts.attempt("resources", failing)
    assert parts.is_off("resources")
