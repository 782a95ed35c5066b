"""`/people`: who may log in, and each person's roles with scope and end."""

import json
from datetime import date, datetime, time, timedelta
from typing import Any

from nicegui import events, ui
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import accounts, administration, person_channels, reads
from watchkeep_console.administration import Details
from watchkeep_console.errors import Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.admin.person_channels import channels_panel
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.people import NewMembership
from watchkeep_console.person_channels import PersonChannel
from watchkeep_console.texts import ZONE
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load

PER_PAGE = 50
_SQL = queries("watchkeep_console", "sql/admin.sql")
_KINDS = ("organisation", "community", "area")


def register(tabs: Tabs) -> None:
    route(tabs, "/people", "people", _page)
    route(tabs, "/people/{person_id}", "people", _one)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    roles = {one.id: t.of(one) for one in load().roles.values()}
    wanted = {
        "q": asked.get("q") or "",
        "org": asked.get("org") or "",
        "role": asked.one_of("role", roles) or "",
        "active": asked.one_of("active", ("yes", "no")) or "",
    }
    rows, orgs = await tab.read(_read, wanted, asked.page)
    total = rows[0]["total"] if rows else 0
    with frame(tab, "people", t("people.title")):
        with kit.headline(t("people.title"), f"{total:,}"):
            kit.button(t("people.new"), lambda: _new(tab, orgs), "primary")
        with ui.element("section").classes("wk-panel"):
            actives = {one: t.maybe("people", f"active_{one}") for one in ("yes", "no")}
            fields = [
                kit.Filter("q", t("people.search")),
                kit.Filter("org", t("people.org"), orgs),
                kit.Filter("role", t("people.role"), roles),
                kit.Filter("active", t("people.account"), actives),
            ]
            kit.filters(t, "/people", fields, wanted)
            if not rows:
                empty(t("people.none"), t("people.none_hint"))
                return
            columns = {name: t.maybe("people", name) for name in ("name", "org", "roles", "contact", "account")}
            kit.listing(columns, [_row(tab, row) for row in rows], name=t("people.title"))
            kit.pages(t, "/people", wanted, asked.page, asked.page * PER_PAGE < total, total)


def _read(conn: Connection, wanted: dict[str, str], page: int) -> tuple[list[dict[str, Any]], dict[str, str]]:
    asked = {
        "org": wanted["org"] or None,
        "role": wanted["role"] or None,
        "active": {"yes": True, "no": False}.get(wanted["active"]),
        "text": reads.literal(wanted["q"]) if wanted["q"] else None,
        "limit": PER_PAGE,
        "offset": (page - 1) * PER_PAGE,
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["people"], asked).fetchall()
    return rows, _scopes(conn)["organisation"]


