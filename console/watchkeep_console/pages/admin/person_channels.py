"""How a person is told, on that person's page: for the administrator who answers for the account."""

from typing import Any

from nicegui import events, ui

from watchkeep_console import person_channels
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, panel
from watchkeep_console.pages.tabs import Tab
from watchkeep_console.person_channels import PersonChannel
from watchkeep_console.texts import ZONE

REFRESH_S = 5.0
LOOKS = {"sent": "ok", "read": "ok", "failed": "off", "queued": "life"}


def channels_panel(tab: Tab, person: dict[str, Any], found: list[PersonChannel]) -> None:
    """Channels in their order, to be added, tried, switched and removed."""
    t, who = tab.t, str(person["person_id"])
    with panel(t("channels.of_person")) as head:
        with head:
            ui.element("div").classes("wk-grow")
            tried = kit.button(t("channels.test"), lambda: _test(tab, who))
            kit.button(t("channels.new"), lambda: _new(tab, who))
        box = ui.element("div")

    async def act(event: events.GenericEventArguments) -> None:
        enabled = {"enable": True, "disable": False}.get(str(event.args[0]))
        channel = int(event.args[1])
        if await kit.do(tab, lambda me: person_channels.switch(tab.house, me, who, channel, enabled=enabled)):
            ui.navigate.reload()

    def draw(rows: list[PersonChannel]) -> None:
        box.clear()
        tried.set_enabled(any(row.enabled for row in rows))
        with box:
            if not rows:
                empty(t("channels.none_person"), t("channels.none_person_hint"))
                return
            columns = {name: t.maybe("channels", name) for name in ("kind", "target", "when", "last", "acts")}
            kit.listing(columns, [_row(tab, person, row) for row in rows], name=t("channels.of_person"), on_act=act)

    draw(found)
    last = [found]

    async def refresh() -> None:
        """A test arrives a moment later."""
        rows = await tab.read(person_channels.read, tab.session, who)
        if rows != last[0]:
            last[0] = rows
            draw(rows)

    ui.timer(REFRESH_S, refresh, immediate=False)


def _row(tab: Tab, person: dict[str, Any], row: PersonChannel) -> dict[str, Any]:
    t = tab.t
    last: list[Any] = ["–"]
    if row.status:
        last = [kit.chip(t.maybe("channels", row.status), LOOKS.get(row.status, "")), t.local(row.tried_at, ZONE)]
    name, label = ("disable", "channels.disable") if row.enabled else ("enable", "channels.enable")
    kind = {"t": t.maybe("channels", f"kind_{row.kind}"), "sub": t("channels.rank", n=row.rank)}
    return {
        "kind": [kind, *([] if row.enabled else [kit.chip(t("channels.off"), "off")])],
        "target": _target(tab, person, row.kind),
        "when": row.quiet_hours or t("channels.site_hours"),
        "last": last,
        "acts": [kit.act(t(label), name, row.channel_id), kit.act(t("channels.remove"), "remove", row.channel_id)],
    }


def _target(tab: Tab, person: dict[str, Any], kind: str) -> str:
    """Where it goes, masked."""
    if kind in ("sms", "voice"):
        return person["phone_masked"] or tab.t("channels.no_phone")
    if kind == "mail":
        name, at, host = str(person["email"] or "").partition("@")
        return f"{name[:1]}***{at}{host}" if at else tab.t("channels.no_mail")
    return tab.t("channels.robot")


async def _new(tab: Tab, who: str) -> None:
    t = tab.t
    kinds = {one: t.maybe("channels", f"kind_{one}") for one in person_channels.KINDS}
    fields = [
        kit.Field("kind", t("channels.kind"), required=True, options=kinds, value="sms"),
        kit.Field("quiet", t("channels.quiet"), hint=t("channels.quiet_person_hint")),
    ]

    def send(me: Session, given: kit.Given) -> None:
        person_channels.add(tab.house, me, who, given["kind"], given["quiet"])

    if await kit.form(tab, t("channels.new"), fields, send):
        ui.navigate.reload()


async def _test(tab: Tab, who: str) -> None:
    if await kit.do(tab, lambda me: person_channels.test(tab.house, me, who)):
        tab.say(tab.t("channels.test_sent"))
