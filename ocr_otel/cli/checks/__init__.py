"""The checks of `ocr-otel doctor`: each function looks at one thing and returns findings."""

from ocr_otel.cli.checks.activation import check_activation
from ocr_otel.cli.checks.delivery import check_delivery
from ocr_otel.cli.checks.finding import Finding, Status
from ocr_otel.cli.checks.hardware import check_nvml
from ocr_otel.cli.checks.packages import check_extras, check_packages
from ocr_otel.cli.checks.places import Stations, find_stations
from ocr_otel.cli.checks.resources import check_resources
from ocr_otel.cli.checks.spool import check_spool
from ocr_otel.cli.checks.stack import check_stack

__all__ = [
    "Finding",
    "Stations",
    "Status",
    "check_activation",
    "check_delivery",
    "check_extras",
    "check_nvml",
    "check_packages",
    "check_resources",
    "check_spool",
    "check_stack",
    "find_stations",
]
