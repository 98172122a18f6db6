"""The only room that knows the OpenTelemetry SDK: resource, providers, exporters, flush and shutdown.

What it offers is loaded when it is asked for: who delivers for a training that is gone, on a machine that may have no
memory and no time left, needs a third of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ocr_otel.telemetry.children import ChildSpan
    from ocr_otel.telemetry.exporting import Destination, destination, load_exporter
    from ocr_otel.telemetry.histograms import DurationHistogram, ExemplarPoint
    from ocr_otel.telemetry.identity import RunIdentity, new_run_id, rank_directory
    from ocr_otel.telemetry.ids import PrivateRandomIds
    from ocr_otel.telemetry.session import Session, session_for_process

__all__ = [
    "ChildSpan",
    "Destination",
    "DurationHistogram",
    "ExemplarPoint",
    "PrivateRandomIds",
    "RunIdentity",
    "Session",
    "destination",
    "load_exporter",
    "new_run_id",
    "rank_directory",
    "session_for_process",
]

_MODULES: Final = {
    "ChildSpan": "children",
    "Destination": "exporting",
    "DurationHistogram": "histograms",
    "ExemplarPoint": "histograms",
    "PrivateRandomIds": "ids",
    "RunIdentity": "identity",
    "Session": "session",
    "destination": "exporting",
    "load_exporter": "exporting",
    "new_run_id": "identity",
    "rank_directory": "identity",
    "session_for_process": "session",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
