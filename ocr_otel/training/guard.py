"""The boundary where Lightning calls us: no exception of ours passes it, each is logged once and counted."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from ocr_otel.redaction import redact
from ocr_otel.settings import SettingsError
from ocr_otel.telemetry.failures import MAX_FAILURES, Failed, Result, attempt, logger, say_part_off

Params = ParamSpec("Params")


class Guarded(Protocol):
    """What a guarded object must offer."""

    def failed(self, cause: str, error: Exception) -> None:
        """Count a failure of ours."""


Owner = TypeVar("Owner", bound=Guarded)


def guarded(method: Callable[Concatenate[Owner, Params], None]) -> Callable[Concatenate[Owner, Params], None]:
    """Decorate a hook so that it never raises into the training, but for a setting that is wrong."""
    cause = method.__name__

    @functools.wraps(method)
    def call(self: Owner, /, *args: Params.args, **kwargs: Params.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except SettingsError:
            raise
        except Exception as error:
            # Not by a context manager, whose end is a call too: where the training stands at the limit of the stack,
            # saying that something failed fails as well.
            try:  # noqa: SIM105
                self.failed(cause, error)
            except Exception:
                pass

    return call


def say_off(failures: int, error: Exception) -> None:
    """Say that the core of a recording failed too often, the last time with this."""
    logger.warning(
        "ocr_otel: the recording failed %d times and is off for the rest of this run: %s: %s",
        failures,
        type(error).__name__,
        redact(str(error)),
    )


class Parts:
    """The parts of one recording beside its core: each may fail so many times, and the others go on without it.

    Args:
        failed: Logs a failure once and counts it.
    """

    def __init__(self, failed: Failed) -> None:
        self._failed = failed
        self._failures: Counter[str] = Counter()
        self._ends: dict[str, Callable[[], object]] = {}

    def attempt(self, part: str, function: Callable[[], Result]) -> Result | None:
        """Let a part do something; return None where it fails, or is off."""
        if self.is_off(part):
            return None
        return attempt(function, self.failed, part)

    def end_by(self, part: str, end: Callable[[], object]) -> None:
        """Say what takes a part away when it is switched off."""
        self._ends[part] = end

    def is_off(self, part: str) -> bool:
        """Return whether a part has failed too often."""
        return self._failures[part] >= MAX_FAILURES

    def failed(self, part: str, error: Exception) -> None:
        """Count a failure of a part; the one that switches it off is said, with its cause."""
        self._failed(part, error)
        self._failures[part] += 1
        if self._failures[part] != MAX_FAILURES:
            return
        say_part_off(part, error)
        end = self._ends.pop(part, None)
        if end is not None:
            attempt(end, self._failed, part)
