"""PromQL from the names of `ocr_otel.semconv`."""

from __future__ import annotations

import re
from typing import Final

from opentelemetry.semconv._incubating.attributes import host_attributes, hw_attributes
from opentelemetry.semconv.attributes import service_attributes

from ocr_otel import semconv
from ocr_otel.semconv import Stage

RATE: Final = "$__rate_interval"
"""Window of a rate: at least four exports, by the data source's `timeInterval`."""
RANGE: Final = "$__range"
"""What the reader looks at."""


def label(attribute: str) -> str:
    """Return the label that Prometheus makes of an attribute."""
    return re.sub(r"\W", "_", attribute)


SERVICE: Final = label(service_attributes.SERVICE_NAME)
HOST: Final = label(host_attributes.HOST_NAME)
RUN: Final = label(semconv.RUN_ID)
RANK: Final = label(semconv.RANK)
STAGE: Final = label(semconv.STAGE)
PHASE: Final = label(semconv.PHASE)
MODE: Final = label(semconv.PROFILE_MODE)
LOGGED: Final = label(semconv.METRIC_NAME)
GPU: Final = label(hw_attributes.HW_ID)
GPU_NAME: Final = label(hw_attributes.HW_NAME)
GPU_TASK: Final = label(hw_attributes.HW_GPU_TASK)
GPU_KIND: Final = label(hw_attributes.HW_TYPE)
ROLE: Final = label(semconv.PROCESS_ROLE)
WORKER: Final = label(semconv.WORKER_ID)

BY_RUN: Final = f"{SERVICE}, {RUN}"
TRAIN: Final = f'{STAGE}="{Stage.TRAIN}"'

# What a dashboard's variables choose. One value is compared as it is; several come as a regular expression.
OF_FLEET: Final = (f'{SERVICE}=~"$service"', f'{HOST}=~"$host"')
OF_RUN: Final = (f'{SERVICE}="$service"', f'{RUN}="$run"', f'{HOST}=~"$host"', f'{RANK}=~"$rank"')
OF_HOST: Final = (f'{HOST}=~"$host"', f'{RUN}=""')
"""Of the Collector on the host: a training that measures its host as well is not counted twice."""
OF_STACK: Final = 'job="stack"'
"""The servers of the stack, as Prometheus scrapes them; the label `server` tells which."""


def name(metric: str) -> str:
    """Return a metric's name in Prometheus.

    Raises:
        KeyError: `semconv` does not know the metric.
    """
    return semconv.prometheus_name(semconv.all_metrics()[metric])


def series(metric: str, *matchers: str, part: str = "") -> str:
    """Return a selector.

    Args:
        metric: Name of `semconv`.
        matchers: Conditions on labels.
        part: `_bucket`, `_sum` or `_count` of a histogram.
    """
    conditions = f"{{{', '.join(matchers)}}}" if matchers else ""
    return f"{name(metric)}{part}{conditions}"


def last(selector: str) -> str:
    """Return the last value in the time that the reader looks at: of a run that has ended, too."""
    return f"last_over_time({selector}[{RANGE}])"


def rate(selector: str) -> str:
    """Return the increase a second."""
    return f"rate({selector}[{RATE}])"


def quantile(share: float, metric: str, *matchers: str, by: str = "") -> str:
    """Return a quantile of a histogram, by labels."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) ({rate(series(metric, *matchers, part='_bucket'))}))"


def mean(metric: str, *matchers: str, by: str) -> str:
    """Return the mean of a histogram in the window, by labels; nothing where nothing was counted."""
    total, count = (f"sum by ({by}) ({rate(series(metric, *matchers, part=part))})" for part in ("_sum", "_count"))
    return f"{total} / ({count} > 0)"


def mean_so_far(metric: str, *matchers: str, by: str) -> str:
    """Return the mean since the processes began: right from the first value on, where a rate needs two exports."""
    total, count = (f"sum by ({by}) ({series(metric, *matchers, part=part)})" for part in ("_sum", "_count"))
    return f"{total} / ({count} > 0)"


def or_zero(expression: str) -> str:
    """Return the expression, 0 where it has no series: none is an answer."""
    return f"{expression} or vector(0)"
