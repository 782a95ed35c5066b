"""`/plans/new`, `/plans/ID/change`: a community's plan of preventive work, item by item."""

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import events, ui
from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import reads, visit_plans
from watchkeep_console.errors import Forbidden, Invalid
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import frame, panel, text
from watchkeep_console.pages.manage.plan_list import plannable
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import Words
from watchkeep_console.visit_plans import Draft, Rows
from watchkeep_core.vocabulary import load
from watchkeep_core.vocabulary_rows import ANY
from watchkeep_dispatch.preventive import Item

BLANK = Draft(title_zh="", kinds=(), party="property_company", every="30 d", ahead="7 d", basis="", items=())
MOST_ITEMS = 100
Choices = tuple[dict[str, int], Rows]


def register(tabs: Tabs) -> None:
    route(tabs, "/plans/new", "plans", _new)
    route(tabs, "/plans/{plan_id}/change", "plans", _change)


async def _new(tab: Tab, asked: Asked) -> None:
    t = tab.t
    communities = await tab.read(reads.communities)
    mine = plannable(tab, communities)
    if not mine:
        raise Forbidden("visits:plan")
    chosen = asked.one_of("community", mine) or next(iter(mine))
    rows = await tab.read(visit_plans.plans, tab.house.clock.now(), chosen)
    general = {row["plan_id"]: row for row in rows if row["community_id"] is None}
    template = asked.one_of("from", general)
    draft = visit_plans.draft_of(general[template]) if template else BLANK
    choices = await tab.read(visit_plans.choices, chosen, draft.kinds)

    def again(**change: object) -> None:
        ui.navigate.to(kit.address("/plans/new", {"community": chosen, "from": template}, change))

    with frame(tab, "plans", t("plans.new")), ui.element("div").classes("wk-wizard"):
        kit.headline(t("plans.new"), sub=mine[chosen])
        with panel(t("plans.start_from")), ui.element("div").classes("wk-body wk-form"):
            if len(mine) > 1:
                place = ui.select(mine, label=t("equipment.community"), value=chosen, with_input=len(mine) > 8)
                place.props("outlined dense").on_value_change(lambda event: again(community=event.value))
            names = {"": t("plans.blank")}
            names |= {key: t.name(row["title_zh"], row["title_en"]) for key, row in general.items() if row["pieces"]}
            start = ui.select(names, label=t("plans.template"), value=template or "").props("outlined dense")
            start.on_value_change(lambda event: again(**{"from": event.value}))
            instead = ui.checkbox(t("plans.instead"), value=True) if template else None
        form = _Form(tab, chosen, draft, choices, new=True)

        async def save() -> None:
            def send(who: Session) -> None:
                zone = next(ZoneInfo(one.timezone) for one in communities if one.community_id == chosen)
                replaces = template if instead is not None and instead.value else None
                first = _first(form.first, zone)
                visit_plans.make(tab.house, who, chosen, form.draft(), replaces=replaces, first=first)

            if form.complete(reason=bool(instead and instead.value)) and await kit.do(tab, send):
                ui.navigate.to(kit.address("/plans", community=chosen if len(communities) > 1 else None))

        _buttons(t, save)


async def _change(tab: Tab, asked: Asked) -> None:
    t = tab.t
    row, communities = await tab.read(_read, tab, asked["plan_id"])
    community = row["community_id"] or ""
    if community not in plannable(tab, communities):
        raise Forbidden("visits:plan")
    draft = visit_plans.draft_of(row)
    choices = await tab.read(visit_plans.choices, community, draft.kinds)
    with frame(tab, "plans", t("plans.change")), ui.element("div").classes("wk-wizard"):
        kit.headline(t.name(row["title_zh"], row["title_en"]), sub=t.name(row["community"], row["community_en"]))
        kit.note(t("plans.change_hint"), "plain")
        form = _Form(tab, community, draft, choices, new=False)

        async def save() -> None:
            def send(who: Session) -> None:
                visit_plans.change(tab.house, who, row["plan_id"], form.draft())

            if form.complete(reason=True) and await kit.do(tab, send):
                ui.navigate.to(f"/plans/{row['plan_id']}")

        _buttons(t, save)


