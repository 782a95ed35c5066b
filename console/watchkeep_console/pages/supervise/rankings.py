"""`/supervise/rankings`: red and grey lists: drawn up, published by a second person, appealed against, decided."""

import asyncio
from functools import partial
from typing import Any

from nicegui import events, ui

from watchkeep_console.api import rankings as api
from watchkeep_console.errors import NotFound
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.manage import report_list
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_dispatch.indicators import RATES
from watchkeep_dispatch.scores import packaged

LOOKS = {"red": "ok", "grey": "off", "none": "", "not_ranked": "replay"}


def register(tabs: Tabs) -> None:
    route(tabs, "/supervise/rankings", "rankings", _page)
    route(tabs, "/supervise/rankings/{ranking_id}", "rankings", _one)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    found = await asyncio.to_thread(api.rankings, tab.house, tab.session)
    with frame(tab, "rankings", t("rankings.title")):
        with kit.headline(t("rankings.title"), len(found), t("rankings.intro")):
            if tab.session.person.may_somewhere("supervise"):
                kit.button(t("rankings.draw"), lambda: _draw(tab), "primary")
        with ui.element("section").classes("wk-panel"):
            if not found:
                empty(t("rankings.none"), t("rankings.none_hint"))
                return
            columns = {
                name: t.maybe("rankings", name) for name in ("list", "period", "drawn", "state", "appeals_until")
            }
            rows = [
                {
                    "list": kit.link(_scheme(tab, one["scheme"]), f"/supervise/rankings/{one['ranking_id']}"),
                    "period": _period(one),
                    "drawn": t.local(one["created_at"], ZONE),
                    "state": _state(tab, one),
                    "appeals_until": t.local(one["appeals_until"], ZONE),
                }
                for one in found
            ]
            kit.listing(columns, rows, name=t("rankings.title"))


def _scheme(tab: Tab, scheme: str) -> str:
    known = packaged().get(scheme)
    return scheme if known is None else tab.t.of(known.name)


def _period(one: dict[str, Any]) -> str:
    since, until = (one[name].astimezone(ZONE) for name in ("since", "until"))
    return f"{since:%Y-%m-%d} – {until:%Y-%m-%d}"


def _state(tab: Tab, one: dict[str, Any]) -> dict[str, str]:
    if one["published_at"] is None:
        return kit.chip(tab.t("rankings.draft"), "replay")
    return kit.chip(tab.t("rankings.published"), "ok") | {"sub": tab.t.local(one["published_at"], ZONE)}


async def _draw(tab: Tab) -> None:
    t = tab.t
    now = tab.house.clock.now().astimezone(ZONE)
    periods = report_list.periods_back(now.year, now.month)[1:]
    fields = [
        kit.Field(
            "scheme", t("rankings.scheme"), required=True, value="property_quality",
            options={name: t.of(scheme.name) for name, scheme in packaged().items()},
        ),
        kit.Field(
            "period", t("reports.period"), required=True, value=periods[0],
            options=dict(zip(periods, periods, strict=True)),
        ),
    ]  # fmt: skip
    made: list[int] = []

    def send(who: Session, given: kit.Given) -> None:
        body = api.Draw(scheme=given["scheme"], period=given["period"])
        made.append(api.draw(body, tab.house, who).id)

    if await kit.form(tab, t("rankings.draw"), fields, send, t("rankings.draw_hint")):
        ui.navigate.to(f"/supervise/rankings/{made[-1]}")


async def _one(tab: Tab, asked: Asked) -> None:
    t = tab.t
    number = asked.number("ranking_id")
    known = await asyncio.to_thread(api.rankings, tab.house, tab.session)
    if number not in [one["ranking_id"] for one in known]:
        raise NotFound("ranking", number)
    found = await asyncio.to_thread(api.one_ranking, number, tab.house, tab.session)
    title = f"{_scheme(tab, found['scheme'])} · {_period(found)}"
    supervises = tab.session.person.may_somewhere("supervise")
    with frame(tab, "rankings", title):
        with kit.headline(title):
            kit.tag("a", t("rankings.back"), "wk-mini", href="/supervise/rankings")
            if supervises and found["published_at"] is None:
                kit.button(t("rankings.publish"), lambda: _publish(tab, number), "primary")
        look = "plain" if found["published_at"] else ""
        until = t.local(found["appeals_until"], ZONE)
        kit.note(t("rankings.until", until=until) if found["published_at"] else t("rankings.four_eyes"), look)
        with ui.element("section").classes("wk-panel"):
            if found["rows"]:
                _rows(tab, found)
            else:
                empty(t("rankings.no_rows"))
        _appeals(tab, found, supervises=supervises)


