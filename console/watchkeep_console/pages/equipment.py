"""`/equipment`: the register by pages, and one piece of equipment with its live chart."""

from datetime import datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from nicegui import Client, ui
from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import reads
from watchkeep_console.errors import NotFound
from watchkeep_console.pages.charts import Mark, line_chart, line_of, local_ms
from watchkeep_console.pages.feeds import Feeds, Fresh, Wanted
from watchkeep_console.pages.frame import badge, empty, frame, panel, text
from watchkeep_console.pages.missing import missing
from watchkeep_console.pages.rows import CASE_ROW, WARNING_ROW, case_row, warning_row
from watchkeep_console.pages.tables import rows_table, set_text
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE, Words
from watchkeep_core.storage.series import Bucket
from watchkeep_core.vocabulary import load

PER_PAGE = 100
_WINDOWS = {
    "m15": timedelta(minutes=15),
    "h1": timedelta(hours=1),
    "h6": timedelta(hours=6),
    "d1": timedelta(days=1),
    "d7": timedelta(days=7),
    "d30": timedelta(days=30),
    "y1": timedelta(days=365),
}
_CELL = r"""<q-td :props="props"><a :href="props.row.href">{{ props.value }}</a></q-td>"""
_BADGE = r"""<q-td :props="props"><span v-if="props.row.worst" class="wk-badge" :class="'class-' + props.row.worst">
<b>{{ props.row.worst }}</b><span>{{ props.row.open }}</span></span></q-td>"""
Found = tuple[m.EquipmentDetail, m.Community | None, list[m.Warning], list[m.Case]]


def register(tabs: Tabs) -> None:
    feeds = Feeds(tabs.house)

    @ui.page("/equipment")
    async def register_page(
        request: Request,
        client: Client,
        community: str | None = None,
        kind: str | None = None,
        q: str | None = None,
        cursor: str | None = None,
    ) -> Response | None:
        tab = await tabs.enter(request, client)
        if isinstance(tab, Response):
            return tab
        found, communities = await tab.read(_register, community or None, kind or None, q or None, cursor)
        with frame(tab, "equipment", tab.t("equipment.title")):
            _list(tab, found, communities, {"community": community or "", "kind": kind or "", "q": q or ""}, cursor)
        return None

    @ui.page("/equipment/{community}/{equipment_id}")
    async def one_page(request: Request, client: Client, community: str, equipment_id: str) -> Response | None:
        tab = await tabs.enter(request, client)
        if isinstance(tab, Response):
            return tab
        try:
            found = await tab.read(_one, community, equipment_id)
        except NotFound:
            missing(tab, "equipment")
            return None
        with frame(tab, "equipment", found[0].name):
            _One(tab, feeds, found)
        return None


def _register(
    conn: Connection, community: str | None, kind: str | None, text: str | None, cursor: str | None
) -> tuple[m.Page[m.Equipment], list[m.Community]]:
    page = reads.equipment(conn, community=community, kind=kind, text=text, cursor=cursor, limit=PER_PAGE)
    return page, reads.communities(conn)


def _one(conn: Connection, community: str, equipment_id: str) -> Found:
    detail = reads.equipment_detail(conn, community, equipment_id)
    of = next((item for item in reads.communities(conn) if item.community_id == community), None)
    warnings = reads.warnings(conn, community=community, equipment_id=equipment_id, limit=10).items
    return detail, of, warnings, reads.cases(conn, community=community, equipment_id=equipment_id, limit=5).items


def _list(
    tab: Tab, found: m.Page[m.Equipment], communities: list[m.Community], wanted: dict[str, str], cursor: str | None
) -> None:
    t = tab.t
    names = {item.community_id: t.name(item.name, item.name_en) for item in communities}
    with ui.element("div").classes("wk-title"):
        text("h1", t("equipment.title"))
    with ui.element("section").classes("wk-panel"):
        _filters(t, names, wanted)
        rows = [
            {
                "id": f"{item.community_id}/{item.equipment_id}",
                "href": f"/equipment/{item.community_id}/{item.equipment_id}",
                "name": t.name(item.name, item.name_en),
                "number": item.equipment_id,
                "kind": t.kind(item.kind),
                "community": names.get(item.community_id, item.community_id),
                "place": " · ".join(part for part in (item.building, t.level(item.level)) if part),
                "status": t.maybe("status", item.status),
                "open": item.open_warnings,
                "worst": item.worst_class,
            }
            for item in found.items
        ]
        labels = {
            "name": "name",
            "number": "id",
            "kind": "kind",
            "community": "community",
            "place": "where",
            "status": "status",
            "open": "warnings",
        }
        columns = [
            {"name": key, "field": key, "label": t.maybe("equipment", label), "align": "left", "sortable": True}
            for key, label in labels.items()
        ]
        if rows:
            table = (
                ui.table(columns=columns, rows=rows, row_key="id", pagination=0).classes("wk-table").props("flat dense")
            )
            table.add_slot("body-cell-name", _CELL)
            table.add_slot("body-cell-open", _BADGE)
        else:
            empty(t("equipment.none"))
    with ui.element("div").classes("wk-acts"):
        if cursor:
            text("a", t("equipment.first")).props(f'href="{_query(wanted, None)}"')
        if found.next:
            text("a", t("equipment.next")).props(f'href="{_query(wanted, found.next)}"')


