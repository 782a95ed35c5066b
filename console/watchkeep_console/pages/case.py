"""`/cases/{id}` and `/warnings/{id}`: everything about one case on one page, with what to do next."""

import secrets
from datetime import datetime, timedelta

from fastapi import Request, Response
from nicegui import Client, ui
from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import reads, work
from watchkeep_console.errors import NotFound
from watchkeep_console.identity import Session
from watchkeep_console.pages.charts import Line, Mark, extremes, line_chart
from watchkeep_console.pages.dialogs import Field, ask
from watchkeep_console.pages.frame import badge, empty, frame, panel, text
from watchkeep_console.pages.missing import missing
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE
from watchkeep_core.vocabulary import load
from watchkeep_dispatch.actions import Evidence

BEFORE, AFTER = timedelta(minutes=30), timedelta(minutes=10)
_DANGER = frozenset({"dismiss", "return", "rework", "enter_ledger"})
_PLAIN = frozenset({"suspend", "merge", "raise_class"})
_REASONED = frozenset({"return", "suspend", "rework", "dismiss", "enter_ledger", "strike", "merge", "raise_class"})
Curve = tuple[m.Warning, m.Point | None, list[tuple[datetime, float]], tuple[datetime, datetime]]


def register(tabs: Tabs) -> None:
    @ui.page("/cases/{case_id}")
    async def case_page(request: Request, client: Client, case_id: int) -> Response | None:
        tab = await tabs.enter(request, client)
        if isinstance(tab, Response):
            return tab
        try:
            found = await tab.read(_read, tab.session, case_id, tab.house.clock.now())
        except NotFound:
            missing(tab, "board")
            return None
        with frame(tab, "board", tab.t("case.title", id=case_id)):
            view = _View(tab, *found)
        tabs.follow(tab, view.refresh)
        return None

    @ui.page("/warnings/{warning_id}")
    async def warning_page(request: Request, client: Client, warning_id: int) -> Response | None:
        tab = await tabs.enter(request, client)
        if isinstance(tab, Response):
            return tab
        try:
            found = await tab.read(_warning, warning_id)
        except NotFound:
            missing(tab, "board")
            return None
        with frame(tab, "board", tab.t.condition(found[0].condition)), ui.element("div").classes("wk-wizard"):
            _evidence(tab, [found])
        return None


def _read(
    conn: Connection, session: Session, case_id: int, now: datetime
) -> tuple[m.CaseDetail, list[Curve], dict[str, str]]:
    case = work.open_case(conn, session.person, case_id, now)
    curves = [_warning(conn, warning.warning_id) for warning in case.warnings[:3]]
    return case, curves, dict(reads.proposable(conn, case_id))


def _mergeable(conn: Connection, case: m.CaseDetail) -> dict[str, str]:
    """Open cases of the same community that could take this one in."""
    return {
        str(other.case_id): f"#{other.case_id} {other.title_zh}"
        for other in reads.cases(conn, community=case.community_id, is_open=True).items
        if other.case_id != case.case_id
    }


def _warning(conn: Connection, warning_id: int) -> Curve:
    """A warning, the point it came from, and that point's readings around it."""
    warning = reads.warning(conn, warning_id)
    now = reads.present(conn, warning.community_id)
    until = min(now, (warning.cleared_at or now) + AFTER)
    span = (max(warning.event_at - BEFORE, until - timedelta(days=2)), until)
    if warning.series_id is None:
        return warning, None, [], span
    buckets = reads.curve(conn, warning.series_id, *span)
    points = reads.points(conn, warning.community_id, warning.equipment_id)
    point = next((item for item in points if item.series_id == warning.series_id), None)
    return warning, point, extremes(buckets), span


