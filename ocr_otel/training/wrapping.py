"""Methods of one object that go through a wrapper for the time of an entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> Callable[[], None]:
    """Let calls of a method go through a wrapper; return what undoes that."""
    original, own = getattr(owner, name), name in vars(owner)

    def call(*args: Any, **kwargs: Any) -> Any:
        return wrapper(original, *args, **kwargs)

    def undo() -> None:
        if own:
            setattr(owner, name, original)
        else:
            vars(owner).pop(name, None)

    setattr(owner, name, call)
    return undo
