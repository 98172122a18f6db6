"""The checks of `ocr-otel doctor`: each function looks at one thing and returns findings."""

from ocr_otel.cli.checks.activation import check_activation
from ocr_otel.cli.checks.delivery import check_delivery
from ocr_otel.cli.checks.finding import Finding, Status
from ocr_otel.cli.checks.hardware import check_nvml
from ocr_otel.cli.checks.packages import check_extras, check_packages

__all__ = [
    "Finding",
    "Status",
    "check_activation",
    "check_delivery",
    "check_extras",
    "check_nvml",
    "check_packages",
]
