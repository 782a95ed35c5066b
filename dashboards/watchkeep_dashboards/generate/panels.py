"""The kinds of panel that all boards are made of: figures, tables, lines, states over time, bars."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard

DATASOURCE = common.DataSourceRef(type_val="grafana-postgresql-datasource", uid="watchkeep")
"""By its fixed uid, never by name or id; the same stands in provisioning/datasource.yaml."""
CALM = "semi-dark-green"
SIGNS = {"red": "■", "orange": "▲", CALM: "✓"}
"""Sign of each colour that judges a number; where the number's text cannot carry it, its name does."""

Panel = Builder[dashboard.Panel]
Steps = Sequence[tuple[float | None, str]]


def sign_of(steps: Steps, value: str) -> str:
    """SQL: the sign of the colour that `steps` give to this value, for the name of a bar."""
    first, *others = ((limit, SIGNS[color]) for limit, color in steps)
    cases = "".join(f"WHEN {value} >= {limit:g} THEN '{sign} ' " for limit, sign in reversed(others))
    return f"CASE {cases}ELSE '{first[1]} ' END"


@dataclass(frozen=True, slots=True)
class Mark:
    """How one value is shown; the text begins with a sign, so that colour is never the only cue."""

    text: str
    color: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """How one column of a query (or one line of a chart) is shown."""

    name: str
    title: str = ""
    marks: Mapping[str, Mark] = field(default_factory=dict)
    unit: str = ""
    """Grafana's unit id, such as `s` or `time:MM-DD HH:mm`."""
    width: int = 0
    """Of a table column, in pixels; 0 = what is left."""
    alarm: str = ""
    """Colour of a count that is not 0."""
    color: str = ""
    """Fixed colour of a figure or line."""
    link: str = ""
    """Where a click on the value leads; `${__data.fields.x}` is column x of the same row."""
    hidden: bool = False
    """Only there for links."""
    steps: Steps = ()
    """Colours from these values on; the first from minus infinity (None)."""
    decimals: int | None = None

    def properties(self, *, cell: bool) -> list[dashboard.DynamicConfigValue]:
        """Grafana's override of this column; `cell`: in a table, where colours need a background."""
        if self.hidden:  # Grafana up to 11 knows the first, later ones the second
            hidden = {"custom.hidden": True, "custom.hideFrom": {"legend": False, "tooltip": False, "viz": True}}
            return [dashboard.DynamicConfigValue(id_val, value) for id_val, value in hidden.items()]
        found: dict[str, object] = {"displayName": self.title}
        if self.marks:
            found["mappings"] = [value_map(self.marks)]
        steps = self.steps or (((None, self.alarm), (0, CALM), (1, self.alarm)) if self.alarm else ())
        if steps:
            found["thresholds"] = dashboard.ThresholdsConfig(steps=[dashboard.Threshold(*step) for step in steps])
            found["color"] = dashboard.FieldColor(mode=dashboard.FieldColorModeId.THRESHOLDS)
        if self.color:
            found["color"] = dashboard.FieldColor(mode=dashboard.FieldColorModeId.FIXED, fixed_color=self.color)
        if self.unit:
            found["unit"] = self.unit
        if self.decimals is not None:
            found["decimals"] = self.decimals
        if self.width:
            found["custom.width"] = self.width
        if self.link:
            found["links"] = [{"title": self.title, "url": self.link, "targetBlank": False}]
        if cell and (steps or any(mark.color for mark in self.marks.values())):
            found["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
        return [dashboard.DynamicConfigValue(id_val, value) for id_val, value in found.items()]


def value_map(marks: Mapping[str, Mark]) -> dashboard.ValueMap:
    """Value → text and colour."""
    return dashboard.ValueMap(
        {value: dashboard.ValueMappingResult(mark.text, mark.color or None) for value, mark in marks.items()}
    )


class PostgresQuery(variants.Dataquery, Builder[variants.Dataquery]):
    """The data query of Grafana's PostgreSQL plug-in, which the SDK lacks."""

    def __init__(self, sql: str, format: str) -> None:
        self._payload = {"editorMode": "code", "format": format, "rawQuery": True, "rawSql": sql, "refId": "A"}

    def build(self) -> variants.Dataquery:
        return self

    def to_json(self) -> dict[str, object]:
        return {**self._payload, "datasource": DATASOURCE}


def at(x: int, y: int, w: int, h: int) -> dashboard.GridPos:
    """Place on the grid: 24 columns; 24 rows of 38 px and Grafana's frame are a 1080p screen."""
    return dashboard.GridPos(x=x, y=y, w=w, h=h)


def figures(title: str, sql: str, fields: Sequence[Field], place: dashboard.GridPos, link: str = "") -> Panel:
    """Big figures side by side: one row, one number per column."""
    panel = (
        stat.Panel()
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).fields(""))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .text(common_builders.VizTextDisplayOptions().title_size(28).value_size(80))
        .no_value("—")
    )
    if link:
        panel.links([builders.DashboardLink(title).url(link).type(dashboard.DashboardLinkType.LINK)])
    return _filled(panel, title, PostgresQuery(sql, "table"), fields, place)


