"""`/audit`: who did what, when; an auditor sees all of it and checks the chain."""

import json
from datetime import date, datetime, time, timedelta
from typing import Any

from nicegui import ui
from psycopg import Connection

from watchkeep_console import trail
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE, Words

PER_PAGE = 50


def register(tabs: Tabs) -> None:
    route(tabs, "/audit", "audit", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    wanted = {name: asked.get(name) or "" for name in ("person", "action", "object", "from", "to")}
    rows, actions = await tab.read(_read, wanted, asked.before)
    with frame(tab, "audit", t("audit.title")):
        all_of_it = trail.may_verify(tab.session)
        with kit.headline(t("audit.title"), sub=t("audit.all" if all_of_it else "audit.own")):
            if all_of_it:
                kit.button(t("audit.verify"), lambda: _verify(tab, box), "primary")
        box = ui.element("div").props('role="status"')
        with ui.element("section").classes("wk-panel"):
            fields = [
                kit.Filter("person", t("audit.person")),
                kit.Filter("action", t("audit.action"), {one: act_words(t, one) for one in actions}),
                kit.Filter("object", t("audit.object")),
                kit.Filter("from", t("audit.from"), kind="date"),
                kit.Filter("to", t("audit.to"), kind="date"),
            ]
            kit.filters(t, "/audit", fields, wanted)
            if not rows:
                empty(t("audit.none"), t("audit.none_hint"))
                return
            columns = {name: t.maybe("audit", name) for name in ("at", "person", "action", "object", "detail", "seal")}
            kit.listing(columns, [_row(tab, row) for row in rows[:PER_PAGE]], name=t("audit.title"))
            last = rows[PER_PAGE - 1]["audit_id"] if len(rows) > PER_PAGE else None
            kit.older(t, "/audit", wanted, asked.before, last)


def _read(conn: Connection, wanted: dict[str, str], before: int | None) -> tuple[list[dict[str, Any]], list[str]]:
    until = _day(wanted["to"])
    rows = trail.entries(
        conn,
        person=wanted["person"] or None,
        action=wanted["action"] or None,
        about=wanted["object"] or None,
        since=_day(wanted["from"]),
        until=until + timedelta(days=1) if until else None,
        before=before,
        limit=PER_PAGE + 1,
    )
    return rows, trail.actions(conn)


def _day(value: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(value), time(), ZONE) if value else None
    except ValueError:
        return None


def act_words(t: Words, action: str) -> str:
    """Steps of cases, orders and funds by their own words; what has none as it is called."""
    group, _, step = action.rpartition(".")
    if group in ("case", "order") and (words := t.maybe("action", step)) != step:
        return f"{t.maybe('audit_object', group)} · {words}"
    return t.maybe("audit_act", action)


def _row(tab: Tab, row: dict[str, Any]) -> dict[str, Any]:
    t = tab.t
    who = row["person"] or (row["person_id"] or "")[:8] or row["service"].removeprefix("watchkeep_")
    return {
        "at": t.full(row["at"], ZONE),
        "person": {"t": who, "sub": row["address"] or ""},
        "action": kit.chip(act_words(t, row["action"])),
        "object": {"t": t.maybe("audit_object", row["object_kind"]), "sub": row["object_id"]},
        "detail": {"t": "", "sub": json.dumps(row["detail"], ensure_ascii=False)[:300] if row["detail"] else ""},
        "seal": f"#{row['seal_no']}" if row["seal_no"] else (kit.chip(t("audit.unsealed"), "replay")),
    }


async def _verify(tab: Tab, box: ui.element) -> None:
    t = tab.t
    found = await tab.act(lambda who: trail.verify(tab.house, who))
    if found is None:
        return
    box.clear()
    with box:
        if found.broken_at is None:
            kit.note(t("audit.whole", sealed=f"{found.sealed:,}", unsealed=f"{found.unsealed:,}"), "ok")
        else:
            kit.note(t("audit.broken", seal=found.broken_at), "off")
