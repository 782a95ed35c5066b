"""`/connect`: from nothing to the first reading, a test alarm and a test notification."""

import re
import shlex
import time

from nicegui import ui

from watchkeep_console import gateways as service
from watchkeep_console import models as m
from watchkeep_console import reads, work
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import frame, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tables import set_text
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_core.topics import ID_PATTERN

POLL_S = 2.0
GIVE_UP_S = 30 * 60
"""A forgotten tab stops asking."""


def register(tabs: Tabs) -> None:
    route(tabs, "/connect", "gateways", _connect)
    route(tabs, "/connect/{community}/{gateway_id}", "gateways", _watch)


async def _connect(tab: Tab, asked: Asked) -> None:
    communities = [
        item for item in await tab.read(reads.communities) if tab.session.person.may("gateway:enrol", item.community_id)
    ]
    with frame(tab, "gateways", tab.t("connect.title")):
        _Wizard(tab, communities)


async def _watch(tab: Tab, asked: Asked) -> None:
    community, gateway_id = asked["community"], asked["gateway_id"]
    found = await tab.read(reads.gateway, community, gateway_id)
    with frame(tab, "gateways", found.name or gateway_id), ui.element("div").classes("wk-wizard"):
        with ui.element("div").classes("wk-title"):
            text("h1", found.name or gateway_id)
            text("span", f"{found.community} · {community}/{gateway_id}").classes("wk-sub")
            ui.element("div").classes("wk-grow")
            if found.revoked_at is not None:
                text("span", tab.t("gateways.revoked")).classes("wk-chip off")
            elif tab.session.person.may("gateway:enrol", community):
                kit.button(tab.t("connect.revoke"), lambda: _revoke(tab, found), "danger")
        with ui.element("section").classes("wk-panel"):
            _Watch(tab, found, 1)


async def _revoke(tab: Tab, found: m.GatewayDetail) -> None:
    """For good: a gateway that comes back is enrolled anew."""

    def send(who: Session, _: kit.Given) -> None:
        service.revoke(tab.house, who, found.community_id, found.gateway_id)

    if await kit.form(tab, tab.t("connect.revoke"), [], send, tab.t("connect.revoke_hint")):
        ui.navigate.reload()


class _Wizard:
    """Four steps on one page; each opens when the one before is done."""

    def __init__(self, tab: Tab, communities: list[m.Community]) -> None:
        self._tab = tab
        t = tab.t
        with ui.element("div").classes("wk-wizard"):
            with ui.element("div").classes("wk-title"):
                text("h1", t("connect.title"))
                text("span", t("connect.intro")).classes("wk-sub")
            with ui.element("section").classes("wk-panel") as self._panel:
                with _Step(1, t("connect.step1")) as self._first:
                    self._form(communities)
                with _Step(2, t("connect.step2"), off=True) as self._second:
                    self._secrets = ui.element("div")

    def _form(self, communities: list[m.Community]) -> None:
        t = self._tab.t
        if not communities:
            allowed = self._tab.session.person.may_somewhere("gateway:enrol")
            text("p", t("connect.no_community") if allowed else t("connect.nothing")).classes("wk-note")
            return
        names = {item.community_id: t.name(item.name, item.name_en) for item in communities}
        look = "outlined dense options-dense"
        with ui.element("div").classes("wk-form"):
            self._community = ui.select(names, label=t("connect.community"), value=next(iter(names))).props(look)
            valid = {t("connect.gateway_id_hint"): lambda value: re.fullmatch(ID_PATTERN, value or "") is not None}
            self._id = ui.input(t("connect.gateway_id"), validation=valid).props("outlined dense")
            self._id.without_auto_validation()
            self._name = ui.input(t("connect.name")).props("outlined dense maxlength=200")
        with ui.element("div").classes("wk-acts").style("margin-top: 12px") as self._buttons:
            button = ui.button(t("connect.create"), color=None, on_click=self._create)
            button.classes("wk-primary").props("unelevated no-caps")

    async def _create(self) -> None:
        if not self._id.validate():
            return
        community, gateway, name = str(self._community.value), str(self._id.value), str(self._name.value or "")
        made = await self._tab.act(lambda who: service.create(self._tab.house, who, community, gateway, name))
        if made is None:
            return
        self._buttons.delete()
        for field in (self._community, self._id, self._name):
            field.disable()
        self._first.classes(add="done")
        self._second.classes(remove="off")
        with self._secrets:
            _credentials(self._tab, made)
        found = await self._tab.read(reads.gateway, community, gateway)
        with self._panel:
            _Watch(self._tab, found, 3)


def _credentials(tab: Tab, made: m.Credentials) -> None:
    """The only time the password is seen."""
    t = tab.t
    text("p", t("connect.once")).classes("wk-note")
    with ui.element("div").classes("wk-secret"):
        for label, value in (
            ("url", made.mqtt_url or t("connect.url_unknown")),
            ("user", made.mqtt_user),
            ("password", made.mqtt_password),
            ("topic", made.topic),
            ("field_topic", made.field_topic),
        ):
            text("span", t.maybe("connect", label))
            text("code", value)
            _copy(tab, value)
    with ui.element("div").classes("wk-one").style("margin-top: 12px"):
        text("strong", t("connect.toml"))
        _copy(tab, made.configuration)
    text("pre", made.configuration).classes("wk-code")
    text("p", t.maybe("connect", made.broker_user)).classes("wk-note" + (" ok" if made.broker_user == "added" else ""))
    if made.broker_user == "by_hand":
        place, url = made.mqtt_user.replace("/", " "), made.mqtt_url or "mqtts://BROKER:8883"
        text("pre", f"watchkeep gateway enroll {place} --mqtt-url {url} --out gateway-bundle").classes("wk-code")


