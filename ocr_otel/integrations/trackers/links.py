"""Texts by which a run is found from a tracker: its id, its trace, and pages of Jaeger and Grafana."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

from opentelemetry.sdk.resources import SERVICE_NAME
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span, format_trace_id

from ocr_otel import semconv
from ocr_otel.redaction import redact
from ocr_otel.settings import Settings

DASHBOARD: Final = "ocr-otel-run"
"""Identifier of the dashboard of one run."""


def links_of(root: Span, entry: str, run_id: str, settings: Settings) -> dict[str, str]:
    """Return the texts of an entry.

    Args:
        root: Its span.
        entry: Its name.
        run_id: Its run.
        settings: Where Jaeger and Grafana are.
    """
    trace_id = format_trace_id(root.get_span_context().trace_id)
    texts = {semconv.TRACKED_RUN_ID: run_id, semconv.tracked_of(semconv.TRACKED_TRACE_ID, entry): trace_id}
    if settings.jaeger_url:
        url = f"{_base(settings.jaeger_url)}/trace/{trace_id}"
        texts[semconv.tracked_of(semconv.TRACKED_JAEGER, entry)] = url
    if settings.grafana_url:
        asked = {"var-run": run_id, "to": "now"}
        if isinstance(root, ReadableSpan):
            asked["var-service"] = str(root.resource.attributes.get(SERVICE_NAME, ""))
            asked["from"] = str((root.start_time or 0) // 1_000_000)
        texts[semconv.TRACKED_GRAFANA] = (
            f"{_base(settings.grafana_url)}/d/{DASHBOARD}?{urlencode(asked, quote_via=quote)}"
        )
    return texts


def _base(url: str) -> str:
    return redact(url).rstrip("/")
