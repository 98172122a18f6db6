"""`OTelCallback` for the package `pytorch_lightning`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytorch_lightning import Callback

from ocr_otel.callbacks.binding import VERDICTS, present
from ocr_otel.settings import Settings
from ocr_otel.training.hooks import TrainingHooks


class OTelCallback(TrainingHooks, Callback):
    """Records a Trainer's runs as OpenTelemetry traces and metrics.

    With `OCR_OTEL_ENABLED=true` every Trainer has one by itself; passed by hand it works without the variable. Twice
    on one Trainer counts once.

    Args:
        batch_size: Returns the number of samples of a batch; by default the first tensor's first dimension.
        settings: The settings; by default those of the `OCR_OTEL_*` variables.

    Raises:
        SettingsError: A setting is wrong.

    Example:
        >>> trainer = Trainer(callbacks=[OTelCallback()])  # doctest: +SKIP
    """

    def __init__(self, batch_size: Callable[[Any], int] | None = None, settings: Settings | None = None) -> None:
        super().__init__(VERDICTS, present, batch_size, settings)
