"""What the four dashboards share around their panels."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    RowPanel,
    VariableModel,
)

from dashboards.build import colors, links, promql
from dashboards.build.queries import PROMETHEUS

Group = tuple[str, Sequence[Builder[Panel]]]
"""A title and the panels below it."""


def dashboard(
    title: str,
    uid: str,
    description: str,
    variables: Sequence[Builder[VariableModel]],
    groups: Sequence[Group],
    alerts: str,
    *,
    of_one_run: bool,
) -> Dashboard:
    """Return a dashboard.

    Args:
        title: Its title.
        uid: Its identifier, one of `links`.
        description: What it answers.
        variables: What the reader chooses; later ones may depend on earlier ones.
        groups: Its panels, the most important first.
        alerts: PromQL of the alerts that are marked in all panels.
        of_one_run: Whether the reader has chosen one run, which links to the other dashboards then keep. "All"
            services would be none in a dashboard of one.
    """
    built = (
        dashboards.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([links.TAG])
        .time("now-6h", "now")
        # Trainings export once a minute: more often shows nothing new.
        .refresh("1m")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            dashboards.DashboardLink("Trainings")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([links.TAG])
            .keep_time(True)
            .include_vars(of_one_run)
        )
        .annotation(_Alerts(alerts))
    )
    for variable in variables:
        built.with_variable(variable)
    for name, panels in groups:
        built.with_row(dashboards.Row(name))
        for panel in panels:
            built.with_panel(panel)
    return _numbered(built.build())


class _Alerts(Builder[AnnotationQuery]):
    def __init__(self, expression: str) -> None:
        self._expression = expression

    def build(self) -> AnnotationQuery:
        return AnnotationQuery(
            name="Alerts",
            datasource=PROMETHEUS,
            enable=True,
            icon_color=colors.BAD,
            expr=self._expression,
            # Grafana's own default for both is empty.
            title_format="{{alertname}}",
            text_format=f"{{{{{promql.RUN}}}}} {{{{{promql.HOST}}}}} {{{{server}}}}",
            tag_keys="severity",
        )


def _numbered(built: Dashboard) -> Dashboard:
    # Links to one panel name its number: in the order of reading.
    for number, panel in enumerate(built.panels or [], start=1):
        assert isinstance(panel, Panel | RowPanel)
        panel.id_val = number
    return built
