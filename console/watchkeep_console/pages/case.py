"""`/cases/{id}` and `/warnings/{id}`: everything about one case on one page, with what to do next."""

from dataclasses import dataclass

import psycopg
from nicegui import ui
from psycopg import Connection
from psycopg_pool import PoolTimeout

from watchkeep_console import dossier, outlook, work
from watchkeep_console import models as m
from watchkeep_console.pages import case_evidence, case_parts
from watchkeep_console.pages.acting import DANGER, FORWARD, perform
from watchkeep_console.pages.frame import badge, frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.pages.wording import note_words, party_name

CURVES = 3
"""Warnings of a case whose readings are drawn."""
STEPS_AHEAD = 3
"""Rungs of the escalation that are announced."""


def register(tabs: Tabs) -> None:
    async def case_page(tab: Tab, asked: Asked) -> None:
        found = await tab.read(_read, tab, asked.number("case_id"))
        with frame(tab, "board", tab.t("case.title", id=found.case.case_id)):
            view = _View(tab, found)
        tabs.follow(tab, view.refresh)

    async def warning_page(tab: Tab, asked: Asked) -> None:
        found = await tab.read(case_evidence.read, asked.number("warning_id"))
        with frame(tab, "board", tab.t.condition(found.warning.condition)):
            warning = _Warning(tab, found)
        tabs.follow(tab, warning.refresh)

    route(tabs, "/cases/{case_id}", "board", case_page)
    route(tabs, "/warnings/{warning_id}", "board", warning_page)


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything that the page shows."""

    case: m.CaseDetail
    curves: list[case_evidence.Curve]
    told: list[dossier.Told]
    past: list[dossier.Past]
    coming: list[outlook.Coming]


def _news(found: Dossier) -> tuple[object, ...]:
    """What is worth a new drawing; readings alone are not."""
    return found.case, found.told, [curve.why for curve in found.curves]


def _read(conn: Connection, tab: Tab, case_id: int) -> Dossier:
    now = tab.house.clock.now()
    case = work.open_case(conn, tab.session.person, case_id, now)
    clocks = outlook.running(conn, case_id=case_id) if case.closed_at is None else []
    return Dossier(
        case,
        [case_evidence.read(conn, warning.warning_id) for warning in case.warnings[:CURVES]],
        dossier.told(conn, case_id),
        dossier.past(conn, case),
        outlook.coming(clocks, (), now, tab.house.rules.calendar, each=STEPS_AHEAD),
    )


class _Warning:
    """A warning by itself; it is drawn anew when its explanation has come, or somebody has said something."""

    def __init__(self, tab: Tab, found: case_evidence.Curve) -> None:
        self._tab = tab
        self._box = ui.element("div").classes("wk-wizard")
        self._draw(found)

    def _draw(self, found: case_evidence.Curve) -> None:
        self._found = found
        self._box.clear()
        with self._box:
            self._title(found.warning)
            case_evidence.draw(self._tab, [found], self.refresh)

    def _title(self, warning: m.WarningDetail) -> None:
        t = self._tab.t
        place = f"/equipment/{warning.community_id}/{warning.equipment_id}"
        with ui.element("div").classes("wk-title"):
            badge(self._tab, warning.proposed_class)
            text("h1", t.condition(warning.condition))
            if warning.life_safety:
                text("span", t("board.life_safety")).classes("wk-chip life")
            text("a", t.name(warning.equipment, warning.equipment_en)).props(f'href="{place}"').classes("wk-sub")
            text("span", t.name(warning.community, warning.community_en)).classes("wk-sub")
            if warning.case_id is not None:
                text("a", f"#{warning.case_id}").props(f'href="/cases/{warning.case_id}"').classes("wk-chip state")

    async def refresh(self) -> None:
        try:
            found = await self._tab.read(case_evidence.read, self._found.warning.warning_id)
        except (psycopg.OperationalError, PoolTimeout):
            return  # the next change, or the next press, shows it
        if (found.warning, found.why) != (self._found.warning, self._found.why):
            self._draw(found)


class _View:
    """The page; it is drawn anew when the case has changed."""

    def __init__(self, tab: Tab, found: Dossier) -> None:
        self._tab = tab
        self._box = ui.element("div")
        self._draw(found)

    async def refresh(self) -> None:
        try:
            found = await self._tab.read(_read, self._tab, self._case.case_id)
        except (psycopg.OperationalError, PoolTimeout):
            return  # the next change, or the next press, shows it
        if _news(found) != _news(self._found):
            self._draw(found)

    def _draw(self, found: Dossier) -> None:
        self._found, self._case = found, found.case
        self._box.clear()
        with self._box:
            self._title()
            with ui.element("div").classes("wk-columns case"):
                with ui.element("div"):
                    case_evidence.draw(self._tab, found.curves, self.refresh)
                    self._timeline()
                    case_parts.told(self._tab.t, found.told)
                    case_parts.past(self._tab.t, found.case, found.past)
                with ui.element("div"):
                    self._acts()
                    case_parts.coming(self._tab.t, found.case, found.coming)
                    self._clocks()
                    self._orders()
                    self._parties()

    def _title(self) -> None:
        t, case = self._tab.t, self._case
        with ui.element("div").classes("wk-title"):
            badge(self._tab, case.case_class)
            text("h1", case.title_en if t.language == "en" else case.title_zh)
            text("span", t.maybe("state", case.state)).classes("wk-chip state")
            if case.life_safety:
                text("span", t("board.life_safety")).classes("wk-chip life")
            if case.source == "test":
                text("span", t("case.test")).classes("wk-chip replay")
            if case.replay:
                text("span", t("board.replay")).classes("wk-chip replay")
            with ui.element("span").classes("wk-sub"):
                text("span", f"#{case.case_id} · {t.name(case.community, case.community_en)} · ")
                if case.equipment_id:
                    target = f"/equipment/{case.community_id}/{case.equipment_id}"
                    text("a", t.name(case.equipment, case.equipment_en)).props(f'href="{target}"')

    def _acts(self) -> None:
        t = self._tab.t
        with panel(t("case.actions")), ui.element("div").classes("wk-body"), ui.element("div").classes("wk-acts"):
            if not self._case.actions:
                text("span", t("case.no_actions")).classes("wk-hint")
            first = next((action for action in FORWARD if action in self._case.actions), None)
            for action in self._case.actions:
                look = "wk-primary" if action == first else "wk-danger" if action in DANGER else "wk-plain"
                button = ui.button(t.maybe("action", action), color=None, on_click=lambda _, a=action: self._press(a))
                button.classes(look).props("unelevated no-caps")

    async def _press(self, action: str) -> None:
        await perform(self._tab, self._case, action)
        await self.refresh()

    def _clocks(self) -> None:
        t = self._tab.t
        order = next((item for item in self._case.orders if item.lead), None)
        if order is None:
            return
        with panel(t("case.clocks")), ui.element("div").classes("wk-body wk-clocks"):
            for name, done, due in (
                ("respond", order.responded_at, order.respond_due),
                ("arrive", order.arrived_at, order.arrive_due),
                ("finish", order.finished_at, order.finish_due),
            ):
                running = order.clock == name and due is not None and order.state != "suspended"
                line = ui.element("div").classes("wk-clockline" + (" done" if done else " now" if running else ""))
                with line:
                    text("span", t.maybe("clock", name))
                    if done:
                        text("time", f"✓ {t.local(done)}")
                    elif due is None:
                        text("span", t("clock.none"))
                    else:
                        with ui.element("span"):
                            text("span", t.local(due) + ("  " if running else ""))
                            if running:
                                text("time", "").props(f'data-due="{due.isoformat()}"')

    def _orders(self) -> None:
        t = self._tab.t
        with panel(t("case.orders")), ui.element("div").classes("wk-body"):
            for order in self._case.orders:
                with ui.element("div").classes("wk-orderline"):
                    with ui.element("div").classes("wk-one"):
                        text("a", f"#{order.order_id}").props(f'href="/m/orders/{order.order_id}"')
                        text("strong", t.name(order.org, order.org_en))
                        text("span", t.maybe("state", order.state)).classes("wk-chip")
                    text("div", t.local(order.dispatched_at)).classes("wk-age")

    def _parties(self) -> None:
        t, case = self._tab.t, self._case
        with panel(t("case.parties")), ui.element("div").classes("wk-body"):
            with ui.element("dl").classes("wk-facts"):
                for name, value in (
                    ("responsible", t.name(case.responsible, case.responsible_en)),
                    ("first_responder", t.name(case.first_responder, case.first_responder_en)),
                    ("supervising", t.name(case.supervising, case.supervising_en)),
                    ("source", t.source(case.source)),
                    ("event_at", t.full(case.event_at)),
                    ("filed_at", t.full(case.filed_at)),
                    ("closed_at", t.full(case.closed_at) if case.closed_at else None),
                ):
                    if value:
                        text("dt", t.maybe("case", name))
                        text("dd", value)
                if case.duty:
                    text("dt", t("case.duty"))
                    text("dd", case.duty.title_en if t.language == "en" else case.duty.title)
                    text("dt", t("case.closing"))
                    text("dd", case.duty.closing_condition or "–")
                    text("dt", t("case.basis"))
                    text("dd", f"{case.duty.basis} [{case.duty.mark}]")
            if not case.duty:
                text("p", t("case.no_duty")).classes("wk-note")

    def _timeline(self) -> None:
        t = self._tab.t
        steps = [
            (step.at, t.maybe("action", step.action), step.person or t("case.system"), note_words(t, step.note), False)
            for step in self._case.transitions
        ]
        for fired in self._case.escalations:
            kind = "case.yellow" if fired.level == 0 else "case.escalation"
            title = t(kind, level=fired.level, clock=t.maybe("clock", fired.clock))
            steps.append((fired.fired_at, title, party_name(t, fired.to_party), "", True))
        with panel(t("case.timeline")), ui.element("div").classes("wk-body"):
            with ui.element("ol").classes("wk-steps"):
                for at, title, who, note, alert in sorted(steps, key=lambda step: step[0]):
                    with ui.element("li").classes("alert" if alert else ""):
                        with ui.element("div").classes("wk-one"):
                            text("strong", title)
                            text("span", who).classes("wk-sub")
                            text("span", t.full(at)).classes("wk-when")
                        if note:
                            text("p", note)
            self._files()

    def _files(self) -> None:
        t = self._tab.t
        if not self._case.evidence:
            return
        text("h2", t("case.files")).style("font-size: 14px; font-weight: 640; margin: 8px 0; line-height: 1.4")
        with ui.element("div").classes("wk-acts"):
            for item in self._case.evidence:
                with ui.element("div"):
                    if item.bytes:
                        source = f"/m/evidence/{item.evidence_id}"
                        with ui.element("a").props(f'href="{source}" target="_blank"'):
                            label = t.maybe("evidence", item.kind)
                            ui.element("img").classes("wk-photo").props(f'src="{source}" alt="{label}"')
                    else:
                        text("span", t.maybe("evidence", item.kind)).classes("wk-chip")
                        text("span", f" {item.note}")
