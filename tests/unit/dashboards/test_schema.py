"""Every dashboard is one that Grafana can load."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from jsonschema import Draft7Validator

from dashboards.build.catalog import text
from tests.unit.dashboards import reading
from tests.unit.dashboards.reading import NAMES, PanelQuery

SCHEMAS = Path(__file__).parent / "schemas"
_ANYTHING = {"type": "object", "additionalProperties": {}}
PANELS = [(name, panel) for name in NAMES for panel in reading.panels(name)]
IDS = [f"{name}, {panel['title']}" for name, panel in PANELS]


@cache
def _schema(kind: str) -> Any:
    # Where Grafana takes any JSON value, the generated schemas say "an object": of any properties.
    def loosened(node: Any) -> Any:
        if isinstance(node, list):
            return [loosened(each) for each in node]
        if not isinstance(node, dict):
            return node
        if {key: node.get(key) for key in _ANYTHING} == _ANYTHING:
            return {}
        return {key: loosened(value) for key, value in node.items()}

    return loosened(json.loads((SCHEMAS / f"{kind}.jsonschema.json").read_text(encoding="utf-8")))


def _faults(kind: str, definition: str, value: object) -> list[str]:
    schema = {**_schema(kind), "$ref": f"#/definitions/{definition}"}
    return [f"{list(error.path)}: {error.message[:300]}" for error in Draft7Validator(schema).iter_errors(value)]


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_follows_grafanas_schema(name: str) -> None:
    assert _faults("dashboard", "Dashboard", reading.load(name)) == []


@pytest.mark.parametrize(("name", "panel"), PANELS, ids=IDS)
def test_a_panel_follows_the_schema_of_its_kind(name: str, panel: dict[str, Any]) -> None:
    kind = panel["type"]
    assert _faults(kind, "Options", panel["options"]) == []
    custom = panel["fieldConfig"]["defaults"].get("custom")
    if custom is not None:
        assert _faults(kind, "FieldConfig", custom) == []


@pytest.mark.parametrize("query", list(reading.queries("prometheus")), ids=str)
def test_a_query_follows_the_schema_of_prometheus(query: PanelQuery) -> None:
    assert _faults("prometheus", "Dataquery", query.target) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_survives_being_read_and_written(name: str) -> None:
    register_default_plugins()
    found = reading.load(name)
    # The library has no model of Jaeger's queries: tests/stack asks them of Jaeger itself.
    for panel in found["panels"]:
        if panel["type"] != "row" and panel["datasource"]["type"] == "jaeger":
            del panel["targets"]
    assert json.loads(text(Dashboard.from_json(found))) == found


def test_the_schemas_do_find_faults() -> None:
    found = reading.load("run")
    found["panels"][1]["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["colour"] = "green"
    assert _faults("dashboard", "Dashboard", found)
