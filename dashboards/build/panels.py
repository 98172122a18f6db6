"""The kinds of panel, each with the settings that all panels of its kind share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, heatmap, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    GraphThresholdsStyleMode,
    HeatmapCellLayout,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.build.face import Face, thresholds, value_map
from dashboards.build.queries import JAEGER, PROMETHEUS, JaegerSearch, Query

_Panel = TypeVar("_Panel", timeseries.Panel, stat.Panel, bargauge.Panel, table.Panel, heatmap.Panel)


def lines(
    face: Face,
    *queries: Query,
    colors: Mapping[str, str] | None = None,
    stacked: bool = False,
    limits: tuple[float | None, float | None] = (0, None),
    right: str = "",
    points: bool = False,
    link: str = "",
) -> timeseries.Panel:
    """Return series over time.

    Args:
        face: What every panel has; its thresholds are drawn as dashed lines.
        queries: What to draw.
        colors: Colour by name of a series; others get one by their name.
        stacked: Whether series are parts of a sum.
        limits: Lowest and highest value of the axis, None for those of the data.
        right: Name of the series that has the axis on the right; empty for none.
        points: Whether values stand apart in time: drawn as points, joined.
        link: Where a click on a series leads.
    """
    panel = (
        _faced(timeseries.Panel(), face)
        .color_scheme(dashboards.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
        .line_width(1 if stacked else 2)
        .fill_opacity(70 if stacked else 0)
        .show_points(VisibilityMode.ALWAYS if points else VisibilityMode.AUTO)
    )
    _asked(panel, queries)
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if points:
        panel.span_nulls(True)
    if face.steps:
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED))
    for value, put in zip(limits, (panel.axis_soft_min, panel.axis_soft_max), strict=True):
        if value is not None:
            put(value)
    _colored(panel, colors or {})
    if right:
        panel.override_by_name(right, [DynamicConfigValue("custom.axisPlacement", "right")])
    if link:
        panel.data_links([_link("Open the run", link)])
    return panel


def number(face: Face, query: Query, mappings: Mapping[str, tuple[str, str]] | None = None) -> stat.Panel:
    """Return one number, in the colour of its threshold.

    Args:
        face: What every panel has.
        query: One series; its last value counts.
        mappings: Text and colour for a value.
    """
    panel = (
        _faced(stat.Panel(), face)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE if query.now else BigValueGraphMode.AREA)
        .color_scheme(dashboards.FieldColor().mode(FieldColorModeId.THRESHOLDS))
    )
    if mappings:
        panel.mappings([value_map(mappings)])
    return _asked(panel, [query])


def bars(
    face: Face, *queries: Query, colors: Mapping[str, str] | None = None, top: float | None = None
) -> bargauge.Panel:
    """Return bars beside each other.

    Args:
        face: What every panel has.
        queries: One value for each series.
        colors: Colour by name of a bar; others have that of their threshold.
        top: Value of a full bar.
    """
    panel = (
        _faced(bargauge.Panel(), face)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .display_mode(BarGaugeDisplayMode.BASIC)
        .orientation(VizOrientation.HORIZONTAL)
        .color_scheme(dashboards.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .show_unfilled(True)
        .min(0)
    )
    if top is not None:
        panel.max(top)
    return _colored(_asked(panel, queries), colors or {})


def rows(
    face: Face,
    queries: Mapping[str, Query],
    columns: Mapping[str, str],
    sort_by: str,
    overrides: Mapping[str, Sequence[DynamicConfigValue]],
) -> table.Panel:
    """Return a table: one row for each set of labels, one column for each label and query.

    Args:
        face: What every panel has.
        queries: By the name of their column; all by the same labels.
        columns: Names of the columns of labels, by label, before the others.
        sort_by: Column to sort by, the highest first.
        overrides: What differs in a column, by its name.
    """
    named = dict(columns) | {
        # Where there is one query, Grafana calls its column `Value`.
        (f"Value #{ref}" if len(queries) > 1 else "Value"): column
        for ref, column in zip(ascii_uppercase, queries, strict=False)
    }
    panel = (
        _faced(table.Panel(), face)
        .color_scheme(dashboards.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {"Time": True},
                    "indexByName": {field: index for index, field in enumerate(named)},
                    "renameByName": named,
                },
            )
        )
        .sort_by([common.TableSortByFieldState().display_name(sort_by).desc(True)])
        .filterable(True)
    )
    for column, properties in overrides.items():
        panel.override_by_name(column, list(properties))
    return _asked(panel, list(queries.values()), PromQueryFormat.TABLE)


def traces(face: Face, search: JaegerSearch, link: str, hidden: Sequence[str] = ()) -> table.Panel:
    """Return what Jaeger finds, the newest first; a click on a row opens the trace.

    Args:
        face: What every panel has.
        search: What to look for.
        link: Address of the same search in Jaeger's own page.
        hidden: Columns of Grafana's answer that would mislead here.
    """
    panel = _faced(table.Panel(), face).datasource(JAEGER).with_target(search).filterable(True)
    panel.sort_by([common.TableSortByFieldState().display_name("Start time").desc(True)])
    for column in hidden:
        panel.override_by_name(column, [DynamicConfigValue("custom.hidden", True)])
    return panel.links([_dashboard_link("Search in Jaeger", link)])


def heat(face: Face, query: Query) -> heatmap.Panel:
    """Return how the buckets of a histogram fill over time, with exemplars."""
    panel = (
        _faced(heatmap.Panel(), face)
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heatmaps.HeatmapColorMode.SCHEME)
            # Grafana turns this scheme round in its dark theme.
            .scheme("Blues")
            .steps(64)
        )
        .y_axis(heatmap.YAxisConfig().unit(face.unit))
        .rows_frame(heatmap.RowsHeatmapOptions().layout(HeatmapCellLayout.AUTO))
        .cell_values(heatmap.CellValues().unit("short"))
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .exemplars_color("rgba(255,120,10,0.9)")
        .scale_distribution(common.ScaleDistributionConfig().type(ScaleDistribution.LINEAR))
        .tooltip(heatmap.HeatmapTooltip().mode(TooltipDisplayMode.SINGLE).y_histogram(True))
        .show_legend()
    )
    return _asked(panel, [query], PromQueryFormat.HEATMAP)


def _faced(panel: _Panel, face: Face) -> _Panel:
    return (
        panel.title(face.title)
        .description(face.description)
        .unit(face.unit)
        .span(face.width)
        .height(face.height)
        .thresholds(thresholds(face.base, face.steps))
        .no_value(face.empty)
        .datasource(PROMETHEUS)
    )


def _asked(panel: _Panel, queries: Sequence[Query], form: PromQueryFormat = PromQueryFormat.TIME_SERIES) -> _Panel:
    for ref, query in zip(ascii_uppercase, queries, strict=False):
        panel.with_target(query.target(ref, form))
    return panel


def _colored(panel: _Panel, colors: Mapping[str, str]) -> _Panel:
    for series, color in colors.items():
        panel.override_by_name(series, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})])
    return panel


def _link(title: str, url: str) -> dashboards.DashboardLink:
    return dashboards.DashboardLink(title).url(url)


def _dashboard_link(title: str, url: str) -> dashboards.DashboardLink:
    return dashboards.DashboardLink(title).url(url).target_blank(True)
