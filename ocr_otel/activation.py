"""The entry points: decides on or off, and imports nothing heavy when off."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocr_otel.callbacks.lightning import OTelCallback

ENABLED = "OCR_OTEL_ENABLED"
"""The one variable that is read before `settings`, which costs an import of its own."""

_OFF = frozenset({"", "0", "false", "f", "no", "n", "off"})


def is_off() -> bool:
    """Return whether the variable is absent or says no. Any other value is left to `settings` to judge."""
    return os.environ.get(ENABLED, "").strip().lower() in _OFF


def lightning_callbacks() -> list[Any]:
    """Entry point of `lightning.pytorch.callbacks_factory`.

    Raises:
        SettingsError: A setting is wrong.
    """
    if is_off():
        return []
    from ocr_otel.callbacks.lightning import OTelCallback

    return [OTelCallback()]


def pytorch_lightning_callbacks() -> list[Any]:
    """Entry point of `pytorch_lightning.callbacks_factory`.

    Raises:
        SettingsError: A setting is wrong.
    """
    if is_off():
        return []
    from ocr_otel.callbacks.pytorch_lightning import OTelCallback

    return [OTelCallback()]


def fabric_callbacks() -> list[Any]:
    """Entry point of `lightning.fabric.callbacks_factory`.

    Raises:
        SettingsError: A setting is wrong.
    """
    if is_off():
        return []
    from ocr_otel.callbacks.fabric import FabricCallback

    return [FabricCallback()]


def callback_class() -> type[OTelCallback]:
    """Return the `OTelCallback` of the Lightning package that the program has imported, `lightning` by default."""
    if "pytorch_lightning" in sys.modules and "lightning.pytorch" not in sys.modules:
        from ocr_otel.callbacks import pytorch_lightning

        return pytorch_lightning.OTelCallback  # type: ignore[return-value]
    from ocr_otel.callbacks import lightning

    return lightning.OTelCallback