def _scopes(conn: Connection) -> dict[str, dict[str, str]]:
    """What I administer: kind → id → name."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}
    for kind, key, name in conn.execute(_SQL["scopes"]):
        found[kind][key] = name
    return found


def _row(tab: Tab, row: dict[str, Any]) -> dict[str, Any]:
    t = tab.t
    return {
        "name": kit.link(row["name"], f"/people/{row['person_id']}", row["login"]),
        "org": row["org"] or "–",
        "roles": [kit.chip(f"{t.role(one['role'])} · {one['scope']}", "state") for one in row["roles"]]
        or [kit.chip(t("people.no_role"), "replay")],
        "contact": {"t": row["phone_masked"] or "–", "sub": row["email"]},
        "account": kit.chip(
            t("people.active_yes" if row["active"] else "people.active_no"), "ok" if row["active"] else "off"
        ),
    }


def _fields(tab: Tab, orgs: dict[str, str], row: dict[str, Any] | None = None) -> list[kit.Field]:
    t = tab.t
    row = row or {"name": "", "org_id": "", "email": "", "language": "zh"}
    return [
        kit.Field("name", t("people.name"), required=True, value=row["name"]),
        kit.Field("org", t("people.org"), options=orgs, value=row["org_id"] or ""),
        kit.Field("phone", t("people.phone"), "tel", hint=t("people.phone_hint") if row.get("person_id") else ""),
        kit.Field("email", t("people.email"), "email", value=row["email"]),
        kit.Field("language", t("people.language"), options={"zh": "中文", "en": "English"}, value=row["language"]),
    ]


def _details(given: kit.Given, *, active: bool = True) -> Details:
    return Details(
        name=given["name"], org_id=given["org"] or None, phone=given["phone"], email=given["email"],
        language=given["language"] or "zh", active=active,
    )  # fmt: skip


async def _new(tab: Tab, orgs: dict[str, str]) -> None:
    t = tab.t
    fields = [kit.Field("login", t("people.login"), required=True, hint=t("people.login_hint")), *_fields(tab, orgs)]
    made: list[tuple[str, str]] = []

    def send(who: Session, given: kit.Given) -> None:
        made.append(administration.create(tab.house, who, given["login"], _details(given)))

    if await kit.form(tab, t("people.new"), fields, send):
        person, password = made[-1]
        await _show_once(tab, password)
        ui.navigate.to(f"/people/{person}")


async def _show_once(tab: Tab, password: str) -> None:
    """The only time a password is seen."""
    t = tab.t
    with ui.dialog().props("persistent") as dialog, ui.element("div").classes("wk-dialog q-card"):
        text("h2", t("people.password"))
        with ui.element("div").classes("wk-secret"):
            text("span", t("people.password"))
            text("code", password)
        text("p", t("people.password_once")).classes("wk-note")
        with ui.element("div").classes("wk-acts wk-dialog-acts"):
            kit.button(t("app.close"), lambda: dialog.submit(None), "primary")
    await dialog
    dialog.delete()


async def _one(tab: Tab, asked: Asked) -> None:
    t = tab.t
    found, scopes, channels = await tab.read(_person, tab.session, asked["person_id"])
    own = found["person_id"] == tab.session.person.person_id
    with frame(tab, "people", found["name"]), ui.element("div").classes("wk-wizard"):
        with kit.headline(found["name"], sub=found["login"]):
            kit.tag("a", t("people.back"), "wk-mini", href="/people")
            kit.button(t("people.edit"), lambda: _edit(tab, found, scopes["organisation"]))
            if not own:
                kit.button(t("people.reset"), lambda: _reset(tab, found))
                label = t("people.shut" if found["active"] else "people.open")
                kit.button(label, lambda: _switch(tab, found), "danger" if found["active"] else "plain")
        with panel(t("people.about")), ui.element("dl").classes("wk-facts wk-body"):
            facts = {
                "people.org": found["org"] or "–",
                "people.phone": found["phone_masked"] or "–",
                "people.email": found["email"] or "–",
                "people.account": t("people.active_yes" if found["active"] else "people.active_no"),
                "people.since": t.local(found["created_at"], ZONE),
            }
            for label, value in facts.items():
                text("dt", t(label))
                text("dd", value)
        with panel(t("people.memberships")) as head:
            if own:
                with head:
                    text("span", t("people.not_own")).classes("wk-hint")
            else:
                with head:
                    ui.element("div").classes("wk-grow")
                    kit.button(t("people.grant"), lambda: _grant(tab, found, scopes), "primary")
            _memberships(tab, found, own=own)
        if channels is not None:
            channels_panel(tab, found, channels)
        if not own:
            with panel(t("people.data")), ui.element("div").classes("wk-body"):
                text("p", t("people.data_hint")).classes("wk-hint")
                with ui.element("div").classes("wk-acts"):
                    kit.button(t("people.export"), lambda: _export(tab, found))
                    kit.button(t("people.erase"), lambda: _erase(tab, found), "danger")
                    kit.button(t("people.approve_erasure"), lambda: _approve(tab, found), "danger")


def _person(
    conn: Connection, session: Session, person_id: str
) -> tuple[dict[str, Any], dict[str, dict[str, str]], list[PersonChannel] | None]:
    """The channels only of those for whom the administrator answers."""
    found = administration.person(conn, person_id)
    try:
        channels = person_channels.read(conn, session, found["person_id"])
    except NotFound:
        channels = None
    return found, _scopes(conn), channels


def _memberships(tab: Tab, found: dict[str, Any], *, own: bool) -> None:
    t = tab.t
    if not found["memberships"]:
        empty(t("people.no_role"), t("people.no_role_hint"))
        return
    columns = {name: t.maybe("people", name) for name in ("role", "scope", "since", "until", "acts")}
    rows = []
    for one in found["memberships"]:
        acts: list[Any] = [kit.chip(t("people.ended"), "replay")] if not one["valid"] else []
        if one["valid"] and one["mine"] and not own:
            acts.append(kit.act(t("people.end"), "end", one["membership_id"]))
        rows.append(
            {
                "role": t.role(one["role"]),
                "scope": {"t": one["scope"], "sub": t.maybe("people", f"kind_{one['scope_kind']}")},
                "since": t.local(one["since"], ZONE),
                "until": t.local(one["until"], ZONE) if one["until"] else t("people.no_end"),
                "acts": acts,
            }
        )

    async def end(event: events.GenericEventArguments) -> None:
        number = int(event.args[1])
        if await kit.do(tab, lambda who: administration.end(tab.house, who, number)):
            ui.navigate.reload()

    kit.listing(columns, rows, name=t("people.memberships"), on_act=end)


async def _grant(tab: Tab, found: dict[str, Any], scopes: dict[str, dict[str, str]]) -> None:
    t = tab.t
    every = {
        f"{kind}:{key}": f"{t.maybe('people', f'kind_{kind}')} · {name}"
        for kind in _KINDS
        for key, name in scopes[kind].items()
    }
    roles = {one.id: t.of(one) for one in load().roles.values()}
    fields = [
        kit.Field("role", t("people.role"), required=True, options=roles),
        kit.Field("scope", t("people.scope"), required=True, options=every),
        kit.Field("until", t("people.until"), "date", hint=t("people.until_hint")),
    ]

    def send(who: Session, given: kit.Given) -> None:
        kind, _, key = given["scope"].partition(":")
        membership = NewMembership(given["role"], kind, key)
        administration.grant(tab.house, who, found["person_id"], membership, _end_of(given["until"]))

    if await kit.form(tab, t("people.grant"), fields, send, found["name"]):
        ui.navigate.reload()


def _end_of(day: str) -> datetime | None:
    """The end of a day in the lists' zone. Raises Invalid(`until`)."""
    try:
        return datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), ZONE) if day else None
    except ValueError:
        raise Invalid("until", f"{day!r}: 2027-01-31") from None


