"""Why a Collector could not deliver: the last failed export in its log, in plain words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from ocr_otel.cli.checks.words import explain

_END: Final = 1 << 20
"""Bytes at the end of a log that are looked at."""


def reason(log: Path, exporter: str) -> tuple[str, str] | None:
    """Return what is wrong between an exporter and its target, and where more is said; None when the log does not say.

    Args:
        log: Of the Collector, in its console format: columns by tabs, the last one JSON.
        exporter: As the configuration names it, such as `otlp_grpc/gateway`.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _END))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        if "Exporting failed" not in line:
            continue
        try:
            fields = json.loads(line[line.index("{") :])
        except ValueError:
            continue
        if fields.get("otelcol.component.id") == exporter and fields.get("error"):
            spoken = "OTLP/HTTP" if exporter.startswith("otlp_http") else "OTLP/gRPC"
            error = str(fields["error"])
            finding = "connection refused" if "connection refused" in error else explain(error, spoken)[0]
            return finding, f"Its own words are in {log}."
    return None
