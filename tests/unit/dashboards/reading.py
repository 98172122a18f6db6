"""Reads the committed dashboards as plain JSON, as Grafana does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[3] / "dashboards"
NAMES = ("fleet", "run", "resources", "telemetry")


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """One query of a panel.

    Attributes:
        dashboard: Name of the file.
        panel: Title of the panel.
        target: The query as Grafana gets it.
    """

    dashboard: str
    panel: str
    target: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.dashboard}, {self.panel}, {self.target['refId']}"


def load(name: str) -> dict[str, Any]:
    """Return a dashboard."""
    found: dict[str, Any] = json.loads((FOLDER / "json" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def panels(name: str) -> list[dict[str, Any]]:
    """Return the panels of a dashboard, without the titles of its rows."""
    return [panel for panel in load(name)["panels"] if panel["type"] != "row"]


def queries(kind: str) -> Iterator[PanelQuery]:
    """Yield every query of every panel to a kind of data source, `prometheus` or `jaeger`."""
    for name in NAMES:
        for panel in panels(name):
            for target in panel["targets"]:
                if target["datasource"]["type"] == kind:
                    yield PanelQuery(name, panel["title"], target)


def variables(name: str) -> dict[str, dict[str, Any]]:
    """Return the variables of a dashboard, by name."""
    return {variable["name"]: variable for variable in load(name)["templating"]["list"]}


def annotations(name: str) -> list[str]:
    """Return the queries of the marks in a dashboard's panels."""
    return [each["expr"] for each in load(name)["annotations"]["list"] if each.get("expr")]


def links(panel: dict[str, Any]) -> list[str]:
    """Return the addresses that a panel leads to: its own, and those of its fields."""
    fields = panel["fieldConfig"]
    found = [*panel.get("links", []), *fields["defaults"].get("links", [])]
    for override in fields["overrides"]:
        for each in override["properties"]:
            if each["id"] == "links":
                found.extend(each["value"])
    return [link["url"] for link in found]