async def _edit(tab: Tab, found: dict[str, Any], orgs: dict[str, str]) -> None:
    def send(who: Session, given: kit.Given) -> None:
        administration.change(tab.house, who, found["person_id"], _details(given, active=found["active"]))

    if await kit.form(tab, tab.t("people.edit"), _fields(tab, orgs, found), send):
        ui.navigate.reload()


async def _switch(tab: Tab, found: dict[str, Any]) -> None:
    details = Details(
        name=found["name"], org_id=found["org_id"], email=found["email"], language=found["language"],
        active=not found["active"],
    )  # fmt: skip
    if await kit.do(tab, lambda who: administration.change(tab.house, who, found["person_id"], details)):
        ui.navigate.reload()


async def _reset(tab: Tab, found: dict[str, Any]) -> None:
    password = await tab.act(lambda who: accounts.reset(tab.house, who, found["person_id"]))
    if password is not None:
        await _show_once(tab, password)


async def _export(tab: Tab, found: dict[str, Any]) -> None:
    data = await tab.act(lambda who: accounts.data(tab.house, who, found["person_id"]))
    if data is not None:
        content = json.dumps(data, ensure_ascii=False, indent=2, default=str)
        ui.download.content(content.encode(), f"person-{found['login']}.json")


async def _erase(tab: Tab, found: dict[str, Any]) -> None:
    fields = [kit.Field("reason", tab.t("board.reason"), "area", required=True)]

    def send(who: Session, given: kit.Given) -> None:
        accounts.ask_erasure(tab.house, who, found["person_id"], given["reason"])

    if await kit.form(tab, tab.t("people.erase"), fields, send, tab.t("people.erase_hint")):
        tab.say(tab.t("people.erase_asked"))


async def _approve(tab: Tab, found: dict[str, Any]) -> None:
    if await kit.do(tab, lambda who: accounts.approve_erasure(tab.house, who, found["person_id"])):
        ui.navigate.to("/people")
