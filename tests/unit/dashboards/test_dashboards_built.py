"""The committed dashboards are those that the program builds, and each panel says what a reader needs."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models import units

from dashboards.build import colors, links, thresholds
from dashboards.build.catalog import DASHBOARDS, FOLDER, text
from ocr_otel.semconv import Phase
from tests.unit.dashboards import reading
from tests.unit.dashboards.reading import NAMES

ROOT = Path(__file__).parents[3]
PANELS = [(name, panel) for name in NAMES for panel in reading.panels(name)]
IDS = [f"{name}, {panel['title']}" for name, panel in PANELS]
UNITS = {value for name, value in vars(units).items() if name[0].isupper() and isinstance(value, str)}
BACKGROUNDS = {"light": "#ffffff", "dark": "#181b1f"}
"""Of a panel, in Grafana's two themes."""
each_panel = pytest.mark.parametrize(("name", "panel"), PANELS, ids=IDS)


def test_building_again_changes_nothing() -> None:
    written = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert {name: text(build()) for name, build in DASHBOARDS.items()} == written, "run `make dashboards`"


def test_the_four_dashboards_are_found_by_fixed_identifiers() -> None:
    assert {name: reading.load(name)["uid"] for name in NAMES} == {
        "fleet": links.FLEET,
        "run": links.RUN,
        "resources": links.RESOURCES,
        "telemetry": links.TELEMETRY,
    }
    for name in NAMES:
        assert reading.load(name)["tags"] == [links.TAG]


@each_panel
def test_a_panel_says_how_to_read_it(name: str, panel: dict[str, Any]) -> None:
    assert panel["title"]
    # What it is, and what to do with it: more than one sentence.
    assert len(re.findall(r"[.:?] ", panel["description"])) >= 1, panel["description"]
    assert len(panel["description"]) >= 60


@each_panel
def test_a_panel_has_unit_source_and_thresholds(name: str, panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS or defaults["unit"].startswith("suffix:")
    sources = {source["uid"] for source in _sources()}
    assert panel["datasource"]["uid"] in sources
    assert {target["datasource"]["uid"] for target in panel["targets"]} <= sources
    steps = defaults["thresholds"]["steps"]
    assert steps[0]["value"] is None
    values = [step["value"] for step in steps[1:]]
    assert values == sorted(values)
    assert defaults["noValue"]


@each_panel
def test_a_panels_series_have_names(name: str, panel: dict[str, Any]) -> None:
    if panel["type"] in ("timeseries", "bargauge"):
        assert all(target.get("legendFormat") for target in panel["targets"])


@pytest.mark.parametrize("name", NAMES)
def test_titles_and_numbers_of_panels_are_unique(name: str) -> None:
    panels = reading.load(name)["panels"]
    for key in ("title", "id"):
        values = [panel[key] for panel in panels]
        assert len(values) == len(set(values))


@pytest.mark.parametrize("name", NAMES)
def test_panels_lie_beside_each_other_and_few_in_a_row(name: str) -> None:
    panels = reading.load(name)["panels"]
    places = [panel["gridPos"] for panel in panels]
    for panel, place in zip(panels, places, strict=True):
        assert place["x"] + place["w"] <= 24, f"{panel['title']}: the widths of a line of panels must add up to 24"
        assert place["w"] >= 4
    for one, other in combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )


def test_a_part_of_the_time_has_one_colour_everywhere() -> None:
    assert list(colors.PARTS) == [*Phase, colors.VALIDATION, colors.CHECKPOINT]
    found = set()
    for _, panel in PANELS:
        for override in panel["fieldConfig"]["overrides"]:
            part = override["matcher"]["options"]
            for each in override["properties"]:
                if part in colors.PARTS and each["id"] == "color":
                    assert each["value"]["fixedColor"] == colors.PARTS[part]
                    found.add(part)
    assert found == set(colors.PARTS)


@pytest.mark.parametrize("theme", BACKGROUNDS)
@pytest.mark.parametrize("part", colors.PARTS)
def test_a_colour_stands_out_from_the_background(part: str, theme: str) -> None:
    lighter, darker = sorted((_luminance(colors.PARTS[part]), _luminance(BACKGROUNDS[theme])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 3


@pytest.mark.parametrize(
    "alert", [name for name in vars(thresholds) if name.startswith(("TRAINING_", "TELEMETRY_")) and name.isupper()]
)
def test_thresholds_are_those_of_the_alerts(alert: str) -> None:
    rules = ROOT / "collector-config" / "prometheus" / "rules"
    expressions = {
        rule["alert"].lower(): rule["expr"]
        for path in rules.glob("alerts-*.yaml")
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    }
    number = f"{getattr(thresholds, alert):g}"
    assert re.search(rf"(?<![\w.]){re.escape(number)}(?![\w.])", expressions[alert.replace("_", "").lower()])


def test_provisioning_connects_metrics_and_traces() -> None:
    sources = {source["uid"]: source for source in _sources()}
    assert set(sources) == {"prometheus", "jaeger", "alertmanager"}
    exemplars = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert [(each["name"], each["datasourceUid"]) for each in exemplars] == [("trace_id", "jaeger")]
    assert sources["jaeger"]["jsonData"]["tracesToMetrics"]["datasourceUid"] == "prometheus"
    # Grafana puts in variables of the environment and knows no defaults: nothing else may follow the dollar.
    assert [source["url"] for source in sources.values()] == [
        "$PROMETHEUS_URL",
        "$JAEGER_URL",
        "$ALERTMANAGER_URL",
    ]


def test_the_page_describes_each_dashboard() -> None:
    page = (ROOT / "docs" / "dashboards.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"## {reading.load(name)['title'].removeprefix('Trainings: ').capitalize()}" in page


def _sources() -> list[dict[str, Any]]:
    path = reading.FOLDER / "provisioning" / "datasources" / "ocr-otel.yaml"
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    return found


def _luminance(color: str) -> float:
    channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
