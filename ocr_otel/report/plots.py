"""The report's plots as Plotly figures in plain data: what is drawn, not how it looks in light or dark."""

from __future__ import annotations

from typing import Any, Final

from ocr_otel.report.build import ReportData
from ocr_otel.report.card import parts_of

COLOURS: Final = {
    "fetch": "#d1632f",
    "transfer": "#b58900",
    "forward": "#2f7ed1",
    "backward": "#5a55c9",
    "optimizer": "#8e4bb0",
    "callbacks": "#c04a83",
    "loop": "#8a8f98",
    "validation": "#2a9d74",
    "checkpoint": "#6b8e23",
    "other": "#b9bec7",
}
_KEPT: Final = {"regular": "#2f7ed1", "first": "#8a8f98", "slow": "#d1632f", "error": "#c62828", "profiled": "#8e4bb0"}

_LANES: Final = {"epochs": "#2f7ed1", "validation": "#2a9d74", "checkpoints": "#6b8e23"}

Figure = dict[str, Any]


def figures(data: ReportData) -> dict[str, Figure]:
    """Return the figures by the id of the element that they are drawn in; those without data are left out."""
    found = {"timeline": _timeline(data)}
    if data.epochs:
        found["budget"] = _budget(data)
        found["throughput"] = _throughput(data)
        if any(epoch.memory for epoch in data.epochs):
            found["memory"] = _lines({"resident memory": [epoch.memory / 2**20 for epoch in data.epochs]}, data, "MiB")
        names = sorted({name for epoch in data.epochs for name in epoch.logged})
        if names:
            series = {name: [epoch.logged.get(name) for epoch in data.epochs] for name in names}
            found["logged"] = _lines(series, data, "value")
    if data.kept:
        found["batches"] = _batches(data)
    return found


def _timeline(data: ReportData) -> Figure:
    order = ["checkpoints", "validation", "epochs"]
    names = [name for name in order if any(lane.name == name for lane in data.lanes)]
    entries = list(dict.fromkeys(lane.name for lane in data.lanes if lane.name not in order))
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": [lane.name for lane in data.lanes if lane.name == name],
            "base": [lane.start for lane in data.lanes if lane.name == name],
            "x": [max(lane.seconds, data.wall / 2000) for lane in data.lanes if lane.name == name],
            "customdata": [[lane.label, lane.seconds] for lane in data.lanes if lane.name == name],
            "hovertemplate": "%{customdata[0]}: %{customdata[1]:.3f} s, from %{base:.3f} s<extra></extra>",
            "marker": {"color": _LANES.get(name, "#8a8f98"), "line": {"width": 0.5, "color": "rgba(128,128,128,0.9)"}},
        }
        for name in [*names, *entries]
    ]
    return _figure(bars, "seconds since the run began", "", barmode="overlay", showlegend=False)


def _budget(data: ReportData) -> Figure:
    parts = [dict(parts_of(epoch.budget)) for epoch in data.epochs]
    labels = [f"epoch {epoch.epoch}" for epoch in data.epochs]
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": labels,
            "x": [part.get(name, 0.0) for part in parts],
            "marker": {"color": colour},
            "hovertemplate": f"{name}: %{{x:.3f}} s<extra>%{{y}}</extra>",
        }
        for name, colour in COLOURS.items()
        if any(part.get(name) for part in parts)
    ]
    return _figure(bars, "seconds", "", barmode="stack", reversed_y=True)


def _throughput(data: ReportData) -> Figure:
    return _lines({"samples a second": [epoch.throughput for epoch in data.epochs]}, data, "samples/s")


def _batches(data: ReportData) -> Figure:
    points = [
        {
            "type": "scatter",
            "mode": "markers",
            "name": kept,
            "x": [batch.start for batch in data.kept if batch.kept == kept],
            "y": [batch.seconds * 1000 for batch in data.kept if batch.kept == kept],
            "customdata": [
                [index, f"{batch.stage} epoch {batch.epoch} batch {batch.batch_idx}"]
                for index, batch in enumerate(data.kept)
                if batch.kept == kept
            ],
            "marker": {
                "color": colour,
                "size": 9 if kept == "slow" else 6,
                "symbol": "diamond" if kept == "slow" else "circle",
            },
            "hovertemplate": "%{customdata[1]}: %{y:.2f} ms<extra>click to open</extra>",
        }
        for kept, colour in _KEPT.items()
        if any(batch.kept == kept for batch in data.kept)
    ]
    return _figure(points, "seconds since the run began", "ms a batch", y_type="log")


def _lines(series: dict[str, list[float | None]] | dict[str, list[float]], data: ReportData, unit: str) -> Figure:
    lines = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": _plain(name),
            "x": [epoch.epoch for epoch in data.epochs],
            "y": values,
            "hovertemplate": "epoch %{x}: %{y:.4g}<extra>{name}</extra>".replace("{name}", "%{fullData.name}"),
        }
        for name, values in series.items()
    ]
    figure = _figure(lines, "epoch", unit)
    figure["layout"]["xaxis"]["dtick"] = max(1, len(data.epochs) // 10)
    return figure


def _figure(
    traces: list[dict[str, Any]],
    x: str,
    y: str,
    barmode: str = "",
    showlegend: bool = True,
    y_type: str = "",
    reversed_y: bool = False,
) -> Figure:
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": x}, "automargin": True},
        "yaxis": {"title": {"text": y}, "automargin": True},
        "showlegend": showlegend,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "margin": {"l": 50, "r": 10, "t": 10, "b": 50},
    }
    if barmode:
        layout["barmode"] = barmode
    if y_type:
        layout["yaxis"]["type"] = y_type
    if reversed_y:
        layout["yaxis"]["autorange"] = "reversed"
    return {"data": traces, "layout": layout}


def _plain(name: str) -> str:
    # Plotly reads a small set of tags in names; a logged name is text.
    return name.replace("<", "&lt;").replace(">", "&gt;")
