"""Asks Prometheus and Jaeger what Grafana would ask, with the variables filled in."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.support.stack import get

RATE_WINDOW: Final = "5m"
RANGE: Final = "30m"
RANGE_SECONDS: Final = 1800
STEP_SECONDS: Final = 15
POLL_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the data is.

    Attributes:
        prometheus: Address of Prometheus.
        jaeger: Address of Jaeger's page and API.
    """

    prometheus: str
    jaeger: str

    def values(self, expression: str, *, now: bool) -> list[float]:
        """Return the finite values that a query gives, at once or over the last half hour."""
        end = time.time()
        if now:
            found = self._prometheus("query", query=expression, time=end)["result"]
            points = [[series["value"]] for series in found]
        else:
            asked = {"start": end - RANGE_SECONDS, "end": end, "step": STEP_SECONDS}
            found = self._prometheus("query_range", query=expression, **asked)["result"]
            points = [series["values"] for series in found]
        return [float(value) for each in points for _, value in each if math.isfinite(float(value))]

    def by_run(self, expression: str) -> dict[str, float]:
        """Return the value of each run that a query has now."""
        found = self._prometheus("query", query=expression)["result"]
        return {series["metric"]["training_run_id"]: float(series["value"][1]) for series in found}

    def label_values(self, query: str) -> list[str]:
        """Return the values of a variable's query, `label_values(selector, label)`."""
        parsed = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
        assert parsed, query
        selector, label = parsed.groups()
        found: list[str] = self._prometheus(f"label/{label}/values", **{"match[]": selector})
        return found

    def exemplar_traces(self, expression: str) -> set[str]:
        """Return the trace ids of a query's exemplars."""
        end = time.time()
        found = self._prometheus("query_exemplars", query=expression, start=end - RANGE_SECONDS, end=end)
        return {each["labels"]["trace_id"] for series in found for each in series["exemplars"]}

    def traces(self, target: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the traces that a search of Grafana's Jaeger data source finds."""
        tags = dict(re.findall(r'(\S+)="([^"]*)"', target["tags"]))
        return self.traces_by(
            service=target["service"],
            operation=target["operation"],
            tags=json.dumps(tags),
            limit=target["limit"],
            start=int((time.time() - RANGE_SECONDS) * 1e6),
            end=int(time.time() * 1e6),
        )

    def traces_by(self, **parameters: object) -> list[dict[str, Any]]:
        """Return the traces that Jaeger's search finds."""
        found: list[dict[str, Any]] = get(f"{self.jaeger}/api/traces", **parameters)["data"]
        return found

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        """Return a trace of Jaeger, in a list; empty where it has none of that id."""
        found = get(f"{self.jaeger}/api/traces/{trace_id}")
        return found["data"] if found else []

    def _prometheus(self, path: str, **parameters: object) -> Any:
        return get(f"{self.prometheus}/api/v1/{path}", **parameters)["data"]


def filled(text: str, variables: Mapping[str, str]) -> str:
    """Return a text of a dashboard with its variables, and Grafana's own, in their place."""
    end = int(time.time() * 1000)
    own = {
        "__rate_interval": RATE_WINDOW,
        "__range": RANGE,
        "__from": str(end - RANGE_SECONDS * 1000),
        "__to": str(end),
    }
    known = {**variables, **own}

    def value(found: re.Match[str]) -> str:
        return known[found.group(1) or found.group(2)]

    return re.sub(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))", value, text)


def without_default(expression: str) -> str:
    """Return the expression without its `or vector(0)`: a 0 that is there without data would prove nothing."""
    return expression.replace(" or vector(0)", "")


def until(deadline: float, ask: Callable[[], Any]) -> Any:
    """Ask until there is an answer that is not empty, and return it; at the deadline the last one, at least one."""
    while not (answer := ask()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return answer