def rows(title: str, sql: str, fields: Sequence[Field], place: dashboard.GridPos) -> Panel:
    """A table without scrolling: the query's LIMIT fits the place."""
    panel = table.Panel().cell_height(common.TableCellHeight.SM).no_value("—")
    return _filled(panel, title, PostgresQuery(sql, "table"), fields, place)


def lines(
    title: str,
    sql: str,
    fields: Sequence[Field],
    place: dashboard.GridPos,
    *,
    unit: str = "",
    from_zero: bool = True,
    time_from: str = "",
    dashed: str = "",
) -> Panel:
    """Lines over time, one per value of the column `metric`; `time_from` (`30d`) instead of the board's span.

    `dashed`: lines whose names have this word in them are no measured values.
    """
    panel = (
        timeseries.Panel()
        .legend(common_builders.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM))
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .line_width(3)
        .span_nulls(3_600_000)
    )
    if from_zero:
        panel.min(0)
    if unit:
        panel.unit(unit)
    if time_from:
        panel.time_from(time_from)
    if dashed:
        style = dashboard.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [12, 8]})
        panel.override_by_regexp(f"/{dashed}/", [style])
    return _filled(panel, title, PostgresQuery(sql, "time_series"), fields, place)


def timeline(title: str, sql: str, states: Mapping[str, Mark], place: dashboard.GridPos) -> Panel:
    """States over time, one lane per value of the column `metric`; the words stand in the lanes, beside the colours."""
    panel = (
        statetimeline.Panel()
        .mappings([value_map(states)])
        .show_value(common.VisibilityMode.AUTO)
        .merge_values(True)
        .span_nulls(True)
        .row_height(0.86)
        .legend(common_builders.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM))
    )
    return _filled(panel, title, PostgresQuery(sql, "time_series"), (), place)


def bars(
    title: str,
    sql: str,
    place: dashboard.GridPos,
    *,
    unit: str = "",
    low: float | None = 0,
    high: float | None = None,
    steps: Steps = ((None, "blue"),),
    decimals: int | None = None,
) -> Panel:
    """Lying bars with their figures: one row per bar, columns `name` and `value`."""
    panel = (
        bargauge.Panel()
        .reduce_options(common_builders.ReduceDataOptions().values(True).calcs(["lastNotNull"]).fields("/^value$/"))
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .value_mode(common.BarGaugeValueMode.TEXT)
        .text(common_builders.VizTextDisplayOptions().title_size(20).value_size(24))
        .thresholds(
            builders.ThresholdsConfig()
            .mode(dashboard.ThresholdsMode.ABSOLUTE)
            .steps([dashboard.Threshold(*step) for step in steps])
        )
        .no_value("—")
    )
    if low is not None:
        panel.min(low)
    if high is not None:
        panel.max(high)
    if unit:
        panel.unit(unit)
    if decimals is not None:
        panel.decimals(decimals)
    return _filled(panel, title, PostgresQuery(sql, "table"), (), place)


P = TypeVar("P", stat.Panel, table.Panel, timeseries.Panel, statetimeline.Panel, bargauge.Panel)


def _filled(panel: P, title: str, query: PostgresQuery, fields: Sequence[Field], place: dashboard.GridPos) -> P:
    panel.title(title).datasource(DATASOURCE).with_target(query).grid_pos(place)
    for shown in fields:
        panel.override_by_name(shown.name, shown.properties(cell=isinstance(panel, table.Panel)))
    return panel
