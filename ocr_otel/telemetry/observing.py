"""Observers of instruments: the SDK logs a traceback of one that raises at every collection, so that none does."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.metrics import CallbackOptions, Observation

from ocr_otel.telemetry.failures import Failed, attempt


def observer(
    values: Callable[[], list[Observation]], failed: Failed, cause: str
) -> Callable[[CallbackOptions], list[Observation]]:
    """Return what an instrument may call: where `values` fails it observes nothing, and the failure is told."""

    def observe(options: CallbackOptions) -> list[Observation]:
        return attempt(values, failed, cause) or []

    return observe