def _read(conn: Connection, tab: Tab, plan_id: str) -> tuple[dict[str, Any], list[m.Community]]:
    return visit_plans.one(conn, plan_id, tab.house.clock.now()), reads.communities(conn)


def _buttons(t: Words, save: Any) -> None:
    with ui.element("div").classes("wk-acts wk-dialog-acts"):
        kit.button(t("app.cancel"), lambda: ui.navigate.to("/plans"))
        kit.button(t("app.save"), save, "primary")


def _first(day: str, zone: ZoneInfo) -> datetime | None:
    """Noon of that day. Raises Invalid(`first`)."""
    try:
        return datetime.combine(date.fromisoformat(day), time(12), zone) if day else None
    except ValueError:
        raise Invalid("first", f"{day!r}: 2027-01-31") from None


class _Form:
    """What both pages ask for."""

    def __init__(self, tab: Tab, community: str, draft: Draft, choices: Choices, *, new: bool) -> None:
        self._tab, self._community, self._draft = tab, community, draft
        self._items: list[dict[str, Any]] = []
        t = tab.t
        with panel(t("plans.about")), ui.element("div").classes("wk-body wk-form two"):
            self._zh = self._text("title_zh", draft.title_zh)
            self._en = self._text("title_en", draft.title_en if draft.title_en != draft.title_zh else "")
            self._kinds, self._pieces = self._what(choices)
            parties = {one.id: t.of(one) for one in load().parties.values()}
            self._party = ui.select(parties, label=t("plans.party"), value=draft.party, with_input=True)
            self._party.props("outlined dense options-dense").props["hint"] = t("plans.party_hint")
            self._overdue = ui.select({}, label=t("plans.overdue"), clearable=True).props(
                "outlined dense options-dense"
            )
            self._overdue.props["hint"] = t("plans.overdue_hint")
            self._every = self._span("every", draft.every)
            self._ahead = self._span("ahead", draft.ahead)
            self._basis = self._text("basis", draft.basis)
            self._reason = self._text("reason", "")
            self._first = self._text("first", "").props("type=date stack-label") if new else None
            if self._first is not None:
                self._first.props["hint"] = t("plans.first_hint")
        with panel(t("plans.items")) as head:
            with head:
                text("span", t("plans.items_hint")).classes("wk-hint")
            with ui.element("div").classes("wk-body"):
                self._box = ui.element("div").classes("wk-board-notes")
                for item in draft.items:
                    self._item(item)
                if not draft.items:
                    self._item(None)
                kit.button(t("plans.add_item"), lambda: self._item(None))
        self._offer_conditions(draft.overdue)

    @property
    def first(self) -> str:
        return str(self._first.value or "") if self._first is not None else ""

    def complete(self, *, reason: bool) -> bool:
        """Marks what is missing."""
        t = self._tab.t
        wanted: list[Any] = [self._zh, self._kinds, self._basis, *([self._reason] if reason else [])]
        rows = [row for row in self._items if str(row["zh"].value or "").strip()]
        wanted += [row["condition"] for row in rows] or [row["zh"] for row in self._items]
        missing = [one for one in wanted if not one.value or not str(one.value).strip()]
        for one in (*wanted, self._reason):
            one.props(remove="error error-message")
        for one in missing:
            one.props("error").props["error-message"] = t("kit.required")
        if missing or not rows:
            self._tab.say(t("plans.incomplete"), "negative")
        return not missing and bool(rows)

    def draft(self) -> Draft:
        """As it is filled in."""
        items = tuple(
            Item(row["id"], row["zh"].value.strip(), (row["en"].value or "").strip(), row["condition"].value or "")
            for row in self._items
            if str(row["zh"].value or "").strip()
        )
        return Draft(
            title_zh=self._zh.value.strip(),
            title_en=(self._en.value or "").strip(),
            kinds=tuple(self._kinds.value),
            party=self._party.value or "",
            every=f"{_number(self._every[0])} {self._every[1].value}",
            ahead=f"{_number(self._ahead[0])} {self._ahead[1].value}",
            basis=self._basis.value.strip(),
            items=items,
            overdue=self._overdue.value or None,
            equipment=tuple(self._pieces.value or ()),
            enabled=self._draft.enabled,
            reason=self._reason.value.strip(),
        )

    def _text(self, name: str, value: str) -> ui.input:
        return ui.input(self._tab.t.maybe("plans", name), value=value).props("outlined dense maxlength=200")

    def _what(self, choices: Choices) -> tuple[ui.select, ui.select]:
        t, (there, pieces) = self._tab.t, choices
        kinds = {kind: f"{t.kind(kind)} · {count}" for kind, count in there.items()}
        kinds |= {kind: t.kind(kind) for kind in self._draft.kinds if kind not in kinds}
        of = ui.select(kinds, label=t("plans.for"), multiple=True, value=list(self._draft.kinds))
        of.props("outlined dense options-dense use-chips")
        chosen = ui.select(self._named(pieces), label=t("plans.only"), multiple=True, with_input=True)
        chosen.props("outlined dense options-dense use-chips").props["hint"] = t("plans.only_hint")
        chosen.value = [one for one in self._draft.equipment if one in chosen.options]
        of.on_value_change(self._other_kinds)
        return of, chosen

    def _named(self, pieces: Rows) -> dict[str, str]:
        return {row["equipment_id"]: self._tab.t.name(row["name"], row["name_en"]) for row in pieces}

    async def _other_kinds(self, event: events.ValueChangeEventArguments[list[str]]) -> None:
        _, pieces = await self._tab.read(visit_plans.choices, self._community, event.value)
        named = self._named(pieces)
        self._pieces.set_options(named, value=[one for one in self._pieces.value or () if one in named])
        self._offer_conditions(self._overdue.value)

    def _offer_conditions(self, overdue: str | None) -> None:
        """Those of the chosen kinds, and what is chosen already."""
        kinds = {*self._kinds.value, ANY}
        fitting = {one.id: self._tab.t.of(one) for one in load().conditions.values() if kinds & set(one.kinds)}
        for select, value in [
            (self._overdue, overdue),
            *((row["condition"], row["condition"].value) for row in self._items),
        ]:
            kept = {value: self._tab.t.condition(value)} if value and value not in fitting else {}
            select.set_options(fitting | kept, value=value)

    def _span(self, name: str, value: str) -> tuple[ui.input, ui.select]:
        t = self._tab.t
        number, _, unit = value.partition(" ")
        with ui.element("div").classes("wk-span"):
            amount = ui.input(t.maybe("plans", name), value=number).props("outlined dense type=number min=1 max=9999")
            units = {one: t.maybe("plans", f"unit_{one}") for one in ("d", "h", "min")}
            of = ui.select(units, value=unit).props("outlined dense options-dense")
            of.props["aria-label"] = t("plans.unit")
        return amount, of

    def _item(self, item: Item | None) -> None:
        """One more row of the checklist."""
        if len(self._items) >= MOST_ITEMS:
            return
        t = self._tab.t
        with self._box, ui.element("div").classes("wk-itemrow") as line:
            given: dict[str, Any] = {"id": item.id if item else ""}
            english = item.en if item and item.en != item.zh else ""
            given["zh"] = ui.input(t("plans.item_zh"), value=item.zh if item else "").props(
                "outlined dense maxlength=200"
            )
            given["en"] = ui.input(t("plans.item_en"), value=english).props("outlined dense maxlength=200")
            known = {item.condition: t.condition(item.condition)} if item else {}
            given["condition"] = ui.select(
                known, label=t("plans.item_condition"), value=item.condition if item else None, with_input=True
            ).props("outlined dense options-dense")
            self._items.append(given)

            def remove() -> None:
                self._items.remove(given)
                line.delete()

            kit.button(t("plans.remove_item"), remove, "danger")
        if item is None:
            self._offer_conditions(self._overdue.value)


def _number(field: ui.input) -> int:
    """0 for what is no number, which dispatch refuses."""
    given = str(field.value or "").strip()
    return int(given) if given.isdecimal() and len(given) < 6 else 0
