"""What panels ask the data sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
JAEGER: Final = DataSourceRef(type_val="jaeger", uid="jaeger")
"""The identifiers that dashboards/provisioning/ gives the data sources."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query to Prometheus.

    Attributes:
        expression: PromQL.
        legend: Name of its series; `{{label}}` stands for a label's value.
        exemplars: Whether to draw the exemplars of the histogram that is asked for.
        now: Whether one value is wanted, in place of one for each moment.
    """

    expression: str
    legend: str = ""
    exemplars: bool = False
    now: bool = False

    def target(self, ref: str, form: PromQueryFormat = PromQueryFormat.TIME_SERIES) -> prometheus.Dataquery:
        """Return it as the query `ref` (A, B, ...) of a panel."""
        built = prometheus.Dataquery().ref_id(ref).expr(self.expression).datasource(PROMETHEUS).format(form)
        built = built.instant() if self.now else built.range()
        if self.legend:
            built.legend_format(self.legend)
        if self.exemplars:
            built.exemplar(True)
        return built


class JaegerSearch(Dataquery, Builder[Dataquery]):
    """A search for traces, as Grafana's Jaeger data source takes it.

    Args:
        service: Service, or a variable.
        operation: Name of a span that the traces have.
        tags: Attributes of one span, or of its resource, that they have.
        limit: How many.
    """

    def __init__(self, service: str, operation: str, tags: dict[str, str], limit: int) -> None:
        self._search = {"service": service, "operation": operation, "tags": _logfmt(tags), "limit": limit}

    def build(self) -> Dataquery:
        """Return itself: it is built already."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return what the panel's JSON holds."""
        return {"refId": "A", "datasource": JAEGER, "queryType": "search", "query": "", **self._search}


def _logfmt(tags: dict[str, str]) -> str:
    return " ".join(f'{key}="{value}"' for key, value in tags.items())