def _rows(tab: Tab, found: dict[str, Any]) -> None:
    t = tab.t
    mine = tab.session.person.organisations
    columns = {name: t.maybe("rankings", name) for name in ("position", "name", "score", "list", "orders", "parts")}
    rows = []
    for row in found["rows"]:
        acts: list[Any] = [kit.chip(t.maybe("rankings", f"on_{row['list']}"), LOOKS.get(row["list"], ""))]
        if found["published_at"] and row["subject_id"] in mine and tab.session.person.may_somewhere("ranking:appeal"):
            acts.append(kit.act(t("rankings.appeal"), "appeal", row["subject_id"]))
        rows.append(
            {
                "position": row["position"] or "–",
                "name": row["name"],
                "score": {"t": f"{row['score']:.1f}" if row["score"] is not None else "–", "sub": row["band"]},
                "list": acts,
                "orders": row["orders"],
                "parts": {"t": "", "sub": _parts(tab, row["detail"])},
            }
        )
    number = found["ranking_id"]
    kit.listing(columns, rows, name=t("rankings.title"), on_act=lambda event: _appeal(tab, number, event))


def _parts(tab: Tab, detail: dict[str, Any]) -> str:
    """What the score is made of, item by item, and vetoes."""
    english = tab.t.language == "en"
    said = [
        f"{RATES[part['item']][3 if english else 2] if part['item'] in RATES else part['item']}"
        f" {part['points']:.1f}/{part['weight']:g}"
        for part in detail.get("parts", [])
        if part["points"] is not None
    ]
    said += [f"{tab.t('rankings.veto')}: {veto}" for veto in detail.get("vetoes", [])]
    return " · ".join(said)


async def _publish(tab: Tab, number: int) -> None:
    if await kit.do(tab, lambda who: api.publish(number, tab.house, who)):
        ui.navigate.reload()


async def _appeal(tab: Tab, number: int, event: events.GenericEventArguments) -> None:
    subject = str(event.args[1])
    fields = [kit.Field("reason", tab.t("board.reason"), "area", required=True)]

    def send(who: Session, given: kit.Given) -> None:
        api.appeal(number, api.Appeal(subject_id=subject, reason=given["reason"]), tab.house, who)

    if await kit.form(tab, tab.t("rankings.appeal"), fields, send, tab.t("rankings.appeal_hint")):
        ui.navigate.reload()


def _appeals(tab: Tab, found: dict[str, Any], *, supervises: bool) -> None:
    t = tab.t
    if not found["appeals"]:
        return
    names = {row["subject_id"]: row["name"] for row in found["rows"]}
    with panel(t("rankings.appeals")):
        for one in found["appeals"]:
            with ui.element("div").classes("wk-topic"):
                with text("h3", names.get(one["subject_id"], one["subject_id"])):
                    if one["decided_at"] is None:
                        text("span", t("rankings.undecided")).classes("wk-chip life")
                    else:
                        label = "rankings.upheld" if one["upheld"] else "rankings.rejected"
                        text("span", t(label)).classes("wk-chip " + ("ok" if one["upheld"] else "off"))
                text("p", one["reason"])
                if one["decided_at"] is not None:
                    text("p", f"{t('rankings.decision')}：{one['decision']}")
                elif supervises:
                    kit.button(t("rankings.decide"), partial(_decide, tab, found["ranking_id"], one["appeal_id"]))


async def _decide(tab: Tab, number: int, appeal: int) -> None:
    t = tab.t
    fields = [
        kit.Field("upheld", t("rankings.upholds"), "check"),
        kit.Field(
            "to", t("rankings.moves_to"), value="none",
            options={one: t.maybe("rankings", f"on_{one}") for one in LOOKS}, hint=t("rankings.moves_hint"),
        ),
        kit.Field("decision", t("rankings.decision"), "area", required=True),
    ]  # fmt: skip

    def send(who: Session, given: kit.Given) -> None:
        body = api.Decision(upheld=bool(given["upheld"]), decision=given["decision"], to=given["to"] or "none")
        api.decide(number, appeal, body, tab.house, who)

    if await kit.form(tab, t("rankings.decide"), fields, send):
        ui.navigate.reload()