def _copy(tab: Tab, value: str) -> None:
    def copy() -> None:
        ui.clipboard.write(value)
        tab.say(tab.t("app.copied"))

    ui.button(tab.t("app.copy"), on_click=copy, color=None).classes("wk-plain").props("flat dense no-caps size=sm")


class _Watch:
    """Steps three and four: wait for the gateway and its first reading, then test the way to people."""

    def __init__(self, tab: Tab, found: m.GatewayDetail, number: int) -> None:
        self._tab = tab
        self._found = found
        self._since = time.monotonic()
        t = tab.t
        with _Step(number, t("connect.step3")) as self._third:
            with ui.element("div").classes("wk-waiting"):
                self._pulse = ui.element("span").classes("wk-pulse")
                self._state = text("span", "").props('role="status"')
            self._values = ui.element("div")
            if not found.first_readings:
                with ui.element("div") as self._example:
                    text("p", t("connect.try")).classes("wk-hint")
                    text("pre", _example(tab, found)).classes("wk-code")
        with _Step(number + 1, t("connect.step4"), off=not found.first_readings) as self._fourth:
            text("p", t("connect.test_hint")).classes("wk-hint")
            with ui.element("div").classes("wk-acts").style("margin-top: 8px"):
                alarm = ui.button(t("connect.test_alarm"), color=None, on_click=self._alarm)
                alarm.classes("wk-primary").props("unelevated no-caps")
                notification = ui.button(t("connect.test_notification"), color=None, on_click=self._notify)
                notification.classes("wk-plain").props("unelevated no-caps")
            self._result = ui.element("div")
        self._show(found)
        self._timer = ui.timer(POLL_S, self._look, immediate=False)

    async def _look(self) -> None:
        if time.monotonic() - self._since > GIVE_UP_S:
            self._timer.deactivate()
            set_text(self._state, self._tab.t("connect.stopped_waiting"))
            return
        found = await self._tab.read(reads.gateway, self._found.community_id, self._found.gateway_id)
        if found != self._found:
            self._show(found)

    def _show(self, found: m.GatewayDetail) -> None:
        self._found = found
        t = self._tab.t
        if not found.first_readings:
            set_text(self._state, t("connect.born") if found.born_at else t("connect.waiting"))
            return
        set_text(self._state, t("connect.arrived"))
        self._pulse.classes(add="ok")
        self._third.classes(add="done")
        self._fourth.classes(remove="off")
        self._values.clear()
        with self._values, ui.element("dl").classes("wk-facts").style("margin-top: 8px"):
            for reading in found.first_readings:
                with ui.element("dt"):
                    target = f"/equipment/{found.community_id}/{reading.equipment_id}"
                    text("a", reading.equipment_id).props(f'href="{target}"')
                    text("span", f" · {t.metric(reading.metric)}")
                text("dd", f"{t.value(reading.metric, reading.value)}  ({t.full(reading.at)})")

    async def _alarm(self) -> None:
        community, gateway = self._found.community_id, self._found.gateway_id
        done = await self._tab.act(lambda who: work.send_test_alarm(self._tab.house, who, community, gateway))
        if done is None:
            return
        with self._result:
            filed = text("a", self._tab.t("connect.test_filed", id=done.id)).props(f'href="/cases/{done.id}"')
            filed.classes("wk-note ok").style("display: inline-block")

    async def _notify(self) -> None:
        def send(who: Session) -> bool:
            work.send_test_notification(self._tab.house, who, None)
            return True

        if await self._tab.act(send):
            self._tab.say(self._tab.t("connect.test_sent"))


def _example(tab: Tab, found: m.GatewayDetail) -> str:
    """A device of the MQTT bridge, by hand."""
    user = f"{found.community_id}/{found.gateway_id}"
    host = re.sub(r"^mqtts?://", "", tab.house.settings.mqtt_url) or "BROKER"
    name, _, port = host.partition(":")
    payload = shlex.quote('{"values": {"inlet_pressure": 280}}')
    login = f"-h {name} -p {port or '1883'} -u sim -P PASSWORD"  # the gateway's own name would push the gateway out
    return f"mosquitto_pub {login} \\\n  -q 1 -t field/{user}/pump-1 -m {payload}"


class _Step:
    """A numbered step: `with` fills its body, `classes` says how far it is."""

    def __init__(self, number: int, title: str, *, off: bool = False) -> None:
        self._outer = ui.element("div").classes("wk-step" + (" off" if off else ""))
        with self._outer:
            text("b", str(number))
            self._body = ui.element("div")
            with self._body:
                text("h2", title)

    def __enter__(self) -> "_Step":
        self._body.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._body.__exit__(*details)

    def classes(self, *, add: str = "", remove: str = "") -> None:
        self._outer.classes(add=add, remove=remove)
