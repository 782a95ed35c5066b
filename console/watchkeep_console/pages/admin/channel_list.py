"""`/channels`: the ways by which an organisation is told, with a test button; URLs go in and never come out."""

from typing import Any

from nicegui import events, ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import tuning
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_core.database import queries

REFRESH_S = 5.0
_SQL = queries("watchkeep_console", "sql/admin.sql")
_LOOKS = {"sent": "ok", "read": "ok", "failed": "off", "queued": "life"}
Rows = list[dict[str, Any]]


def register(tabs: Tabs) -> None:
    route(tabs, "/channels", "channels", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    rows, orgs = await tab.read(_read, sorted(tab.session.person.organisations))
    with frame(tab, "channels", t("channels.title")):
        with kit.headline(t("channels.title"), len(rows), t("channels.intro")):
            kit.button(t("channels.test"), lambda: _test(tab, orgs))
            kit.button(t("channels.new"), lambda: _new(tab, orgs), "primary")
        box = ui.element("section").classes("wk-panel")

        def draw(rows: Rows) -> None:
            box.clear()
            with box:
                if not rows:
                    empty(t("channels.none"), t("channels.none_hint"))
                    return
                names = ("name", "of", "kind", "when", "last", "acts")
                columns = {name: t.maybe("channels", name) for name in names}
                shown = [_row(tab, row) for row in rows]
                kit.listing(columns, shown, name=t("channels.title"), on_act=lambda event: _act(tab, event))

        draw(rows)
        last = [rows]

        async def refresh() -> None:
            """A test arrives a moment later."""
            found, _ = await tab.read(_read, sorted(tab.session.person.organisations))
            if found != last[0]:
                last[0] = found
                draw(found)

        ui.timer(REFRESH_S, refresh, immediate=False)


def _read(conn: Connection, mine: list[str]) -> tuple[Rows, dict[str, str]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["channels"]).fetchall()
    orgs = {key: name for kind, key, name in conn.execute(_SQL["scopes"]) if kind == "organisation"}
    named = "SELECT org_id, name FROM organisations WHERE org_id = ANY (%s)"
    return rows, orgs | dict(conn.execute(named, [mine]).fetchall())


def _row(tab: Tab, row: dict[str, Any]) -> dict[str, Any]:
    t = tab.t
    last: list[Any] = ["–"]
    if row["status"]:
        last = [kit.chip(t.maybe("channels", row["status"]), _LOOKS.get(row["status"], ""))]
        last.append({"t": t.local(row["tried_at"], ZONE), "sub": row["error"]})
    acts: list[Any] = []
    if row["org_id"]:
        name, label = ("disable", "channels.disable") if row["enabled"] else ("enable", "channels.enable")
        acts = [kit.act(t(label), name, row["channel_id"]), kit.act(t("channels.remove"), "remove", row["channel_id"])]
    hours = row["quiet_hours"] or t("channels.always")
    return {
        "name": [row["name"], *([] if row["enabled"] else [kit.chip(t("channels.off"), "off")])],
        "of": row["org"] or _person(tab, row),
        "kind": t.maybe("channels", f"kind_{row['kind']}"),
        "when": hours,
        "last": last,
        "acts": acts,
    }


def _person(tab: Tab, row: dict[str, Any]) -> dict[str, str]:
    """Administrators go on to the person, whose channels are set there."""
    place = tab.t("channels.rank", n=row["rank"])
    if tab.session.person.may_somewhere("people:edit"):
        return kit.link(row["person"] or "–", f"/people/{row['person_id']}", place)
    return {"t": row["person"] or "–", "sub": place}


async def _act(tab: Tab, event: events.GenericEventArguments) -> None:
    name, channel = str(event.args[0]), int(event.args[1])
    enabled = {"enable": True, "disable": False}.get(name)
    if await kit.do(tab, lambda who: tuning.set_channel(tab.house, who, channel, enabled=enabled)):
        ui.navigate.reload()


async def _new(tab: Tab, orgs: dict[str, str]) -> None:
    t = tab.t
    kinds = {one: t.maybe("channels", f"kind_{one}") for one in tuning.CHANNEL_KINDS}
    fields = [
        kit.Field("org", t("channels.of"), required=True, options=orgs, value=next(iter(orgs), "")),
        kit.Field("kind", t("channels.kind"), required=True, options=kinds, value="wecom"),
        kit.Field("name", t("channels.name"), required=True, hint=t("channels.name_hint")),
        kit.Field("url", t("channels.url"), "password", required=True, hint=t("channels.url_hint")),
        kit.Field("quiet", t("channels.quiet"), hint="22:00-07:00"),
        kit.Field("language", t("channels.language"), options={"zh": "中文", "en": "English"}),
    ]

    def send(who: Session, given: kit.Given) -> None:
        quiet, language = given["quiet"], given["language"]
        tuning.add_channel(tab.house, who, given["org"], given["kind"], given["name"], given["url"], quiet, language)

    if await kit.form(tab, t("channels.new"), fields, send):
        ui.navigate.reload()


async def _test(tab: Tab, orgs: dict[str, str]) -> None:
    t = tab.t
    fields = [kit.Field("org", t("channels.of"), required=True, options=orgs, value=next(iter(orgs), ""))]

    def send(who: Session, given: kit.Given) -> None:
        tuning.try_channels(tab.house, who, given["org"])

    if await kit.form(tab, t("channels.test"), fields, send, t("channels.test_hint")):
        tab.say(t("channels.test_sent"))
