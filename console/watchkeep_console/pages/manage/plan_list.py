"""`/plans`: plans of preventive work: for what, how often, by whom, what comes next and what is late."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import events, ui
from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import reads, visit_plans
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE, Words
from watchkeep_console.visit_plans import Rows
from watchkeep_dispatch.duty_file import span_text

PER_PAGE = 50
SHOWN = ("late", "soon")


def register(tabs: Tabs) -> None:
    route(tabs, "/plans", "plans", _page)
    route(tabs, "/plans/{plan_id}", "plans", _one)


def plannable(tab: Tab, communities: list[m.Community]) -> dict[str, str]:
    """Communities for which the person plans."""
    t = tab.t
    mine = [one for one in communities if visit_plans.may_plan(tab.session, one.community_id)]
    return {one.community_id: t.name(one.name, one.name_en) for one in mine}


def span_words(t: Words, span: timedelta) -> str:
    number, _, unit = span_text(span).partition(" ")
    return t(f"plans.span_{unit}", n=number)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    community = asked.get("community")
    rows, communities = await tab.read(_read, tab, community)
    mine = plannable(tab, communities)
    with frame(tab, "plans", t("plans.title")):
        with kit.headline(t("plans.title"), len(rows), t("plans.intro")):
            if mine:
                new = kit.address("/plans/new", community=community)
                kit.button(t("plans.new"), lambda: ui.navigate.to(new), "primary")
        late, soon = (sum(row[name] for row in rows) for name in ("late", "soon"))
        kit.figures(
            [
                (t("plans.in_force"), str(sum(row["enabled"] and row["pieces"] > 0 for row in rows)), ""),
                (t("plans.stopped"), str(sum(not row["enabled"] for row in rows)), ""),
                (t("plans.soon"), str(soon), ""),
                (t("plans.late"), str(late), "hot-A" if late else ""),
            ]
        )
        with ui.element("section").classes("wk-panel"):
            if len(communities) > 1:
                names = {one.community_id: t.name(one.name, one.name_en) for one in communities}
                field = kit.Filter("community", t("equipment.community"), names)
                kit.filters(t, "/plans", [field], {"community": community or ""})
            if not rows:
                empty(t("plans.none"), t("plans.none_hint"))
                return
            columns = {name: t.maybe("plans", name) for name in ("plan", "for", "every", "party", "next", "state")}
            columns |= {"acts": t("plans.acts")} if mine else {}
            shown = [_row(tab, row, community, mine) for row in rows]
            kit.listing(columns, shown, name=t("plans.title"), on_act=lambda event: _act(tab, event, rows, mine))


def _read(conn: Connection, tab: Tab, community: str | None) -> tuple[Rows, list[m.Community]]:
    return visit_plans.plans(conn, tab.house.clock.now(), community), reads.communities(conn)


def _row(tab: Tab, row: dict[str, Any], community: str | None, mine: dict[str, str]) -> dict[str, Any]:
    t = tab.t
    of = t.name(row["community"], row["community_en"]) if row["community_id"] else t("plans.general")
    if row["replaces"]:
        of += " · " + t("plans.in_place_of", plan=t.name(row["general_zh"], row["general_en"]))
    next_one: list[Any] = [t.local(row["next_due"], ZONE)] if row["next_due"] or not row["late"] else []
    if row["late"]:
        next_one.append(kit.chip(t("plans.n_late", n=row["late"]), "off"))
    if row["soon"]:
        next_one.append(kit.chip(t("plans.n_soon", n=row["soon"])))
    return {
        "plan": kit.link(
            t.name(row["title_zh"], row["title_en"]), kit.address(f"/plans/{row['plan_id']}", community=community), of
        ),
        "for": {"t": _kinds(t, row), "sub": t("plans.pieces", n=row["pieces"])},
        "every": span_words(t, row["every"]),
        "party": t.party(row["party"]),
        "next": next_one,
        "state": _state(t, row),
        "acts": _acts(t, row, mine),
    }


def _kinds(t: Words, row: dict[str, Any]) -> str:
    return (", " if t.language == "en" else "、").join(map(t.kind, row["kinds"]))


def _state(t: Words, row: dict[str, Any]) -> list[Any]:
    if not row["enabled"]:
        return [kit.chip(t("plans.off"), "off"), {"t": "", "sub": row["reason"]}]
    return [kit.chip(t("plans.on"), "ok") if row["pieces"] else kit.chip(t("plans.unused"), "replay")]


def _acts(t: Words, row: dict[str, Any], mine: dict[str, str]) -> list[Any]:
    """A general plan is not changed, a plan of the community is put in its place."""
    plan = row["plan_id"]
    if row["community_id"] is None:
        if not (row["pieces"] and row["enabled"]):
            return []
        return [kit.act(t("plans.adjust"), "adjust", plan), kit.act(t("plans.stop_here"), "stop", plan)]
    if row["community_id"] not in mine:
        return []
    switch = kit.act(t("plans.stop"), "stop", plan) if row["enabled"] else kit.act(t("plans.start"), "start", plan)
    return [kit.act(t("plans.change"), "change", plan), switch]


async def _act(tab: Tab, event: events.GenericEventArguments, rows: Rows, mine: dict[str, str]) -> None:
    name, plan = str(event.args[0]), str(event.args[1])
    row = next((row for row in rows if row["plan_id"] == plan), None)
    if row is None:
        return
    if name == "adjust":
        ui.navigate.to(kit.address("/plans/new", {"from": plan}))
    elif name == "change":
        ui.navigate.to(f"/plans/{plan}/change")
    else:
        await _switch(tab, row, mine, enabled=name == "start")


async def _switch(tab: Tab, row: dict[str, Any], mine: dict[str, str], *, enabled: bool) -> None:
    t = tab.t
    fields = [kit.Field("reason", t("plans.reason"), "area", required=True)]
    if row["community_id"] is None:
        first = next(iter(mine))
        fields.insert(0, kit.Field("community", t("equipment.community"), required=True, options=mine, value=first))

    def send(who: Session, given: kit.Given) -> None:
        community = row["community_id"] or given["community"]
        visit_plans.switch(tab.house, who, row["plan_id"], community, given["reason"], enabled=enabled)

    title = f"{t('plans.start' if enabled else 'plans.stop')} · {t.name(row['title_zh'], row['title_en'])}"
    if await kit.form(tab, title, fields, send, t("plans.start_hint" if enabled else "plans.stop_hint")):
        ui.navigate.reload()


async def _one(tab: Tab, asked: Asked) -> None:
    """A plan with its equipment: last time, next time, by whom."""
    t = tab.t
    wanted = {"community": asked.get("community") or "", "shown": asked.one_of("shown", SHOWN) or ""}
    row, rows, communities = await tab.read(_read_one, tab, asked, wanted)
    mine = plannable(tab, communities)
    path = f"/plans/{row['plan_id']}"
    with frame(tab, "plans", t.name(row["title_zh"], row["title_en"])):
        of = t.name(row["community"], row["community_en"]) if row["community_id"] else t("plans.general")
        with kit.headline(t.name(row["title_zh"], row["title_en"]), sub=of):
            kit.tag("a", t("plans.back"), "wk-mini", href=kit.address("/plans", community=wanted["community"]))
            if row["community_id"] in mine:
                kit.tag("a", t("plans.change"), "wk-mini primary", href=f"{path}/change")
        with ui.element("div").classes("wk-columns case"):
            with ui.element("section").classes("wk-panel"):
                names = {one.community_id: t.name(one.name, one.name_en) for one in communities}
                fields = [kit.Filter("community", t("equipment.community"), names)] if len(names) > 1 else []
                fields.append(kit.Filter("shown", t("plans.state"), {one: t.maybe("plans", one) for one in SHOWN}))
                kit.filters(t, path, fields, wanted)
                if rows:
                    columns = {name: t.maybe("plans", name) for name in ("equipment", "last", "due", "by", "state")}
                    now = tab.house.clock.now()
                    shown = [_piece(t, one, late=one["enabled"] and one["due_at"] < now) for one in rows]
                    kit.listing(columns, shown, name=t("plans.equipment"))
                    total = rows[0]["total"]
                    kit.pages(t, path, wanted, asked.page, asked.page * PER_PAGE < total, total)
                else:
                    empty(t("plans.no_pieces"), t("plans.no_pieces_hint"))
            with ui.element("div"):
                _facts(tab, row)


def _read_one(
    conn: Connection, tab: Tab, asked: Asked, wanted: dict[str, str]
) -> tuple[dict[str, Any], Rows, list[m.Community]]:
    now, community = tab.house.clock.now(), wanted["community"] or None
    row = visit_plans.one(conn, asked["plan_id"], now, community)
    offset = (asked.page - 1) * PER_PAGE
    rows = visit_plans.ahead(
        conn, now, plan=row["plan_id"], community=community, shown=wanted["shown"], limit=PER_PAGE, offset=offset
    )
    return row, rows, reads.communities(conn)


def _piece(t: Words, row: dict[str, Any], *, late: bool) -> dict[str, Any]:
    zone = ZoneInfo(row["timezone"])
    place = f"/equipment/{row['community_id']}/{row['equipment_id']}"
    state = (
        kit.chip(t("plans.late"), "off") if late else kit.chip(t("plans.open" if row["visit_id"] else "plans.to_come"))
    )
    return {
        "equipment": kit.link(
            t.name(row["equipment"], row["equipment_en"]), place, t.name(row["community"], row["community_en"])
        ),
        "last": t.local(row["done_at"], zone),
        "due": t.local(row["due_at"], zone) if row["enabled"] else "–",
        "by": t.name(row["org"], row["org_en"]) or kit.chip(t("plans.nobody"), "off"),
        "state": [state, kit.link(t("plans.open_it"), f"/visits/{row['visit_id']}")] if row["visit_id"] else state,
    }


def _facts(tab: Tab, row: dict[str, Any]) -> None:
    t = tab.t
    facts = {
        "state": t("plans.on" if row["enabled"] else "plans.off"),
        "for": _kinds(t, row),
        "every": span_words(t, row["every"]),
        "ahead": span_words(t, row["ahead"]),
        "party": t.party(row["party"]),
        "overdue": t.condition(row["overdue"]) if row["overdue"] else t("plans.no_case"),
        "basis": row["basis"],
        "in_place": t.name(row["general_zh"], row["general_en"]),
        "reason": row["reason"],
    }
    with panel(t("plans.about")), ui.element("dl").classes("wk-facts wk-body"):
        for name, value in facts.items():
            if value:
                text("dt", t.maybe("plans", name))
                text("dd", value)
    with panel(t("plans.items")), ui.element("ul").classes("wk-linklist"):
        for item in row["items"]:
            with ui.element("li"):
                text("span", t.name(item["zh"], item["en"])).classes("wk-grow")
                text("span", t.condition(item["condition"])).classes("wk-chip")
