"""`/equipment/COMMUNITY/ID`: one piece of equipment with its live chart; the list is in pages/manage."""

from datetime import datetime
from zoneinfo import ZoneInfo

from nicegui import ui
from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import reads, visit_plans
from watchkeep_console.pages.feeds import Feeds, Fresh, Wanted
from watchkeep_console.pages.frame import badge, empty, frame, panel, text
from watchkeep_console.pages.live_chart import LiveChart
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.rows import CASE_ROW, WARNING_ROW, case_row, warning_row
from watchkeep_console.pages.tables import rows_table, set_text
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE, Words
from watchkeep_core.vocabulary import load

Found = tuple[m.EquipmentDetail, m.Community | None, list[m.Warning], list[m.Case], visit_plans.Rows]


def register(tabs: Tabs) -> None:
    feeds = Feeds(tabs.house)

    async def build(tab: Tab, asked: Asked) -> None:
        found = await tab.read(_one, asked["community"], asked["equipment_id"], tab.house.clock.now())
        with frame(tab, "equipment", found[0].name):
            _One(tab, feeds, found)

    route(tabs, "/equipment/{community}/{equipment_id}", "equipment", build)


def _one(conn: Connection, community: str, equipment_id: str, now: datetime) -> Found:
    detail = reads.equipment_detail(conn, community, equipment_id)
    of = next((item for item in reads.communities(conn) if item.community_id == community), None)
    warnings = reads.warnings(conn, community=community, equipment_id=equipment_id, limit=10).items
    cases = reads.cases(conn, community=community, equipment_id=equipment_id, limit=5).items
    return detail, of, warnings, cases, visit_plans.ahead(conn, now, community=community, equipment=equipment_id)


class _One:
    """One piece of equipment: facts, points with live values, one chart."""

    def __init__(self, tab: Tab, feeds: Feeds, found: Found) -> None:
        self._tab = tab
        self._feeds = feeds
        self._detail, community, warnings, cases, visits = found
        self._zone = ZoneInfo(community.timezone) if community else ZONE
        self._values: dict[int, tuple[ui.element, ui.element]] = {}
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
                self._chart = LiveChart(tab, detail, self._zone)
                self._points_panel()
            with ui.element("div"):
                self._facts_panel()
                _upkeep(tab, visits, self._zone)
                _history(t, warnings, cases)
        if detail.points:
            self._follow()

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
                hints: dict[tuple[str, float], list[str]] = {}
                for limit in point.limits:
                    hint = f"{t.condition(limit.condition)} · {t('equipment.basis', basis=limit.basis)}"
                    hints.setdefault((limit.side, limit.value), []).append(hint)
                alarms = {(limit.side, limit.value) for limit in point.limits if limit.tier == "alarm"}
                for (side, limit_value), lines in hints.items():
                    shown = f"{t.maybe('side', side)} {t.value(point.metric, limit_value)}"
                    chip = text("span", shown).classes("wk-chip" + (" off" if (side, limit_value) in alarms else ""))
                    chip.props["title"] = "\n".join(lines)

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

    def _follow(self) -> None:
        """New values of all points from now on, for as long as the tab is open."""
        series = tuple(sorted(point.series_id for point in self._detail.points))
        wanted = Wanted(self._tab.session.person.person_id, self._detail.community_id, series)
        newest = max((point.at for point in self._detail.points if point.at), default=self._detail.now)
        self._feeds.join(wanted, min(newest, self._detail.now), self._grow)
        self._tab.client.on_delete(lambda: self._feeds.leave(wanted, self._grow))

    def _grow(self, fresh: Fresh, now: datetime) -> None:
        """Called by the feed: append to the chart in the browser, show new values."""
        metrics = {point.series_id: point.metric for point in self._detail.points}
        with self._tab.client:
            for series, points in fresh.items():
                value, at = self._values[series]
                set_text(value, self._tab.t.value(metrics[series], points[-1][1]))
                set_text(at, self._tab.t.local(points[-1][0], self._zone))
            self._chart.grow(fresh, now)


def _upkeep(tab: Tab, visits: visit_plans.Rows, zone: ZoneInfo) -> None:
    """Preventive work on it: last time, next time."""
    t, now = tab.t, tab.house.clock.now()
    if not visits:
        return
    with panel(t("plans.title")), ui.element("ul").classes("wk-linklist"):
        for row in visits:
            late = row["enabled"] and row["due_at"] < now
            href = f"/visits/{row['visit_id']}" if row["visit_id"] else f"/plans/{row['plan_id']}"
            with ui.element("li"):
                with ui.element("div").classes("wk-grow"):
                    text("a", t.name(row["title_zh"], row["title_en"])).props(f'href="{href}"')
                    last = t("equipment.last_visit", at=t.local(row["done_at"], zone))
                    text("div", last).classes("wk-hint")
                if row["enabled"]:
                    due = t.maybe("equipment", "late_visit" if late else "next_visit").format(
                        at=t.local(row["due_at"], zone)
                    )
                    text("span", due).classes("wk-chip off" if late else "wk-chip")
                else:
                    text("span", t("plans.off")).classes("wk-chip replay")


def _history(t: Words, warnings: list[m.Warning], cases: list[m.Case]) -> None:
    with panel(t("equipment.history")):
        if warnings:
            rows_table(WARNING_ROW, [warning_row(t, item, may_judge=False) for item in warnings])
        else:
            empty(t("equipment.no_history"))
    if cases:
        with panel(t("equipment.cases")):
            rows_table(CASE_ROW, [case_row(t, item) for item in cases])
