"""Which dashboards there are, and how one becomes a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard, DashboardLinkPlacement

from dashboards.build import fleet, resources, run, telemetry

FOLDER: Final = Path(__file__).parents[1] / "json"

DASHBOARDS: Final[Mapping[str, Callable[[], Dashboard]]] = {
    "fleet": fleet.build,
    "run": run.build,
    "resources": resources.build,
    "telemetry": telemetry.build,
}
"""By the name of the file."""


def text(dashboard: Dashboard) -> str:
    """Return the dashboard as Grafana reads it; the same dashboard gives the same text."""
    plain = json.loads(json.dumps(dashboard, cls=JSONEncoder))
    return json.dumps(_in_sight(plain), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _in_sight(node: Any) -> Any:
    # The library puts links and marks into the menu of controls, and has no way to leave them above the panels.
    if isinstance(node, list):
        return [_in_sight(each) for each in node]
    if isinstance(node, dict):
        return {
            key: _in_sight(value)
            for key, value in node.items()
            if (key, value) != ("placement", DashboardLinkPlacement.IN_CONTROLS_MENU)
        }
    return node
