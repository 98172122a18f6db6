"""Every question that the dashboards ask has an answer in the real Prometheus and the real Jaeger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from tests.stack.dashboards.asking import Servers, filled, until, without_default
from tests.stack.dashboards.scene import FAILED, GOES_ON, SERVICE, SILENT, TROUBLED, Scene, played
from tests.support.stack import RunningStack
from tests.unit.dashboards import reading
from tests.unit.dashboards.reading import FOLDER, NAMES, PanelQuery

METRICS = list(reading.queries("prometheus"))
SEARCHES = list(reading.queries("jaeger"))
CHOICES = [
    (name, variable) for name in NAMES for variable in reading.variables(name).values() if variable["type"] == "query"
]
LINKS = [url for name in NAMES for panel in reading.panels(name) for url in reading.links(panel)]


@pytest.fixture(scope="module")
def scene(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    servers = Servers(stack.plan.url("PROMETHEUS"), stack.plan.url("STACK_JAEGER_QUERY_PORT"))
    with played(servers, stack.environment(), tmp_path_factory.mktemp("dashboards")) as found:
        yield found


@pytest.mark.parametrize("query", METRICS, ids=str)
def test_a_panels_query_has_data(scene: Scene, query: PanelQuery) -> None:
    expression = without_default(filled(query.target["expr"], scene.variables))
    now = bool(query.target["instant"])
    assert until(scene.deadline, lambda: scene.servers.values(expression, now=now)), expression


@pytest.mark.parametrize("query", [each for each in METRICS if each.target.get("exemplar")], ids=str)
def test_exemplars_lead_to_traces(scene: Scene, query: PanelQuery) -> None:
    expression = filled(query.target["expr"], scene.variables)
    traces = until(scene.deadline, lambda: scene.servers.exemplar_traces(expression))
    assert traces
    # The newest ones may be on their way.
    assert until(scene.deadline, lambda: [trace for each in sorted(traces) for trace in scene.servers.trace(each)])


@pytest.mark.parametrize("query", SEARCHES, ids=str)
def test_a_panels_search_finds_traces(scene: Scene, query: PanelQuery) -> None:
    target = {
        key: filled(value, scene.variables) if isinstance(value, str) else value for key, value in query.target.items()
    }
    found = until(scene.deadline, lambda: scene.servers.traces(target))
    assert found
    names = {span["operationName"] for trace in found for span in trace["spans"]}
    assert target["operation"] in names


@pytest.mark.parametrize("link", [url for url in LINKS if url.startswith("${jaeger}")])
def test_a_link_into_jaegers_search_finds_traces(scene: Scene, link: str) -> None:
    address = urlsplit(filled(link, scene.variables))
    assert address.path == "/search"
    parameters = dict(parse_qsl(address.query))
    assert until(scene.deadline, lambda: scene.servers.traces_by(**parameters)), parameters


@pytest.mark.parametrize(("name", "variable"), CHOICES, ids=[f"{name}, {each['name']}" for name, each in CHOICES])
def test_a_variable_offers_what_the_data_has(scene: Scene, name: str, variable: dict[str, Any]) -> None:
    query = filled(variable["query"], scene.variables)
    offered = until(scene.deadline, lambda: scene.servers.label_values(query))
    wanted = {"service": SERVICE, "run": scene.variables["run"], "host": scene.host, "rank": "0"}
    assert wanted.get(variable["name"], "prometheus") in offered


def test_the_table_of_runs_tells_how_each_is_doing(scene: Scene) -> None:
    expression = filled(_expression("fleet", "Runs", "A"), scene.variables)
    wanted = {GOES_ON: 1.0, TROUBLED: 2.0, SILENT: 3.0, FAILED: 4.0}
    states = until(scene.deadline, lambda: _when(scene.servers.by_run(expression), wanted))
    assert states, scene.servers.by_run(expression)


def test_the_parts_of_the_time_add_up(scene: Scene) -> None:
    shares = [
        scene.servers.values(filled(query.target["expr"], scene.variables), now=True)
        for query in METRICS
        if query.dashboard == "run" and query.panel == "Where the time went"
    ]
    assert sum(share for each in shares for share in each) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("name", NAMES)
def test_firing_alerts_are_marked(scene: Scene, name: str) -> None:
    variables = scene.variables | {"run": FAILED}
    for expression in reading.annotations(name):
        asked = filled(expression, variables)
        assert until(scene.deadline, lambda asked=asked: scene.servers.values(asked, now=False)), asked


def test_a_span_leads_to_its_metrics(scene: Scene) -> None:
    settings = next(source["jsonData"]["tracesToMetrics"] for source in _sources() if source["uid"] == "jaeger")
    of_span = {"service.name": SERVICE, "training.run.id": GOES_ON, "host.name": scene.host}
    labels = ", ".join(f'{tag["value"]}="{of_span[tag["key"]]}"' for tag in settings["tags"])
    for query in settings["queries"]:
        expression = query["query"].replace("$$__tags", labels)
        assert until(scene.deadline, lambda asked=expression: scene.servers.values(asked, now=True)), expression


def _expression(dashboard: str, panel: str, ref: str) -> str:
    found: str = next(
        query.target["expr"]
        for query in METRICS
        if (query.dashboard, query.panel, query.target["refId"]) == (dashboard, panel, ref)
    )
    return found


def _when(found: dict[str, float], wanted: dict[str, float]) -> dict[str, float] | None:
    return found if wanted.items() <= found.items() else None


def _sources() -> list[dict[str, Any]]:
    path = FOLDER / "provisioning" / "datasources" / "ocr-otel.yaml"
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    return found
