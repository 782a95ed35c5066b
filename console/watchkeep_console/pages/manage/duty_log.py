"""`/duty-log`: the hand-over log of the duty rooms of a community."""

from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import models as m
from watchkeep_console.api import preventive as api
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.manage import communities
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_core.database import queries
from watchkeep_dispatch import handover

_SQL = queries("watchkeep_console", "sql/manage.sql")


def register(tabs: Tabs) -> None:
    route(tabs, "/duty-log", "dutylog", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    chosen, names = await communities.choose(tab, asked)
    with frame(tab, "dutylog", t("dutylog.title")), ui.element("div").classes("wk-wizard"):
        if chosen is None:
            kit.headline(t("dutylog.title"))
            empty(t("dutylog.no_community"))
            return
        community = chosen.community_id
        log, people, waiting = await tab.read(_read, community)
        with kit.headline(t("dutylog.title"), sub=names[community]):
            if tab.session.person.may("case:file", community):
                kit.button(t("dutylog.hand_over"), lambda: _hand_over(tab, community, people), "primary")
        communities.others(tab, "/duty-log", chosen, names)
        if not log:
            empty(t("dutylog.none"), t("dutylog.none_hint"))
        for entry in log:
            _entry(tab, entry, chosen, waiting=entry["handover_id"] in waiting)


def _read(conn: Connection, community: str) -> tuple[list[dict[str, Any]], dict[str, str], set[int]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        people = cursor.execute(_SQL["duty_people"], {"community": community}).fetchall()
    waiting = {row[0] for row in conn.execute(_SQL["waiting_handovers"])}
    return handover.log(conn, community), {one["login"]: one["name"] for one in people}, waiting


def _entry(tab: Tab, entry: dict[str, Any], community: m.Community, *, waiting: bool) -> None:
    t = tab.t
    zone = ZoneInfo(community.timezone)
    with panel(f"{entry['from_name']} → {entry['to_name']}") as head:
        with head:
            text("span", t.maybe("post", entry["post"])).classes("wk-chip")
            ui.element("div").classes("wk-grow")
            text("span", t.full(entry["at"], zone)).classes("wk-count")
        with ui.element("div").classes("wk-body"):
            text("p", entry["note"]).style("white-space: pre-wrap; margin: 0 0 8px")
            with ui.element("div").classes("wk-one"):
                text(
                    "span", t("dutylog.open", cases=len(entry["open_cases"]), warnings=entry["open_warnings"])
                ).classes("wk-hint")
                for case in entry["open_cases"][:12]:
                    kit.tag("a", f"#{case}", href=f"/cases/{case}")
                ui.element("div").classes("wk-grow")
                if entry["acknowledged_at"]:
                    at = t.local(entry["acknowledged_at"], zone)
                    text("span", t("dutylog.taken_over", at=at)).classes("wk-chip ok")
                elif waiting:
                    kit.button(t("dutylog.take_over"), lambda: _acknowledge(tab, entry["handover_id"]), "primary")
                else:
                    text("span", t("dutylog.waiting")).classes("wk-chip life")


async def _hand_over(tab: Tab, community: str, people: dict[str, str]) -> None:
    t = tab.t
    others = {login: name for login, name in people.items() if login != tab.session.person.login}
    fields = [
        kit.Field(
            "post", t("dutylog.post"), required=True, value="control_room",
            options={one: t.maybe("post", one) for one in handover.POSTS},
        ),
        kit.Field("to", t("dutylog.to"), required=True, options=others),
        kit.Field("note", t("dutylog.note"), "area", required=True, hint=t("dutylog.note_hint")),
    ]  # fmt: skip

    def send(who: Session, given: kit.Given) -> None:
        body = api.HandoverBody(to=given["to"], note=given["note"], post=given["post"])
        api.hand_over(community, body, tab.house, who)

    if await kit.form(tab, t("dutylog.hand_over"), fields, send, t("dutylog.intro")):
        ui.navigate.reload()


async def _acknowledge(tab: Tab, number: int) -> None:
    if await kit.do(tab, lambda who: api.acknowledge(number, tab.house, who)):
        ui.navigate.reload()
