"""`/calendar`: preventive work by month: what is due, done and overdue; one visit with its checklist."""

import calendar
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import reads, visit_plans
from watchkeep_console.api import preventive as api
from watchkeep_console.errors import NotFound
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_core.database import queries
from watchkeep_dispatch import preventive

SHOWN = 4
"""Visits of a day in the grid; the day's list has all."""
_SQL = queries("watchkeep_console", "sql/manage.sql")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Rows = list[dict[str, Any]]


def register(tabs: Tabs) -> None:
    route(tabs, "/calendar", "calendar", _page)
    route(tabs, "/visits/{visit_id}", "calendar", _visit)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    now = tab.house.clock.now()
    first = month_of(asked.get("month"), now.astimezone(ZONE).date())
    wanted = {"community": asked.get("community") or "", "plan": asked.get("plan") or "", "month": f"{first:%Y-%m}"}
    rows, to_come, overdue, communities, plans = await tab.read(_read, wanted, first, now)
    day = asked.get("day")
    with frame(tab, "calendar", t("calendar.title")):
        kit.headline(t("calendar.title"), sub=f"{first:%Y-%m}")
        done = sum(row["done_at"] is not None for row in rows)
        kit.figures(
            [
                (t("calendar.planned"), str(len(rows)), ""),
                (t("calendar.done"), str(done), "good" if done else ""),
                (t("calendar.open"), str(len(rows) - done), ""),
                (t("calendar.to_come"), str(sum(row["pieces"] for row in to_come)), ""),
                (t("calendar.overdue_all"), str(overdue), "hot-A" if overdue else ""),
            ]
        )
        with ui.element("section").classes("wk-panel"):
            names = {one["plan_id"]: t.name(one["title_zh"], one["title_en"]) for one in plans}
            kit.filters(t, "/calendar", _fields(tab, communities, names), wanted)
            with ui.element("div").classes("wk-pages"):
                for label, other in (("calendar.before", -1), ("calendar.after", 32)):
                    to = (first + timedelta(days=other)).replace(day=1)
                    kit.tag("a", t(label), "wk-mini", href=kit.address("/calendar", wanted, month=f"{to:%Y-%m}"))
            if day:
                _day(tab, [row for row in rows if _date(row).isoformat() == day], now)
            else:
                _grid(tab, rows, to_come, first, now, wanted)
        if not plans:
            empty(t("calendar.no_plans"), t("calendar.no_plans_hint"))
            kit.tag("a", t("plans.title"), href="/plans")


def _fields(tab: Tab, communities: dict[str, str], plans: dict[str, str]) -> list[kit.Filter]:
    t = tab.t
    return [
        kit.Filter("community", t("equipment.community"), communities),
        kit.Filter("plan", t("calendar.plan"), plans),
        kit.Filter("month", t("calendar.month"), kind="month"),
    ]


def month_of(text: str | None, today: date) -> date:
    """The first day of a month such as 2026-11; this month for anything else. Pure."""
    try:
        return date.fromisoformat(f"{text}-01") if text else today.replace(day=1)
    except ValueError:
        return today.replace(day=1)


def _read(
    conn: Connection, wanted: dict[str, str], first: date, now: datetime
) -> tuple[Rows, Rows, int, dict[str, str], Rows]:
    since = datetime.combine(first, time(), ZONE)
    until = datetime.combine((first + timedelta(days=32)).replace(day=1), time(), ZONE)
    community, plan = wanted["community"] or None, wanted["plan"] or None
    asked = {"since": since, "until": until, "community": community, "plan": plan}
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["month_visits"], asked | {"visit": None}).fetchall()
    to_come = visit_plans.month(conn, now, since, until, community, plan)
    late = conn.execute(_SQL["overdue_visits"], {"now": now, "community": community}).fetchone()
    communities = {one.community_id: one.name for one in reads.communities(conn)}
    return rows, to_come, late[0] if late else 0, communities, preventive.plans(conn)


def _date(row: dict[str, Any]) -> date:
    """The day a visit stands on: when it was made, else when it is due, in its community's zone."""
    moment: datetime = row["done_at"] or row["due_at"]
    return moment.astimezone(ZoneInfo(row["timezone"])).date()


def _look(row: dict[str, Any], now: datetime) -> str:
    return "done" if row["done_at"] else "late" if row["due_at"] < now else ""


def _grid(tab: Tab, rows: Rows, to_come: Rows, first: date, now: datetime, wanted: dict[str, str]) -> None:
    t = tab.t
    ahead: dict[date, Rows] = {}
    for row in to_come:
        ahead.setdefault(row["day"], []).append(row)
    by_day: dict[date, Rows] = {}
    for row in rows:
        by_day.setdefault(_date(row), []).append(row)
    today = now.astimezone(ZONE).date()
    with ui.element("div").classes("wk-month"):
        for name in _DAYS:
            text("div", t.maybe("weekday", name)).classes("wk-weekday")
        for day in calendar.Calendar().itermonthdates(first.year, first.month):
            found = by_day.get(day, [])
            with ui.element("div") as cell:
                cell.classes("today" if day == today else "other" if day.month != first.month else "")
                cell.classes("" if found or day in ahead else "empty")
                text("b", str(day.day))
                for row in found[:SHOWN]:
                    _chip(tab, row, now)
                if len(found) > SHOWN:
                    more = kit.address("/calendar", wanted, day=day.isoformat())
                    kit.tag("a", t("calendar.more", n=len(found) - SHOWN), "wk-more", href=more)
                for row in ahead.get(day, [])[:SHOWN]:
                    _chip_to_come(tab, row, wanted)
    with ui.element("div").classes("wk-looks"):
        looks = {"": "open", "done": "done", "late": "overdue", "ahead": "to_come"}
        for look, label in looks.items():
            with ui.element("span"):
                ui.element("i").classes(look)
                text("span", t.maybe("calendar", label))


