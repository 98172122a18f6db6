"""The settings as arguments of a callback, so that command lines and editors know them without a second list."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from ocr_otel.settings import PREFIX, Settings

OWN: Final = "enabled"
"""A setting that is an argument of its own."""
Class = TypeVar("Class", bound=type)


def settings_as_arguments() -> dict[str, Any]:
    """Return the type of each setting's argument, by name; None stands for the environment variable's value."""
    return {name: _simple(field.annotation) for name, field in Settings.model_fields.items() if name != OWN}


def documented(made: Class) -> Class:
    """Give a class with `__init__(self, ..., **options)` an argument for each setting, in signature and docstring."""
    init: Callable[..., None] = made.__init__  # type: ignore[misc]
    arguments = settings_as_arguments()
    own = [each for each in inspect.signature(init).parameters.values() if each.kind is not each.VAR_KEYWORD]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in arguments.items()
    ]
    init.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
    init.__annotations__ |= arguments
    lines = [
        textwrap.fill(
            f"{name}: {Settings.model_fields[name].description} Default: `{PREFIX}{name.upper()}`.",
            width=110,
            initial_indent="    ",
            subsequent_indent="        ",
            break_long_words=False,
        )
        for name in arguments
    ]
    init.__doc__ = "Make it.\n\nArgs:\n" + "\n".join(lines) + "\n"
    return made


def _simple(annotation: Any) -> Any:
    """Return a type that command lines know: of lists their text too, and of paths their text."""
    kinds = {each for each in (get_args(annotation) or (annotation,)) if each is not type(None)}
    for kind in (bool, int, float):
        if kind in kinds:
            return kind | None
    if kinds <= {str, Path} or all(isinstance(each, str) for each in kinds):
        return str | None
    return str | list[str] | None
