"""OpenTelemetry instrumentation for training OCR models with PyTorch Lightning.

Importing this package imports nothing else: what is heavy is loaded when it is asked for.

What is public, by Semantic Versioning: the names below, the command line, the settings, the names in `semconv` as they
travel, the run directory's format, the baseline file and the pytest marker `ocr_otel_baseline`. Every other module is
the package's own business. `docs/api.md` has the whole list and the policy.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["OTelCallback", "Profiler", "ResourceMonitor", "ThroughputMonitor", "__version__"]

if TYPE_CHECKING:
    from ocr_otel.callbacks.lightning import OTelCallback, Profiler, ResourceMonitor, ThroughputMonitor


def __getattr__(name: str) -> Any:
    if name in __all__:
        from ocr_otel.activation import callback_class

        return callback_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
