"""`/supervise/ledger`: what could not be solved (挂账), its monthly study, and what was struck off (销号)."""

import asyncio
from datetime import date
from typing import Any

from nicegui import events, ui
from psycopg import Connection

from watchkeep_console.api import ledger as api
from watchkeep_console.errors import Invalid
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.supervise import areas
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_console.work import Act, act

SHOWN = ("open", "unstudied", "all")


def register(tabs: Tabs) -> None:
    route(tabs, "/supervise/ledger", "ledger", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    area, names = await areas.choose(tab, asked)
    shown = asked.one_of("shown", SHOWN) or "open"
    all_of_them = await asyncio.to_thread(api.entries, tab.house, tab.session, area or None, True, False)
    units = dict(await tab.read(_units))
    today = tab.house.clock.now().astimezone(ZONE).date()
    standing = [one for one in all_of_them if one.struck_at is None]
    unstudied = [one for one in standing if not one.studied]
    late = [one for one in standing if one.due_on is not None and one.due_on < today]
    found = {"open": standing, "unstudied": unstudied, "all": all_of_them}[shown]
    with frame(tab, "ledger", t("ledger.title")):
        kit.headline(t("ledger.title"), len(standing), t("ledger.intro"))
        kit.figures(
            [
                (t("ledger.open"), str(len(standing)), ""),
                (t("ledger.unstudied"), str(len(unstudied)), "warn" if unstudied else ""),
                (t("ledger.late"), str(len(late)), "hot-A" if late else ""),
                (t("ledger.struck"), str(len(all_of_them) - len(standing)), "good"),
            ]
        )
        with kit.tag("nav", "", "wk-tabs", aria_label=t("ledger.title")):
            for name in SHOWN:
                mark = {"aria_current": "page"} if name == shown else {}
                href = kit.address("/supervise/ledger", area=area, shown=name)
                kit.tag("a", t.maybe("ledger", name), "wk-active" if name == shown else "", href=href, **mark)
        with ui.element("section").classes("wk-panel"):
            kit.filters(t, "/supervise/ledger", [kit.Filter("area", t("overview.area"), names)], {"area": area})
            if not found:
                empty(t("ledger.none"), t("ledger.none_hint"))
                return
            columns = {name: t.maybe("ledger", name) for name in ("case", "unit", "due", "entered", "finding", "acts")}
            kit.listing(
                columns, [_row(tab, one, today) for one in found], name=t("ledger.title"),
                on_act=lambda event: _act(tab, event, units),
            )  # fmt: skip


def _units(conn: Connection) -> list[tuple[str, str]]:
    return conn.execute(areas.SQL["possible_units"]).fetchall()


def _row(tab: Tab, one: api.Entry, today: date) -> dict[str, Any]:
    t = tab.t
    due: Any = one.due_on.isoformat() if one.due_on else "–"
    if one.struck_at is None and one.due_on is not None and one.due_on < today:
        due = kit.chip(f"{due} {t('ledger.late')}", "off")
    acts: list[Any] = []
    if one.struck_at is not None:
        acts.append(kit.chip(t("ledger.struck"), "ok") | {"sub": t.local(one.struck_at, ZONE)})
    else:
        look = "" if one.studied else "primary"
        acts += [
            kit.act(t("ledger.study"), "study", one.case_id, look),
            kit.act(t("ledger.strike"), "strike", one.case_id),
        ]
    said = one.finding or t("ledger.no_finding")
    return {
        "case": kit.link(
            one.title_en if t.language == "en" else one.title_zh,
            f"/cases/{one.case_id}",
            f"{one.community} · {one.reason}",
        ),
        "unit": one.responsible or "–",
        "due": due,
        "entered": t.local(one.entered_at, ZONE),
        "finding": {"t": said, "sub": t("ledger.studies", n=one.studies)},
        "acts": acts,
    }


async def _act(tab: Tab, event: events.GenericEventArguments, units: dict[str, str]) -> None:
    t = tab.t
    name, case_id = str(event.args[0]), int(event.args[1])
    if name == "study":
        fields = [
            kit.Field("finding", t("ledger.finding"), "area", required=True),
            kit.Field("org", t("ledger.unit"), required=True, options=units),
            kit.Field("due", t("ledger.due"), "date", required=True),
        ]
        send = _study
    else:
        fields = [kit.Field("note", t("ledger.strike_reason"), "area", required=True)]
        send = _strike

    if await kit.form(tab, t.maybe("ledger", name), fields, lambda who, given: send(tab, who, case_id, given)):
        ui.navigate.reload()


def _study(tab: Tab, who: Session, case_id: int, given: kit.Given) -> None:
    try:
        due = date.fromisoformat(given["due"])
    except ValueError:
        raise Invalid("due_on", f"{given['due']!r}: 2027-01-31") from None
    body = api.StudyBody(finding=given["finding"], org_id=given["org"], due_on=due)
    api.study(case_id, body, tab.house, who)


def _strike(tab: Tab, who: Session, case_id: int, given: kit.Given) -> None:
    act(tab.house, who, case_id, Act("strike", note=given["note"]))