def _filters(t: Words, names: dict[str, str], wanted: dict[str, str]) -> None:
    def go() -> None:
        chosen = {"community": community.value or "", "kind": kind.value or "", "q": search.value or ""}
        ui.navigate.to(_query(chosen, None))

    kinds = {item.id: t.of(item) for item in load().kinds.values()}
    with ui.element("div").classes("wk-filters"):
        look = "outlined dense options-dense clearable"
        search = (
            ui.input(t("equipment.search"), value=wanted["q"]).props("outlined dense clearable").on("keydown.enter", go)
        )
        community = ui.select(
            names, label=t("equipment.community"), value=_known(names, wanted["community"]), on_change=go
        )
        community.props(look)
        kind = ui.select(
            kinds, label=t("equipment.kind"), value=_known(kinds, wanted["kind"]), with_input=True, on_change=go
        )
        kind.props(look)


def _known(options: dict[str, str], value: str) -> str | None:
    return value if value in options else None


def _query(wanted: dict[str, str], cursor: str | None) -> str:
    given = {name: value for name, value in (wanted | {"cursor": cursor or ""}).items() if value}
    return f"/equipment?{urlencode(given)}" if given else "/equipment"


class _One:
    """One piece of equipment: facts, points with live values, one chart."""

    def __init__(self, tab: Tab, feeds: Feeds, found: Found) -> None:
        self._tab = tab
        self._feeds = feeds
        self._detail, community, warnings, cases = found
        self._zone = ZoneInfo(community.timezone) if community else ZONE
        self._values: dict[int, tuple[ui.element, ui.element]] = {}
        self._window = "h1"
        t, detail = tab.t, self._detail
        with ui.element("div").classes("wk-title"):
            text("h1", t.name(detail.name, detail.name_en))
            text("span", t.kind(detail.kind)).classes("wk-chip")
            text("span", t.maybe("status", detail.status)).classes("wk-chip")
            if detail.worst_class:
                badge(tab, detail.worst_class)
            else:
                text("span", t("equipment.ok")).classes("wk-chip ok")
            place = t.name(community.name, community.name_en) if community else detail.community_id
            text("span", place).classes("wk-sub")
            if community and community.mode == "replay":
                at = t.full(detail.now, self._zone)
                text("span", t("equipment.replay_now", at=at)).classes("wk-chip replay")
        with ui.element("div").classes("wk-columns case"):
            with ui.element("div"):
                self._chart_panel()
                self._points_panel()
            with ui.element("div"):
                self._facts_panel()
                _history(t, warnings, cases)

    def _chart_panel(self) -> None:
        t = self._tab.t
        with panel(t("equipment.chart")) as head:
            with head:
                ui.element("div").classes("wk-grow")
                options = {point.series_id: t.metric(point.metric) for point in self._detail.points}
                first = next((p for p in self._detail.points if p.value is not None and p.limits), None) or next(
                    (p for p in self._detail.points if p.value is not None), None
                )
                self._point = first or (self._detail.points[0] if self._detail.points else None)
                if self._point is None:
                    self._box = ui.element("div")
                    return
                self._pick = ui.select(options, value=self._point.series_id, on_change=self._choose)
                self._pick.props(f'dense outlined options-dense aria-label="{t("equipment.pick")}"').style(
                    "min-width: 190px"
                )
                windows = {name: t(f"equipment.{name}") for name in _WINDOWS}
                self._span = ui.select(windows, value=self._window, on_change=self._choose)
                self._span.props(f'dense outlined options-dense aria-label="{t("equipment.window")}"')
            self._box = ui.element("div").classes("wk-body")
        ui.timer(0.05, self._draw, once=True)

    def _points_panel(self) -> None:
        t = self._tab.t
        with panel(t("equipment.points")), ui.element("div").classes("wk-body"):
            if not self._detail.points:
                empty(t("equipment.no_points"))
                return
            with ui.element("table").classes("wk-points"):
                with ui.element("thead"), ui.element("tr"):
                    for name in ("points", "latest", "at", "limits"):
                        text("th", t.maybe("equipment", name))
                with ui.element("tbody"):
                    for point in self._detail.points:
                        self._point_row(point)

    def _point_row(self, point: m.Point) -> None:
        t = self._tab.t
        with ui.element("tr"):
            text("td", t.metric(point.metric))
            value = text("td", t.value(point.metric, point.value) if point.value is not None else "–").classes(
                "wk-number"
            )
            at = text("td", t.local(point.at, self._zone)).classes("wk-age")
            self._values[point.series_id] = (value, at)
            with ui.element("td"):
                for limit in point.limits:
                    shown = f"{t.maybe('side', limit.side)} {t.value(point.metric, limit.value)}"
                    chip = text("span", shown).classes("wk-chip" + (" off" if limit.tier == "alarm" else ""))
                    hint = f"{t.condition(limit.condition)} · {t('equipment.basis', basis=limit.basis)}"
                    chip.props(f'title="{_attribute(hint)}"')

    def _facts_panel(self) -> None:
        t, detail = self._tab.t, self._detail
        ownership = load().ownerships.get(detail.ownership)
        facts = {
            "id": detail.equipment_id,
            "where": " · ".join(p for p in (detail.building, t.level(detail.level)) if p),
            "ownership": t.of(ownership) if ownership else detail.ownership,
            "maker": detail.maker,
            "model": detail.model,
            "code": detail.registration_code,
            "installed": str(detail.installed_on or ""),
        }
        with panel(t("equipment.facts")), ui.element("div").classes("wk-body"), ui.element("dl").classes("wk-facts"):
            for name, value in facts.items():
                if value:
                    text("dt", t.maybe("equipment", name))
                    text("dd", value)

    async def _choose(self) -> None:
        self._window = str(self._span.value)
        self._point = next(point for point in self._detail.points if point.series_id == self._pick.value)
        await self._draw()

    async def _draw(self) -> None:
        """A new chart for the chosen point and window; from then on it only grows."""
        point, span, t = self._point, _WINDOWS[self._window], self._tab.t
        if point is None:
            return

        def read(conn: Connection) -> tuple[datetime, list[Bucket]]:
            now = reads.present(conn, self._detail.community_id)
            return now, reads.curve(conn, point.series_id, now - span, now + timedelta(minutes=5))

        now, buckets = await self._tab.read(read)
        metric = load().metrics.get(point.metric)
        steps = bool(metric and metric.value == "state")
        line = line_of(t.metric(point.metric), buckets, t.unit(point.unit), steps=steps)
        points = line.points
        marks = {limit.value: Mark(f"{t('case.limit')} {limit.value:g}", limit.value) for limit in point.limits}
        self._box.clear()
        with self._box:
            if not points:
                empty(t("equipment.no_readings"))
            self._chart = line_chart(
                self._tab.theme, self._zone, [line], list(marks.values())[:4], (now - span, now)
            ).classes("tall")
            self._chart.set_visibility(bool(points))
        self._had_points = bool(points)
        self._follow(now, points[-1][0] if points else now - span)

    def _follow(self, now: datetime, since: datetime) -> None:
        if hasattr(self, "_wanted"):
            return
        series = tuple(sorted(point.series_id for point in self._detail.points))
        self._wanted = Wanted(self._tab.session.person.person_id, self._detail.community_id, series)
        self._feeds.join(self._wanted, since, self._grow)
        self._tab.client.on_delete(lambda: self._feeds.leave(self._wanted, self._grow))

    def _grow(self, fresh: Fresh, now: datetime) -> None:
        """Called by the feed: append to the chart in the browser, show new values."""
        metrics = {point.series_id: point.metric for point in self._detail.points}
        with self._tab.client:
            for series, points in fresh.items():
                value, at = self._values[series]
                set_text(value, self._tab.t.value(metrics[series], points[-1][1]))
                set_text(at, self._tab.t.local(points[-1][0], self._zone))
            if self._point is None or not hasattr(self, "_chart"):
                return
            points = fresh.get(self._point.series_id, ())
            if points and not self._had_points:
                ui.timer(0.0, self._draw, once=True)
                return
            data = [[0, [[local_ms(at, self._zone), value] for at, value in points]]] if points else []
            span_ms = int(_WINDOWS[self._window].total_seconds() * 1000)
            ui.run_javascript(f"wkCharts.append({self._chart.id}, {data}, {span_ms}, {local_ms(now, self._zone)})")


def _history(t: Words, warnings: list[m.Warning], cases: list[m.Case]) -> None:
    with panel(t("equipment.history")):
        if warnings:
            rows_table(WARNING_ROW, [warning_row(t, item, may_judge=False) for item in warnings])
        else:
            empty(t("equipment.no_history"))
    if cases:
        with panel(t("equipment.cases")):
            rows_table(CASE_ROW, [case_row(t, item) for item in cases])


def _attribute(value: str) -> str:
    """Text inside a prop: NiceGUI parses props by quotes."""
    return value.replace('"', "'").replace("\\", "/")
