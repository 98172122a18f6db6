"""The boundary where Lightning calls us: no exception of ours passes it, each is logged once and counted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

MAX_FAILURES: Final = 3
"""After this many failures the recording of a run switches itself off."""

Params = ParamSpec("Params")


class Guarded(Protocol):
    """What a guarded object must offer."""

    def failed(self, cause: str, error: Exception) -> None:
        """Count a failure of ours."""


Owner = TypeVar("Owner", bound=Guarded)


def guarded(method: Callable[Concatenate[Owner, Params], None]) -> Callable[Concatenate[Owner, Params], None]:
    """Decorate a hook so that it never raises into the training."""
    cause = method.__name__

    @functools.wraps(method)
    def call(self: Owner, /, *args: Params.args, **kwargs: Params.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            self.failed(cause, error)

    return call


def attempt(function: Callable[[], Any], failed: Callable[[str, Exception], None], cause: str) -> Any:
    """Call a function of ours; return None where it fails."""
    try:
        return function()
    except Exception as error:
        failed(cause, error)
        return None
