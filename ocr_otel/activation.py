"""The entry points: decides on or off, and imports nothing heavy when off."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

ENABLED = "OCR_OTEL_ENABLED"
"""The one variable that is read before `settings`, which costs an import of its own."""

DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
"""OpenTelemetry's list of instrumentations that are not wanted, separated by commas; `*` is all of them."""

_OFF = frozenset({"", "0", "false", "f", "no", "n", "off"})
_US = frozenset({"ocr_otel", "*"})


def is_off() -> bool:
    """Return whether the variable is absent or says no, or OpenTelemetry's own excludes us.

    Any other value is left to `settings` to judge.
    """
    if os.environ.get(ENABLED, "").strip().lower() in _OFF:
        return True
    return not _US.isdisjoint(name.strip() for name in os.environ.get(DISABLED, "").split(","))


def lightning_callbacks() -> list[Any]:
    """Entry point of `lightning.pytorch.callbacks_factory`.

    Raises:
        SettingsError: A setting is wrong.
    """
    return [] if is_off() else _made(lambda: import_module("ocr_otel.callbacks.lightning").OTelCallback())


def pytorch_lightning_callbacks() -> list[Any]:
    """Entry point of `pytorch_lightning.callbacks_factory`.

    Raises:
        SettingsError: A setting is wrong.
    """
    return [] if is_off() else _made(lambda: import_module("ocr_otel.callbacks.pytorch_lightning").OTelCallback())


def fabric_callbacks() -> list[Any]:
    """Entry point of `lightning.fabric.callbacks_factory`.

    Raises:
        SettingsError: A setting is wrong.
    """
    return [] if is_off() else _made(lambda: import_module("ocr_otel.callbacks.fabric").FabricCallback())


def _made(make: Callable[[], Any]) -> list[Any]:
    """Return what is made in a list; an empty one where an installation is broken, which is no wrong setting."""
    try:
        from ocr_otel.settings import SettingsError
    except Exception as error:
        return _broken(error)
    try:
        return [make()]
    except SettingsError:
        raise
    except Exception as error:
        return _broken(error)


def _broken(error: Exception) -> list[Any]:
    import logging

    logging.getLogger("ocr_otel").warning(
        "ocr_otel cannot be used and records nothing; the training is not touched: %s: %s. Ask `ocr-otel doctor`.",
        type(error).__name__,
        error,
    )
    return []


def callback_class(name: str) -> type[Any]:
    """Return a callback for the Lightning package that the program has imported, `lightning` by default."""
    package = "lightning"
    if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
        package = "pytorch_lightning"
    found: type[Any] = getattr(import_module(f"ocr_otel.callbacks.{package}"), name)
    return found