class _View:
    """The page; it is drawn anew when the case has changed."""

    def __init__(self, tab: Tab, case: m.CaseDetail, curves: list[Curve], organisations: dict[str, str]) -> None:
        self._tab = tab
        self._box = ui.element("div")
        self._drawn = (case, len(curves))
        self._draw(case, curves, organisations)

    async def refresh(self) -> None:
        case, curves, organisations = await self._tab.read(
            _read, self._tab.session, self._case.case_id, self._tab.house.clock.now()
        )
        if case != self._case:
            self._draw(case, curves, organisations)

    def _draw(self, case: m.CaseDetail, curves: list[Curve], organisations: dict[str, str]) -> None:
        self._case, self._organisations = case, organisations
        self._box.clear()
        with self._box:
            self._title()
            with ui.element("div").classes("wk-columns case"):
                with ui.element("div"):
                    _evidence(self._tab, curves)
                    self._timeline()
                with ui.element("div"):
                    self._acts()
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
            first = next((action for action in self._case.actions if action not in _DANGER | _PLAIN), None)
            for action in self._case.actions:
                look = "wk-primary" if action == first else "wk-danger" if action in _DANGER else "wk-plain"
                button = ui.button(t.maybe("action", action), color=None, on_click=lambda _, a=action: self._press(a))
                button.classes(look).props("unelevated no-caps")

    async def _press(self, action: str) -> None:
        t, case = self._tab.t, self._case
        fields: list[Field] = [
            ("note", t("board.reason") if action in _REASONED else t("case.note"), action in _REASONED)
        ]
        choices = {}
        if action in ("return", "redispatch"):
            fields.insert(0, ("org_id", t("case.proposed_org"), True))
            choices["org_id"] = self._organisations
        if action == "merge":
            fields.insert(0, ("into_case_id", t("case.into"), True))
            choices["into_case_id"] = await self._tab.read(_mergeable, case)
        if action == "raise_class":
            fields.insert(0, ("to_class", t("case.to_class"), True))
            choices["to_class"] = {name: name for name in ("A", "B") if name < case.case_class}
        if action == "suspend":
            fields.append(("approver", t("case.approver"), True))
        answer = await ask(t, t.maybe("action", action), fields, choices)
        if answer is None:
            return
        pieces = (Evidence("note", answer["note"]),) if action in ("finish", "verify") and answer["note"] else ()
        wanted = work.Act(
            action,
            case.version,
            answer["note"],
            answer.get("org_id"),
            answer.get("approver"),
            into_case_id=int(answer["into_case_id"]) if "into_case_id" in answer else None,
            to_class=answer.get("to_class", ""),
            evidence=pieces,
        )
        key = secrets.token_urlsafe(12)
        done = await self._tab.act(lambda who: work.act(self._tab.house, who, case.case_id, wanted, key))
        if done is not None:
            ui.notify(t("case.done", action=t.maybe("action", action)), type="positive", position="top")
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
                    ("first_responder", case.first_responder),
                    ("supervising", case.supervising),
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
            (step.at, t.maybe("action", step.action), step.person or t("case.system"), step.note, False)
            for step in self._case.transitions
        ]
        for fired in self._case.escalations:
            kind = "case.yellow" if fired.level == 0 else "case.escalation"
            title = t(kind, level=fired.level, clock=t.maybe("clock", fired.clock))
            steps.append((fired.fired_at, title, t.party(fired.to_party), "", True))
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


def _evidence(tab: Tab, curves: list[Curve]) -> None:
    """Sentence, chart with the limit inside its range, and what to do about it."""
    t = tab.t
    with panel(t("case.evidence")), ui.element("div").classes("wk-body"):
        if not curves:
            empty(t("case.no_warning"))
        for warning, point, points, span in curves:
            with ui.element("div").classes(f"class-{warning.proposed_class}"):
                text("p", warning.sentence_en if t.language == "en" else warning.sentence_zh).classes("wk-sentence")
            with ui.element("div").classes("wk-one wk-sub"):
                text("span", f"{t('case.event_at')} {t.full(warning.event_at)}")
                text("span", f"{t('case.detected')} {t.full(warning.detected_at)}")
                over = t("case.cleared", at=t.local(warning.cleared_at)) if warning.cleared_at else t("case.still")
                text("span", over).classes("wk-chip" + (" ok" if warning.cleared_at else " off"))
                if isinstance(warning, m.WarningDetail):
                    text("span", f"{t('case.detector')} {warning.detector} {warning.version}")
            if point is not None and points:
                _curve(tab, warning, point, points, span)
        if curves:
            known = load().conditions.get(curves[0][0].condition)
            if known:
                advice = known.advice_en if t.language == "en" else known.advice_zh
                text("p", f"{t('case.advice')} · {advice}").classes("wk-advice")


def _curve(
    tab: Tab, warning: m.Warning, point: m.Point, points: list[tuple[datetime, float]], span: tuple[datetime, datetime]
) -> None:
    t = tab.t
    limits = [limit for limit in point.limits if limit.condition == warning.condition] or point.limits
    values = dict.fromkeys(limit.value for limit in limits)
    marks = [Mark(f"{t('case.limit')} {value:g} {t.unit(point.unit)}".strip(), value) for value in values]
    metric = load().metrics.get(point.metric)
    line = Line(t.metric(point.metric), points, t.unit(point.unit), steps=bool(metric and metric.value == "state"))
    line_chart(tab.theme, ZONE, [line], marks[:4], span, (warning.event_at, t.local(warning.event_at)[6:]))
