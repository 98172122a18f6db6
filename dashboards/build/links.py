"""Where links of panels lead: to another dashboard, or into Jaeger's own search."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

FLEET: Final = "ocr-otel-fleet"
RUN: Final = "ocr-otel-run"
RESOURCES: Final = "ocr-otel-resources"
TELEMETRY: Final = "ocr-otel-telemetry"
"""Identifiers of the dashboards: a part of their addresses, so that they stay."""

TAG: Final = "ocr-otel"
"""What all of the dashboards are found by."""

_TIME: Final = "from=${__from}&to=${__to}"


def run_of_row(service_column: str) -> str:
    """Return the address of the run whose name is in the clicked cell, with its service from another column."""
    service = "${__data.fields." + service_column + ":percentencode}"
    return f"/d/{RUN}?var-service={service}&var-run=${{__value.raw:percentencode}}&{_TIME}"


def run_of_series(service_label: str, run_label: str) -> str:
    """Return the address of the run whose series was clicked."""
    service, run = (f"${{__field.labels.{label}:percentencode}}" for label in (service_label, run_label))
    return f"/d/{RUN}?var-service={service}&var-run={run}&{_TIME}"


def jaeger_search(operation: str, tags: dict[str, str]) -> str:
    """Return the address of Jaeger's search page, for the service, run and time that the reader looks at.

    Args:
        operation: Name of a span that the traces have.
        tags: Attributes that it has; values may be variables.
    """
    # Jaeger's page takes microseconds, Grafana gives milliseconds.
    wanted = quote(json.dumps(tags, separators=(",", ":")), safe="${}:")
    return (
        f"${{jaeger}}/search?service=${{service:percentencode}}&operation={quote(operation)}&tags={wanted}"
        "&start=${__from}000&end=${__to}000&lookback=custom&limit=50"
    )
