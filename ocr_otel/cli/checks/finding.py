"""What a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a thing stands."""

    OK = "ok"
    NOTE = "note"
    """Nothing to do; good to know."""
    WARN = "warn"
    """A training runs and is recorded, or is deliberately not; probably not what is wanted."""
    FAIL = "fail"
    """A training started in this environment would not be recorded as asked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor.

    Attributes:
        check: What was looked at.
        status: How it stands.
        finding: What was found.
        advice: What to do; empty when there is nothing to do.
    """

    check: str
    status: Status
    finding: str
    advice: str = ""
