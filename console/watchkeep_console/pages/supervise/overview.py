"""`/supervise`: every company side by side: open work, what is late, what was escalated, how long things take."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.supervise import areas
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_core.vocabulary import load

BACK = timedelta(days=30)
Rows = list[dict[str, Any]]


def register(tabs: Tabs) -> None:
    async def page(tab: Tab, asked: Asked) -> None:
        await _page(tabs, tab, asked)

    route(tabs, "/supervise", "overview", page)


async def _page(tabs: Tabs, tab: Tab, asked: Asked) -> None:
    t = tab.t
    area, names = await areas.choose(tab, asked)
    found = await tab.read(_read, area or None, tab.house.clock.now())
    with frame(tab, "overview", t("overview.title")):
        kit.headline(t("overview.title"), sub=names.get(area, "").strip())
        with ui.element("section").classes("wk-panel"):
            kit.filters(t, "/supervise", [kit.Filter("area", t("overview.area"), names)], {"area": area})
        box = ui.element("div")

        def draw(companies: Rows, escalations: Rows) -> None:
            box.clear()
            with box:
                _figures(tab, companies)
                _companies(tab, companies, area)
                _escalations(tab, escalations)

        draw(*found)
        last = [found]

        async def refresh() -> None:
            again = await tab.read(_read, area or None, tab.house.clock.now())
            if again != last[0]:
                last[0] = again
                draw(*again)

        tabs.follow(tab, refresh)


def _read(conn: Connection, area: str | None, now: datetime) -> tuple[Rows, Rows]:
    asked = {"area": area, "now": now, "since": now - BACK}
    with conn.cursor(row_factory=dict_row) as cursor:
        companies = cursor.execute(areas.SQL["by_company"], asked).fetchall()
        return companies, cursor.execute(areas.SQL["latest_escalations"], asked).fetchall()


def _figures(tab: Tab, rows: Rows) -> None:
    t = tab.t
    sums = {name: sum(row[name] for row in rows) for name in ("a", "b", "c", "overdue", "escalated", "filed")}
    looks = {"a": "hot-A", "b": "hot-B", "c": "hot-C", "overdue": "hot-A", "escalated": "warn", "filed": ""}
    kit.figures(
        [(t.maybe("overview", name), f"{sums[name]:,}", looks[name] if sums[name] else "") for name in sums]
        + [(t("overview.communities"), str(sum(row["communities"] for row in rows)), "")]
    )


def _companies(tab: Tab, rows: Rows, area: str) -> None:
    t = tab.t
    with panel(t("overview.companies")):
        if not rows:
            empty(t("overview.none"), t("overview.none_hint"))
            return
        names = ("company", "a", "b", "c", "overdue", "escalated", "filed", "respond", "finish")
        shown = []
        for row in rows:
            orders = {"org": row["org_id"], "area": ""}
            shown.append(
                {
                    "company": {
                        "t": t.name(row["name"], row["name_en"]) or t("overview.nobody"),
                        "sub": t("overview.of_communities", n=row["communities"]),
                    },
                    **{name: _count(row, name, orders) for name in ("a", "b", "c")},
                    "overdue": _linked(row["overdue"], kit.address("/orders", orders, shown="overdue"), "off"),
                    "escalated": _linked(row["escalated"], kit.address("/orders", orders, shown="escalated"), "life"),
                    "filed": row["filed"],
                    "respond": minutes(row["respond_min"]),
                    "finish": minutes(row["finish_min"]),
                }
            )
        kit.listing({name: t.maybe("overview", name) for name in names}, shown, name=t("overview.companies"))


def _count(row: dict[str, Any], name: str, orders: dict[str, Any]) -> Any:
    href = kit.address("/orders", orders, shown="open", **{"class": name.upper()})
    return kit.link(str(row[name]), href) if row[name] else "0"


def _linked(count: int, href: str, look: str) -> Any:
    return [kit.chip(str(count), look), kit.link("→", href)] if count else "0"


def minutes(value: float | None) -> str:
    """Minutes, hours from two hours on, days from two days on. Pure."""
    if value is None:
        return "–"
    minutes = float(value)
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 2880 else f"{minutes / 1440:.1f} d"


def _escalations(tab: Tab, rows: Rows) -> None:
    t = tab.t
    with panel(t("overview.escalations")):
        if not rows:
            empty(t("overview.no_escalations"), t("overview.no_escalations_hint"))
            return
        parties = load().parties
        columns = {name: t.maybe("overview", name) for name in ("case", "class", "clock", "level", "to", "at")}
        shown = [
            {
                "case": kit.link(
                    row["title_en"] if t.language == "en" else row["title_zh"],
                    f"/cases/{row['case_id']}",
                    f"{t.name(row['community'], row['community_en'])} · {t.name(row['org'], row['org_en'])}",
                ),
                "class": kit.class_badge(t, row["class"]),
                "clock": t.maybe("clock", row["clock"]),
                "level": kit.chip(t("orders.escalated_to", n=row["level"]), "off"),
                "to": t.of(parties[row["to_party"]]) if row["to_party"] in parties else row["to_party"],
                "at": kit.since(t, row["fired_at"], ZoneInfo(row["timezone"])),
            }
            for row in rows
        ]
        kit.listing(columns, shown, name=t("overview.escalations"))
