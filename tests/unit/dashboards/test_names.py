"""What the dashboards name exists: metrics, labels, variables, and the dashboards that links lead to."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from dashboards.build import servers
from dashboards.build.promql import label
from ocr_otel import semconv
from ocr_otel.semconv import prometheus_name
from tests.unit.dashboards import promql, reading
from tests.unit.dashboards.reading import NAMES

OF_HISTOGRAM = ("_bucket", "_sum", "_count")
KNOWN_METRICS = {
    f"{prometheus_name(each)}{part}"
    for each in semconv.all_metrics().values()
    for part in (OF_HISTOGRAM if each.kind == "histogram" else ("",))
} | servers.NAMES | {"ALERTS"}  # fmt: skip
LABELS_OF_CONVENTIONS = {
    "service_name", "host_name", "hw_id", "hw_type", "hw_gpu_task", "error_type", "network_io_direction",
    "disk_io_direction", "hw_name", "process_context_switch_type", "system_paging_fault_type", "system_device",
}  # fmt: skip
LABELS_OF_HOSTMETRICS = {"state", "device", "mountpoint", "direction"}
LABELS_OF_SERVERS = {"job", "instance", "server", "exporter", "data_type", "le", "__name__"}
LABELS_OF_ALERTS = {"alertname", "alertstate"}
KNOWN_LABELS = (
    {label(attribute) for attribute in semconv.ATTRIBUTES}
    | LABELS_OF_CONVENTIONS
    | LABELS_OF_HOSTMETRICS
    | LABELS_OF_SERVERS
    | LABELS_OF_ALERTS
)


def _expressions() -> list[tuple[str, str]]:
    found = [(str(query), query.target["expr"]) for query in reading.queries("prometheus")]
    for name in NAMES:
        found += [(f"{name}, alerts", expression) for expression in reading.annotations(name)]
        for variable in reading.variables(name).values():
            if variable["type"] == "query":
                selector, _ = _choice(variable)
                found.append((f"{name}, variable {variable['name']}", selector))
    path = reading.FOLDER / "provisioning" / "datasources" / "ocr-otel.yaml"
    for source in yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]:
        for query in source["jsonData"].get("tracesToMetrics", {}).get("queries", []):
            found.append((f"span to {query['name']}", query["query"].replace("$$__tags", "")))
    return found


def _choice(variable: dict[str, Any]) -> tuple[str, str]:
    parsed = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"])
    assert parsed, variable["query"]
    return parsed.group(1), parsed.group(2)


EXPRESSIONS = _expressions()


@pytest.mark.parametrize("expression", [each for _, each in EXPRESSIONS], ids=[where for where, _ in EXPRESSIONS])
def test_every_metric_and_label_is_one_that_is_emitted(expression: str) -> None:
    assert promql.metrics(expression)
    assert promql.metrics(expression) <= KNOWN_METRICS
    assert promql.labels(expression) <= KNOWN_LABELS


def test_every_metric_of_a_gpu_host_or_rank_has_a_panel() -> None:
    shown = {name for _, expression in EXPRESSIONS for name in promql.metrics(expression)}
    assert {prometheus_name(each) for each in semconv.FOREIGN_METRICS.values()} <= shown


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_that_is_used_exists_and_every_one_that_exists_is_used(name: str) -> None:
    dashboard = reading.load(name)
    del dashboard["templating"]
    used = promql.variables(json.dumps(dashboard, ensure_ascii=False))
    own = reading.variables(name)
    assert used <= set(own)
    of_choices = {each for variable in own.values() for each in promql.variables(str(variable["query"]))}
    assert set(own) <= used | of_choices


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_depends_on_earlier_ones_alone(name: str) -> None:
    earlier: set[str] = set()
    for variable in reading.variables(name).values():
        assert promql.variables(str(variable["query"])) <= earlier
        earlier.add(variable["name"])


@pytest.mark.parametrize("name", NAMES)
def test_choices_come_from_the_data(name: str) -> None:
    for variable in reading.variables(name).values():
        if variable["name"] == "jaeger":
            continue
        assert variable["type"] == "query"
        assert _choice(variable)[1] in KNOWN_LABELS


@pytest.mark.parametrize("name", NAMES)
def test_a_choice_of_several_is_compared_as_a_regular_expression(name: str) -> None:
    text = json.dumps(reading.load(name), ensure_ascii=False).replace('\\"', '"')
    for variable in reading.variables(name).values():
        if variable["type"] == "query":
            for operator in re.findall(rf'(\S)"\${variable["name"]}"', text):
                assert operator == ("~" if variable["multi"] else "="), variable["name"]


def test_links_lead_to_dashboards_that_exist() -> None:
    known = {reading.load(name)["uid"]: set(reading.variables(name)) for name in NAMES}
    addresses = [url for name in NAMES for panel in reading.panels(name) for url in reading.links(panel)]
    inside = [url for url in addresses if url.startswith("/d/")]
    assert inside
    for url in inside:
        uid, _, parameters = url.removeprefix("/d/").partition("?")
        assert set(re.findall(r"var-(\w+)=", parameters)) <= known[uid]


@pytest.mark.parametrize("query", list(reading.queries("jaeger")), ids=str)
def test_a_search_names_spans_and_attributes_that_exist(query: reading.PanelQuery) -> None:
    assert query.target["operation"] in semconv.SPANS
    assert set(re.findall(r"(\S+)=", query.target["tags"])) <= set(semconv.ATTRIBUTES)


@pytest.mark.parametrize(
    ("expression", "metrics", "labels"),
    [
        ('sum by (le) (rate(a_bucket{b="c, d"}[$__range]))', {"a_bucket"}, {"le", "b"}),
        ("time() - max(a{}) and on (b) (c == 1)", {"a", "c"}, {"b"}),
        ("histogram_quantile(0.95, a) / ignoring (__name__) b", {"a", "b"}, {"__name__"}),
    ],
)
def test_names_in_an_expression(expression: str, metrics: set[str], labels: set[str]) -> None:
    assert promql.metrics(expression) == metrics
    assert promql.labels(expression) == labels
