"""The variables of the dashboards: what a reader chooses, taken from the data."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.models.dashboard import VariableHide, VariableOption, VariableRefresh, VariableSort

from dashboards.build import promql
from dashboards.build.queries import PROMETHEUS
from ocr_otel import semconv

JAEGER_PAGE: Final = "http://localhost:16686"
"""Where the reader's browser finds Jaeger's own page; the variable `jaeger` changes it."""


def service(*, several: bool) -> dashboards.QueryVariable:
    """Return the choice of a service, or of several."""
    return _choice("service", "Service", semconv.METRIC_RUN_ACTIVE, promql.SERVICE, (), several=several)


def run() -> dashboards.QueryVariable:
    """Return the choice of one run of the service; the newest is the first, as names of runs begin with their time."""
    of_service = (f'{promql.SERVICE}="$service"',)
    built = _choice("run", "Run", semconv.METRIC_RUN_ACTIVE, promql.RUN, of_service, several=False)
    return built.sort(VariableSort.ALPHABETICAL_DESC)


def host_of_fleet() -> dashboards.QueryVariable:
    """Return the choice of hosts of the chosen services."""
    chosen = (promql.OF_FLEET[0],)
    return _choice("host", "Host", semconv.METRIC_RUN_ACTIVE, promql.HOST, chosen, several=True)


def host_of_run() -> dashboards.QueryVariable:
    """Return the choice of hosts of the run."""
    return _choice("host", "Host", semconv.METRIC_RUN_ACTIVE, promql.HOST, promql.OF_RUN[:2], several=True)


def rank() -> dashboards.QueryVariable:
    """Return the choice of ranks of the run on the chosen hosts."""
    built = _choice("rank", "Rank", semconv.METRIC_RUN_ACTIVE, promql.RANK, promql.OF_RUN[:3], several=True)
    return built.sort(VariableSort.NUMERICAL_ASC)


def server() -> dashboards.QueryVariable:
    """Return the choice of servers of the stack."""
    return _variable("server", "Server", f"label_values(up{{{promql.OF_STACK}}}, server)", several=True)


def jaeger_page() -> dashboards.TextBoxVariable:
    """Return the address of Jaeger's own page, for links."""
    return (
        dashboards.TextBoxVariable("jaeger")
        .label("Jaeger's page")
        .description("Address of Jaeger's own page, as your browser reaches it; links lead there.")
        .default_value(JAEGER_PAGE)
        .current(VariableOption(selected=False, text=JAEGER_PAGE, value=JAEGER_PAGE))
        .options([VariableOption(selected=True, text=JAEGER_PAGE, value=JAEGER_PAGE)])
        .hide(VariableHide.DONT_HIDE)
    )


def _choice(
    name: str, title: str, metric: str, label: str, matchers: tuple[str, ...], *, several: bool
) -> dashboards.QueryVariable:
    return _variable(name, title, f"label_values({promql.series(metric, *matchers)}, {label})", several=several)


def _variable(name: str, title: str, query: str, *, several: bool) -> dashboards.QueryVariable:
    built = (
        dashboards.QueryVariable(name)
        .label(title)
        .datasource(PROMETHEUS)
        .query(query)
        # Runs come and go in what the reader looks at.
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(several)
        .include_all(several)
    )
    if several:
        # Everything, also what has no such label, and short however many there are.
        built.all_value(".*").current(VariableOption(selected=True, text="All", value="$__all"))
    return built
