"""What all walls share: how a query, a big figure, a table, a line and a whole dashboard are written for Grafana."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard

from watchkeep_core import vocabulary
from watchkeep_core.database import queries
from watchkeep_dashboards.packaged import Language

DATASOURCE = common.DataSourceRef(type_val="grafana-postgresql-datasource", uid="watchkeep")
"""By its fixed uid, never by name or id; the same stands in provisioning/datasource.yaml."""
CALM = "semi-dark-green"

Panel = Builder[dashboard.Panel]


@dataclass(frozen=True, slots=True)
class Wall:
    """One dashboard in one language."""

    name: str
    language: Language

    def say(self, zh: str, en: str) -> str:
        return zh if self.language == "zh" else en

    def sql(self, name: str) -> str:
        """A statement of this wall's SQL file, in its language, without comment lines."""
        file = f"sql/{self.name.replace('-', '_')}.sql"
        text = queries("watchkeep_dashboards", file)[name].as_string(None)
        tolerance_s = vocabulary.load().parameters["clock_skew_tolerance"].value
        text = text.replace("{language}", self.language).replace("{skew_tolerance_s}", f"{tolerance_s:g}")
        return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


@dataclass(frozen=True, slots=True)
class Mark:
    """How one value is shown; the text begins with a sign, so that colour is never the only cue."""

    text: str
    color: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """How one column of a query (or one line of a chart) is shown."""

    name: str
    title: str
    marks: Mapping[str, Mark] = field(default_factory=dict)
    unit: str = ""
    """Grafana's unit id, such as `s` or `time:MM-DD HH:mm`."""
    width: int = 0
    """Of a table column, in pixels; 0 = what is left."""
    alarm: str = ""
    """Colour of a count that is not 0."""
    color: str = ""
    """Fixed colour of a figure or line."""

    def properties(self, *, cell: bool) -> list[dashboard.DynamicConfigValue]:
        """Grafana's override of this column; `cell`: in a table, where colours need a background."""
        found: dict[str, object] = {"displayName": self.title}
        if self.marks:
            results = {
                value: dashboard.ValueMappingResult(mark.text, mark.color or None) for value, mark in self.marks.items()
            }
            found["mappings"] = [dashboard.ValueMap(results)]
        if self.alarm:
            steps = ((None, self.alarm), (0, CALM), (1, self.alarm))
            found["thresholds"] = dashboard.ThresholdsConfig(steps=[dashboard.Threshold(*step) for step in steps])
            found["color"] = dashboard.FieldColor(mode=dashboard.FieldColorModeId.THRESHOLDS)
        if self.color:
            found["color"] = dashboard.FieldColor(mode=dashboard.FieldColorModeId.FIXED, fixed_color=self.color)
        if self.unit:
            found["unit"] = self.unit
        if self.width:
            found["custom.width"] = self.width
        if cell and (self.alarm or any(mark.color for mark in self.marks.values())):
            found["custom.cellOptions"] = {"type": "color-background", "mode": "basic"}
        return [dashboard.DynamicConfigValue(id_val, value) for id_val, value in found.items()]


class PostgresQuery(variants.Dataquery, Builder[variants.Dataquery]):
    """The data query of Grafana's PostgreSQL plug-in, which the SDK lacks."""

    def __init__(self, sql: str, format: str) -> None:
        self._payload = {"editorMode": "code", "format": format, "rawQuery": True, "rawSql": sql, "refId": "A"}

    def build(self) -> variants.Dataquery:
        return self

    def to_json(self) -> dict[str, object]:
        return {**self._payload, "datasource": DATASOURCE}


def at(x: int, y: int, w: int, h: int) -> dashboard.GridPos:
    """Place on the grid: 24 columns; 28 rows of 38 px are a 1080p screen."""
    return dashboard.GridPos(x=x, y=y, w=w, h=h)


def figures(wall: Wall, title: str, query: str, fields: Sequence[Field], place: dashboard.GridPos) -> Panel:
    """Big figures side by side: one row, one number per column."""
    panel = (
        stat.Panel()
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]).fields(""))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.BACKGROUND_SOLID)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .text(common_builders.VizTextDisplayOptions().title_size(28).value_size(88))
    )
    return _filled(panel, title, PostgresQuery(wall.sql(query), "table"), fields, place)


def rows(wall: Wall, title: str, query: str, fields: Sequence[Field], place: dashboard.GridPos) -> Panel:
    """A table without scrolling: the query's LIMIT fits the place."""
    panel = table.Panel().cell_height(common.TableCellHeight.MD).no_value("—")
    return _filled(panel, title, PostgresQuery(wall.sql(query), "table"), fields, place)


def lines(wall: Wall, title: str, query: str, fields: Sequence[Field], place: dashboard.GridPos) -> Panel:
    """Lines over time, one per value of the column `metric`."""
    panel = (
        timeseries.Panel()
        .legend(common_builders.VizLegendOptions().show_legend(True).placement(common.LegendPlacement.BOTTOM))
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .line_width(2)
        .min(0)
    )
    return _filled(panel, title, PostgresQuery(wall.sql(query), "time_series"), fields, place)


P = TypeVar("P", stat.Panel, table.Panel, timeseries.Panel)


def _filled(panel: P, title: str, query: PostgresQuery, fields: Sequence[Field], place: dashboard.GridPos) -> P:
    panel.title(title).datasource(DATASOURCE).with_target(query).grid_pos(place)
    for shown in fields:
        panel.override_by_name(shown.name, shown.properties(cell=isinstance(panel, table.Panel)))
    return panel


def assemble(wall: Wall, title: str, panels: Sequence[Panel], *, choose_community: bool = False) -> str:
    """Classic JSON with sorted keys: the form that Grafana 10 to 13 reads."""
    board = (
        builders.Dashboard(title)
        .uid(f"watchkeep-{wall.name}-{wall.language}")
        .tags(["watchkeep", wall.language])
        .timezone("Asia/Shanghai")
        .refresh("30s")
        .time("now-24h", "now")
    )
    if choose_community:
        board.with_variable(_community(wall))
    for panel in panels:
        board.with_panel(panel)
    built = board.build()
    for number, built_panel in enumerate(built.panels or [], start=1):  # the SDK gives none; links and alerts need them
        built_panel.id_val = number
    document = json.loads(JSONEncoder(sort_keys=True).encode(built))
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _community(wall: Wall) -> builders.QueryVariable:
    """All communities at first. A custom "all" value would not be quoted, so there is none."""
    return (
        builders.QueryVariable("community")
        .label(wall.say("小区", "Community"))
        .datasource(DATASOURCE)
        .query(wall.sql("communities"))
        .refresh(dashboard.VariableRefresh.ON_DASHBOARD_LOAD)
        .multi(True)
        .include_all(True)
        .current(dashboard.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )
