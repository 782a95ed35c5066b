"""`/supervise/agenda`: the agenda of the quarterly meeting and of the half-year plenary, from what is unsolved."""

import asyncio
from typing import Any

from nicegui import ui

from watchkeep_console.api import ledger as api
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import badge, empty, frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.supervise import areas
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_dispatch import ledger

MEETINGS: tuple[ledger.Meeting, ...] = ("joint", "plenary")


def register(tabs: Tabs) -> None:
    route(tabs, "/supervise/agenda", "agenda", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    chosen, names = await areas.choose(tab, asked)
    area = chosen or next(iter(names), "")
    meeting: Any = asked.one_of("meeting", MEETINGS) or "joint"
    with frame(tab, "agenda", t("agenda.title")), ui.element("div").classes("wk-wizard"):
        if not area:
            kit.headline(t("agenda.title"))
            empty(t("overview.none"), t("overview.none_hint"))
            return
        topics = await asyncio.to_thread(api.agenda, area, tab.house, tab.session, meeting)
        with kit.headline(t("agenda.title"), len(topics)):
            kit.button(t("agenda.download"), lambda: _download(tab, area, names[area].strip(), meeting))
        with ui.element("section").classes("wk-panel"):
            fields = [
                kit.Filter("area", t("overview.area"), names),
                kit.Filter("meeting", t("agenda.meeting"), {one: t.maybe("agenda", one) for one in MEETINGS}),
            ]
            kit.filters(t, "/supervise/agenda", fields, {"area": area, "meeting": meeting})
        with panel(t.maybe("agenda", meeting)):
            if not topics:
                empty(t("agenda.none"), t("agenda.none_hint"))
            for number, topic in enumerate(topics, 1):
                _topic(tab, number, topic)


def _topic(tab: Tab, number: int, topic: api.Topic) -> None:
    t = tab.t
    with ui.element("div").classes("wk-topic"):
        with text("h3", f"{number}. "):
            badge(tab, topic.case_class)
            title = topic.title_en if t.language == "en" else topic.title_zh
            kit.tag("a", title, href=f"/cases/{topic.case_id}")
        unit = topic.responsible or t("board.unassigned")
        text("p", f"{topic.community} · {t('agenda.unit')}：{unit} · {t.local(topic.filed_at, ZONE)}")
        with ui.element("p"):
            for reason in topic.reasons:
                text("span", reason).classes("wk-chip life")
        if topic.finding:
            text("p", f"{t('ledger.finding')}：{topic.finding}")


async def _download(tab: Tab, area: str, name: str, meeting: ledger.Meeting) -> None:
    """As people sign it."""
    now = tab.house.clock.now()
    topics = await tab.read(ledger.agenda, area, meeting, now)
    day = now.astimezone(ZONE).date()
    content = ledger.markdown(topics, name or area, meeting, day)
    ui.download.content(content.encode(), f"agenda-{meeting}-{day.isoformat()}.md")
