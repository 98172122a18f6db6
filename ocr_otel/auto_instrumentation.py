"""The entry point of `opentelemetry-instrument`: not in `activation`, which must not import OpenTelemetry."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from ocr_otel.activation import ENABLED


class TrainingInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Switches the recording on for the Trainers of this process and of the ranks that it starts.

    It does what `OCR_OTEL_ENABLED=true` does, by that variable: Lightning finds us when a Trainer is made, so that it
    does not matter in which order instrumentations are loaded. Where the variable has a value already, that is kept:
    `false` stays off. The providers are the global ones, as everywhere.

    Example:
        >>> TrainingInstrumentor().instrument()  # doctest: +SKIP
    """

    _switched = False

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what must be installed."""
        return ("lightning >= 2.5",)

    def _instrument(self, **kwargs: Any) -> None:
        if not os.environ.get(ENABLED, "").strip():
            os.environ[ENABLED] = "true"
            self._switched = True

    def _uninstrument(self, **kwargs: Any) -> None:
        if self._switched:
            os.environ.pop(ENABLED, None)
            self._switched = False
