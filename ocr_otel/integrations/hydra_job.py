"""Which job of Hydra a training is; Hydra is asked only where the application has imported it."""

from __future__ import annotations

import sys
from typing import Any

from ocr_otel import semconv
from ocr_otel.redaction import redact


def describe_job() -> dict[str, Any]:
    """Return name and number of the job that runs, as attributes; nothing where this is no application of Hydra."""
    module = sys.modules.get("hydra.core.hydra_config")
    if module is None or not module.HydraConfig.initialized():
        return {}
    job = module.HydraConfig.get().job
    found: dict[str, Any] = {}
    if (name := job.get("name")) is not None:
        found[semconv.HYDRA_JOB_NAME] = redact(str(name))
    # Missing outside of a multirun.
    if (number := job.get("num")) is not None:
        found[semconv.HYDRA_JOB_NUMBER] = int(number)
    return found
