"""`/supervise/indicators`: figures of a period by company, maintainer, community or subdistrict, down to each order."""

import asyncio
from typing import Any

from nicegui import ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console.api import supervision as api
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.manage import order_list, report_list
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.supervise import areas
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_core.database import queries
from watchkeep_dispatch.indicators import EXCLUDED, FLAGS, MIN_ORDERS, PER_10K, RATES

DIMENSIONS = ("company", "maintainer", "community", "subdistrict")
MOST_BEHIND = 500
_SQL = queries("watchkeep_console", "sql/manage.sql")
_NAMES = queries("watchkeep_console", "sql/supervise.sql")["english_names"]


def register(tabs: Tabs) -> None:
    route(tabs, "/supervise/indicators", "indicators", _page)
    route(tabs, "/supervise/indicators/orders", "indicators", _behind)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    area, names = await areas.choose(tab, asked)
    periods = _periods(tab)
    wanted: dict[str, Any] = {
        "period": asked.one_of("period", periods) or periods[0],
        "by": asked.one_of("by", DIMENSIONS) or "company",
        "area": area,
    }
    house, who = tab.house, tab.session
    found = await asyncio.to_thread(api.figures, house, who, wanted["period"], wanted["by"], area or None)
    if t.language == "en":
        english = await tab.read(_english)
        found = [one | {"name": english.get(one["subject"], one["name"])} for one in found]
    with frame(tab, "indicators", t("indicators.title")):
        kit.headline(t("indicators.title"), sub=wanted["period"])
        with ui.element("section").classes("wk-panel"):
            fields = [
                kit.Filter("period", t("reports.period"), {one: one for one in periods}),
                kit.Filter("by", t("indicators.by"), {one: t.maybe("indicators", one) for one in DIMENSIONS}),
                kit.Filter("area", t("overview.area"), names),
            ]
            kit.filters(t, "/supervise/indicators", fields, wanted)
            if not found:
                empty(t("indicators.none"), t("indicators.none_hint"))
                return
            _table(tab, found, wanted)
        kit.note(t("indicators.small_note", n=MIN_ORDERS), "plain")
        _left_out(tab, found, wanted)


def _english(conn: Connection) -> dict[str, str]:
    """Names of organisations and communities that have an English one, by id."""
    return dict(conn.execute(_NAMES).fetchall())


def _periods(tab: Tab) -> list[str]:
    now = tab.house.clock.now().astimezone(ZONE)
    return report_list.periods_back(now.year, now.month)


def _table(tab: Tab, found: list[dict[str, Any]], wanted: dict[str, Any]) -> None:
    """Best first by what is finished in time; who has too few orders stands below, without a place."""
    t = tab.t
    ranked = sorted((one for one in found if one["ranked"]), key=lambda one: -(one["rates"]["on_time_rate"] or 0.0))
    small = [one for one in found if not one["ranked"]]
    columns = {"place": t("indicators.place"), "name": t.maybe("indicators", wanted["by"]), "due": t("indicators.due")}
    columns |= {name: RATES[name][3 if t.language == "en" else 2] for name in RATES}
    shown = []
    for number, one in enumerate([*ranked, *small], 1):
        marks = [] if one["ranked"] else [kit.chip(t("indicators.small"), "replay")]
        shown.append(
            {
                "place": str(number) if one["ranked"] else "–",
                "name": [one["name"], *marks],
                "due": _counted(one, "due_d", wanted),
                **{name: _rate(one, name, wanted) for name in RATES},
            }
        )
    kit.listing(columns, shown, name=t("indicators.title"))


def _counted(one: dict[str, Any], flag: str, wanted: dict[str, Any]) -> Any:
    count = one["counts"].get(flag) or 0
    return _drill(f"{count:g}", one, flag, wanted) if count else "0"


def _drill(label: str, one: dict[str, Any], flag: str, wanted: dict[str, Any], sub: str = "") -> dict[str, str]:
    return kit.link(label, kit.address("/supervise/indicators/orders", wanted, subject=one["subject"], flag=flag), sub)


def _rate(one: dict[str, Any], name: str, wanted: dict[str, Any]) -> Any:
    """The rate, opening to the orders of its numerator, and what it was divided from."""
    value = one["rates"][name]
    upper, lower = RATES[name][:2]
    counts = one["counts"]
    if value is None:
        return "–"
    label = f"{value:.1f}" if name in PER_10K else f"{100 * value:.1f} %"
    of = f"{counts.get(upper, 0):,.0f} / {counts.get(lower, 0):,.0f}"
    opens = upper if counts.get(upper) else lower
    return _drill(label, one, opens, wanted, of) if opens in FLAGS else {"t": label, "sub": of}


def _left_out(tab: Tab, found: list[dict[str, Any]], wanted: dict[str, Any]) -> None:
    t = tab.t
    with panel(t("indicators.left_out")):
        columns = {"name": t.maybe("indicators", wanted["by"])}
        columns |= {name: said[t.language == "en"] for name, said in EXCLUDED.items()}
        shown = [{"name": one["name"], **{name: _counted(one, name, wanted) for name in EXCLUDED}} for one in found]
        kit.listing(columns, shown, name=t("indicators.left_out"))


async def _behind(tab: Tab, asked: Asked) -> None:
    """The orders that one figure is made of."""
    t = tab.t
    periods = _periods(tab)
    period = asked.one_of("period", periods) or periods[0]
    by: Any = asked.one_of("by", DIMENSIONS) or "company"
    flag = asked.one_of("flag", FLAGS) or "due_d"
    subject, area = asked.get("subject"), asked.get("area")
    house, who = tab.house, tab.session
    pairs = await asyncio.to_thread(api.behind, house, who, period, flag, by, subject, area)
    rows = await tab.read(_orders, [pair["order_id"] for pair in pairs][:MOST_BEHIND], tab.house.clock.now())
    with frame(tab, "indicators", t("indicators.behind")):
        with kit.headline(t("indicators.behind"), len(pairs), f"{subject or ''} · {_flag(tab, flag)} · {period}"):
            back = kit.address("/supervise/indicators", period=period, by=by, area=area)
            kit.tag("a", t("indicators.back"), "wk-mini", href=back)
        with ui.element("section").classes("wk-panel"):
            if rows:
                order_list.table(tab, rows)
            else:
                empty(t("orders.none"))
        if len(pairs) > MOST_BEHIND:
            text("p", t("indicators.most", n=MOST_BEHIND)).classes("wk-hint")


def _flag(tab: Tab, flag: str) -> str:
    english = tab.t.language == "en"
    if flag in EXCLUDED:
        return EXCLUDED[flag][english]
    for upper, lower, *said in RATES.values():
        if flag in (upper, lower):
            return said[english] + ("" if flag == upper else f" · {tab.t('indicators.whole')}")
    return flag


def _orders(conn: Connection, ids: list[int], now: Any) -> list[dict[str, Any]]:
    none = dict.fromkeys(("community", "org", "class", "state", "source", "since", "until", "text"))
    asked = none | {"ids": ids, "shown": "all", "now": now, "limit": MOST_BEHIND, "offset": 0}
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["order_register"], asked).fetchall()