def _chip(tab: Tab, row: dict[str, Any], now: datetime) -> None:
    t = tab.t
    name = t.name(row["equipment"], row["equipment_en"])
    title = f"{name} · {t.name(row['title_zh'], row['title_en'])} · {t.name(row['org'], row['org_en'])}"
    look = f"wk-visit {_look(row, now)}"
    kit.tag("a", name, look, href=f"/visits/{row['visit_id']}", title=title).style("text-decoration: none")


def _chip_to_come(tab: Tab, row: dict[str, Any], wanted: dict[str, str]) -> None:
    """Visits of a plan that are not open yet."""
    name = tab.t("calendar.pieces", plan=tab.t.name(row["title_zh"], row["title_en"]), n=row["pieces"])
    href = kit.address(f"/plans/{row['plan_id']}", community=wanted["community"])
    kit.tag("a", name, "wk-visit ahead", href=href, title=name).style("text-decoration: none")


def _day(tab: Tab, rows: Rows, now: datetime) -> None:
    t = tab.t
    columns = {name: t.maybe("calendar", name) for name in ("equipment", "plan", "org", "due", "state")}
    shown = [
        {
            "equipment": kit.link(
                t.name(row["equipment"], row["equipment_en"]), f"/visits/{row['visit_id']}", row["community"]
            ),
            "plan": t.name(row["title_zh"], row["title_en"]),
            "org": t.name(row["org"], row["org_en"]),
            "due": t.local(row["due_at"], ZoneInfo(row["timezone"])),
            "state": _state(tab, row, now),
        }
        for row in rows
    ]
    kit.listing(columns, shown, name=t("calendar.title"))


def _state(tab: Tab, row: dict[str, Any], now: datetime) -> dict[str, str]:
    look = _look(row, now)
    label = {"done": "calendar.done", "late": "calendar.overdue", "": "calendar.open"}[look]
    return kit.chip(tab.t(label), {"done": "ok", "late": "off"}.get(look, ""))


async def _visit(tab: Tab, asked: Asked) -> None:
    row = await tab.read(_one, asked.number("visit_id"))
    t, zone = tab.t, ZoneInfo(row["timezone"])
    now = tab.house.clock.now()
    with frame(tab, "calendar", t.name(row["title_zh"], row["title_en"])), ui.element("div").classes("wk-wizard"):
        kit.headline(t.name(row["equipment"], row["equipment_en"]), sub=t.name(row["title_zh"], row["title_en"]))
        if row["done_at"] is None and row["due_at"] < now:
            kit.note(t("calendar.late_note"), "off")
        with panel(t("calendar.about")), ui.element("dl").classes("wk-facts wk-body"):
            facts = {
                "equipment.community": t.name(row["community"], row["community_en"]),
                "calendar.org": t.name(row["org"], row["org_en"]),
                "calendar.due": t.local(row["due_at"], zone),
                "calendar.done_at": t.local(row["done_at"], zone),
                "calendar.person": row["person"] or "–",
                "calendar.signature": row["signature"] or "–",
                "calendar.note": row["note"] or "–",
                "calendar.basis": row["basis"],
            }
            for label, value in facts.items():
                text("dt", t(label))
                text("dd", value)
            text("dt", t("calendar.cases"))
            with ui.element("dd"):
                cases = [*([row["overdue_case"]] if row["overdue_case"] else []), *(row["found_cases"] or [])]
                for case in cases:
                    kit.tag("a", f"#{case} ", href=f"/cases/{case}")
                if not cases:
                    text("span", "–")
        _items(tab, row, may=row["done_at"] is None and row["org_id"] in tab.session.person.organisations)


def _one(conn: Connection, visit: int) -> dict[str, Any]:
    """Raises NotFound."""
    ever = {"since": "-infinity", "until": "infinity", "community": None, "plan": None, "visit": visit}
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_SQL["month_visits"], ever).fetchone()
    if found is None:
        raise NotFound("visit", visit)
    return found


def _items(tab: Tab, row: dict[str, Any], *, may: bool) -> None:
    """The checklist: as it was found, or to be filled in by who has the visit."""
    t = tab.t
    results: dict[str, str] = {name: t.maybe("result", name) for name in preventive.RESULTS}
    given: dict[str, ui.toggle] = {}
    with panel(t("calendar.items")):
        with ui.element("ul").classes("wk-linklist"):
            for item in row["items"]:
                with ui.element("li"):
                    text("span", item["en"] if t.language == "en" else item["zh"]).classes("wk-grow")
                    if may:
                        given[item["id"]] = ui.toggle(results).props("no-caps dense unelevated toggle-color=teal-9")
                    else:
                        found = (row["results"] or {}).get(item["id"])
                        look = {"ok": "ok", "failed": "off"}.get(found or "", "")
                        text("span", results.get(found or "", "–")).classes(f"wk-chip {look}")
        if not may:
            return
        with ui.element("div").classes("wk-body"):
            signature = ui.input(t("calendar.signature")).props("outlined dense maxlength=200")
            note = ui.textarea(t("calendar.note")).props("outlined dense autogrow maxlength=2000").style("width: 100%")

            async def send() -> None:
                body = {name: one.value for name, one in given.items() if one.value}

                def record(who: Session) -> None:
                    visit = api.VisitBody(results=body, signature=signature.value or " ", note=note.value or "")
                    api.complete(row["visit_id"], visit, tab.house, who)

                if await kit.do(tab, record):
                    ui.navigate.reload()

            with ui.element("div").classes("wk-acts").style("margin-top: 10px"):
                kit.button(t("calendar.complete"), send, "primary")
