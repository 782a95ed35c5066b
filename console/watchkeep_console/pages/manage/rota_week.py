"""`/rota`: who is on call this week, where nobody is, who has how much to do, whose certificate runs out."""

from datetime import date, datetime, time, timedelta
from typing import Any

from nicegui import ui
from psycopg import Connection

from watchkeep_console import reads, rotas
from watchkeep_console.errors import Invalid
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_core.database import queries
from watchkeep_dispatch import rota

WEEK = timedelta(days=7)
SOON_DAYS = 60
"""A certificate that ends within so many days is marked."""
_SQL = queries("watchkeep_console", "sql/manage.sql")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_REPEATS = ("once", "daily", "workdays", "weekly")


def register(tabs: Tabs) -> None:
    route(tabs, "/rota", "rota", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    orgs = await tab.read(_organisations, sorted(tab.session.person.organisations))
    org = asked.one_of("org", orgs) or next(iter(orgs), "")
    monday = _monday(asked.get("week"), tab.house.clock.now())
    with frame(tab, "rota", t("rota.title")):
        if not org:
            kit.headline(t("rota.title"))
            empty(t("rota.no_organisation"))
            return
        view = _Week(tab, org, monday)
        with kit.headline(t("rota.title"), sub=orgs[org]):
            if view.may:
                kit.button(t("rota.add"), view.add, "primary")
        if len(orgs) > 1:
            with kit.tag("nav", "", "wk-tabs", aria_label=t("rota.organisation")):
                for key, name in orgs.items():
                    mark = {"aria_current": "page"} if key == org else {}
                    kit.tag("a", name, "wk-active" if key == org else "", href=f"/rota?org={key}", **mark)
        view.box = ui.element("div")
        await view.draw()


def _organisations(conn: Connection, ids: list[str]) -> dict[str, str]:
    rows = conn.execute(_SQL["organisations_named"], {"ids": ids}).fetchall()
    return {row[0]: row[1] for row in rows}


def _monday(week: str | None, now: datetime) -> date:
    try:
        day = date.fromisoformat(week) if week else now.astimezone(ZONE).date()
    except ValueError:
        day = now.astimezone(ZONE).date()
    return day - timedelta(days=day.weekday())


class _Week:
    box: ui.element

    def __init__(self, tab: Tab, org: str, monday: date) -> None:
        self._tab, self._org, self._monday = tab, org, monday
        self._since = datetime.combine(monday, time(), ZONE)
        self.may = tab.session.person.may("rota:plan", "", [org])
        self._people: dict[str, str] = {}

    async def draw(self) -> None:
        now = self._tab.house.clock.now()
        found = await self._tab.read(rotas.week, self._org, self._since, self._since + WEEK, now)
        self._people = {one["login"]: one["name"] for one in found["colleagues"]}
        self.box.clear()
        with self.box:
            self._warn(found["ahead"])
            self._grid(found, now)
            with ui.element("div").classes("wk-columns"):
                self._load(found["load"], found["mode"])
                with ui.element("div"):
                    self._skills(found["skills"])
                    self._swaps(found["swaps"])

    def _warn(self, gaps: tuple[rota.Gap, ...]) -> None:
        t = self._tab.t
        if gaps:
            hours = sum((gap.until - gap.since).total_seconds() for gap in gaps) / 3600
            first = t.local(gaps[0].since, ZONE)
            kit.note(t("rota.gaps", n=len(gaps), hours=f"{hours:.0f}", first=first), "off").props('role="alert"')
        else:
            kit.note(t("rota.covered"), "ok")

    def _grid(self, found: dict[str, Any], now: datetime) -> None:
        t = self._tab.t
        week = f"{self._monday:%Y-%m-%d} – {self._monday + timedelta(days=6):%m-%d}"
        with panel(week) as head:
            with head:
                ui.element("div").classes("wk-grow")
                for label, days in (("rota.before", -7), ("rota.this_week", None), ("rota.after", 7)):
                    to = (self._monday + timedelta(days=days)).isoformat() if days else None
                    kit.tag("a", t(label), "wk-mini", href=kit.address("/rota", org=self._org, week=to))
            with (
                kit.tag("div", "", "wk-scroll", tabindex=0, role="region", aria_label=week),
                ui.element("div").classes("wk-rota"),
            ):
                ui.element("div").classes("wk-day")
                today = now.astimezone(ZONE).date()
                for number, name in enumerate(_DAYS):
                    day = self._monday + timedelta(days=number)
                    cell = text("div", f"{t.maybe('weekday', name)} {day:%m-%d}").classes("wk-day")
                    if day == today:
                        cell.classes("today")
                if found["gaps"]:
                    text("div", t("rota.nobody")).classes("wk-who wk-list-red")
                    with ui.element("div").classes("wk-lane"):
                        for gap in found["gaps"]:
                            hours = (gap.until - gap.since).total_seconds() / 3600
                            self._bar(gap.since, gap.until, f"{hours:.0f} h", "gap", t("rota.nobody"))
                by_login: dict[str, list[dict[str, Any]]] = {}
                for shift in found["shifts"]:
                    by_login.setdefault(shift["login"], []).append(shift)
                for one in found["colleagues"]:
                    with text("div", one["name"]).classes("wk-who"):
                        text("small", one["login"])
                    with ui.element("div").classes("wk-lane"):
                        self._nowline(now)
                        for shift in by_login.get(one["login"], []):
                            self._shift(shift)

    def _shift(self, shift: dict[str, Any]) -> None:
        local = [shift[name].astimezone(ZONE) for name in ("since", "until")]
        label = f"{local[0]:%H:%M}–{local[1]:%H:%M}" + (f" · {shift['community_id']}" if shift["community_id"] else "")
        bar = self._bar(shift["since"], shift["until"], label, "swapped" if shift["swaps"] else "", label)
        bar.on("click", lambda: self._change(shift))

    def _bar(self, since: datetime, until: datetime, label: str, look: str, title: str) -> ui.element:
        """Within the week; one that is clipped says its hours in its title."""
        left = max((since - self._since) / WEEK, 0.0) * 100
        right = min((until - self._since) / WEEK, 1.0) * 100
        bar = kit.tag("div" if look == "gap" else "button", label, f"wk-shift {look}", title=title)
        if look != "gap":
            bar.props["type"] = "button"
        return bar.style(f"left: {left:.3f}%; width: calc({right - left:.3f}% - 2px)")

    def _nowline(self, now: datetime) -> None:
        at = (now - self._since) / WEEK
        if 0 <= at < 1:
            ui.element("div").classes("wk-nowline").style(f"left: {100 * at:.3f}%")

    async def add(self) -> None:
        t = self._tab.t
        communities = {one.community_id: one.name for one in await self._tab.read(reads.communities)}
        begins = datetime.combine(max(self._monday, self._tab.house.clock.now().astimezone(ZONE).date()), time(8))
        fields = [
            kit.Field("login", t("rota.person"), required=True, options=self._people),
            kit.Field("since", t("rota.since"), "datetime-local", required=True, value=f"{begins:%Y-%m-%dT%H:%M}"),
            kit.Field(
                "until", t("rota.until"), "datetime-local", required=True,
                value=f"{begins + timedelta(hours=12):%Y-%m-%dT%H:%M}",
            ),
            kit.Field(
                "repeat", t("rota.repeat"), options={one: t.maybe("rota", one) for one in _REPEATS}, value="once"
            ),
            kit.Field("times", t("rota.times"), "number", value="1"),
            kit.Field("community", t("rota.community"), options=communities, hint=t("rota.community_hint")),
        ]  # fmt: skip

        def send(who: Session, given: kit.Given) -> None:
            spans = repeated(
                _moment(given["since"]), _moment(given["until"]), given["repeat"] or "once", given["times"]
            )
            rotas.add(self._tab.house, who, self._org, given["login"], spans, given["community"] or None)

        if await kit.form(self._tab, t("rota.add"), fields, send):
            await self.draw()

    async def _change(self, shift: dict[str, Any]) -> None:
        t = self._tab.t
        if not self.may:
            return
        others = {login: name for login, name in self._people.items() if login != shift["login"]}
        fields = [
            kit.Field("login", t("rota.swap_to"), options=others, hint=t("rota.swap_hint")),
            kit.Field("reason", t("rota.reason"), "area"),
            kit.Field("drop", t("rota.drop"), "check"),
        ]

        def send(who: Session, given: kit.Given) -> None:
            if given["drop"]:
                rotas.drop(self._tab.house, who, shift["shift_id"])
            elif not given["login"]:
                raise Invalid("person", t("rota.choose"))
            else:
                rotas.swap(self._tab.house, who, shift["shift_id"], given["login"], given["reason"])

        local = [shift[name].astimezone(ZONE) for name in ("since", "until")]
        title = f"{shift['name']} · {local[0]:%m-%d %H:%M} – {local[1]:%m-%d %H:%M}"
        if await kit.form(self._tab, title, fields, send):
            await self.draw()

    def _load(self, rows: list[dict[str, Any]], mode: str) -> None:
        t = self._tab.t
        with panel(t("rota.load")) as head:
            with head:
                ui.element("div").classes("wk-grow")
                text("span", t("rota.mode")).classes("wk-hint")
                if self.may:
                    kit.button(t.maybe("rota", f"mode_{mode}"), lambda: self._mode(mode))
                else:
                    text("span", t.maybe("rota", f"mode_{mode}")).classes("wk-chip state")
            columns = {name: t.maybe("rota", name) for name in ("name", "on_call", "open_orders", "urgent", "overdue")}
            shown = [
                {
                    "name": row["name"] if row["login"] else t("rota.nobody_has"),
                    "on_call": kit.chip(t("rota.on_call_now"), "ok") if row["on_call"] else "",
                    "open_orders": row["open_orders"],
                    "urgent": kit.chip(str(row["urgent"]), "life") if row["urgent"] else 0,
                    "overdue": kit.chip(str(row["overdue"]), "off") if row["overdue"] else 0,
                }
                for row in rows
            ]
            kit.listing(columns, shown, name=t("rota.load"))

    async def _mode(self, mode: str) -> None:
        t = self._tab.t
        modes = {one: t.maybe("rota", f"mode_{one}") for one in rota.MODES}
        fields = [kit.Field("mode", t("rota.mode"), required=True, options=modes, value=mode)]

        def send(who: Session, given: kit.Given) -> None:
            rotas.set_mode(self._tab.house, who, self._org, given["mode"])

        if await kit.form(self._tab, t("rota.mode"), fields, send, t("rota.mode_hint")):
            await self.draw()

    def _skills(self, rows: list[dict[str, Any]]) -> None:
        t = self._tab.t
        with panel(t("rota.skills")) as head:
            if self.may:
                with head:
                    ui.element("div").classes("wk-grow")
                    kit.button(t("rota.skill_add"), self._add_skill)
            if not rows:
                empty(t("rota.no_skills"), t("rota.no_skills_hint"))
                return
            columns = {name: t.maybe("rota", name) for name in ("name", "skill", "certificate", "valid_until")}
            shown = [
                {
                    "name": row["name"],
                    "skill": t.maybe("skill", row["skill"]),
                    "certificate": row["certificate_no"],
                    "valid_until": [row["until"].isoformat(), _left(self._tab, row["days_left"])],
                }
                for row in rows
            ]
            kit.listing(columns, shown, name=t("rota.skills"))

    async def _add_skill(self) -> None:
        t = self._tab.t
        fields = [
            kit.Field("login", t("rota.person"), required=True, options=self._people),
            kit.Field(
                "skill", t("rota.skill"), required=True, options={one: t.maybe("skill", one) for one in rota.SKILLS}
            ),
            kit.Field("certificate", t("rota.certificate"), required=True),
            kit.Field("since", t("rota.valid_from"), "date", required=True),
            kit.Field("until", t("rota.valid_until"), "date", required=True),
        ]

        def send(who: Session, given: kit.Given) -> None:
            days = [_day(given["since"]), _day(given["until"])]
            rotas.add_skill(
                self._tab.house, who, self._org, given["login"], given["skill"], given["certificate"], *days
            )

        if await kit.form(self._tab, t("rota.skill_add"), fields, send):
            await self.draw()

    def _swaps(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        t = self._tab.t
        with panel(t("rota.swaps")), ui.element("ul").classes("wk-linklist"):
            for row in rows:
                with ui.element("li"):
                    text("span", t.local(row["since"], ZONE)).classes("wk-count")
                    text("span", f"{row['from_name'] or '–'} → {row['to_name'] or '–'} · {row['reason']}")


def _left(tab: Tab, days: int) -> dict[str, str] | str:
    if days <= 0:
        return kit.chip(tab.t("rota.expired"), "off")
    return kit.chip(tab.t("rota.days_left", n=days), "life") if days <= SOON_DAYS else ""


def repeated(since: datetime, until: datetime, repeat: str, times: str) -> list[tuple[datetime, datetime]]:
    """The same hours again: daily, on Monday to Friday, or weekly. Raises Invalid(`times`). Pure."""
    if not str(times).isdecimal() or not 1 <= int(times) <= rotas.MOST_REPEATS:
        raise Invalid("times", f"1 – {rotas.MOST_REPEATS}")
    found: list[tuple[datetime, datetime]] = []
    step = timedelta(days=7 if repeat == "weekly" else 1)
    shift = timedelta()
    while len(found) < (1 if repeat == "once" else int(times)):
        if repeat != "workdays" or (since + shift).weekday() < 5:
            found.append((since + shift, until + shift))
        shift += step
    return found


def _moment(value: str) -> datetime:
    """Raises Invalid."""
    try:
        return datetime.fromisoformat(value).replace(tzinfo=ZONE)
    except ValueError:
        raise Invalid("since", f"{value!r}: 2026-11-22T08:00") from None


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Invalid("since", f"{value!r}: 2026-11-22") from None
