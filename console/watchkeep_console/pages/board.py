"""`/`: what the duty officer looks at all day. Open warnings, open cases and their clocks, live."""

from fastapi import Request, Response
from nicegui import Client, events, ui
from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import reads, work
from watchkeep_console.pages.dialogs import ask
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.rows import CASE_ROW, WARNING_ROW, case_row, warning_row
from watchkeep_console.pages.tables import rows_table, set_text
from watchkeep_console.pages.tabs import Tab, Tabs

SHOWN = 100
"""Rows of each class; the counts above tell the whole."""
CLASSES = ("A", "B", "C")
_KPIS = ("warnings_a", "warnings_b", "warnings_c", "cases", "overdue", "gateways", "rate")
Board = tuple[list[m.Warning], list[m.Case], m.Summary]


def register(tabs: Tabs) -> None:
    @ui.page("/")
    async def board(request: Request, client: Client) -> Response | None:
        tab = await tabs.enter(request, client)
        if isinstance(tab, Response):
            return tab
        found = await tab.read(_read)
        with frame(tab, "board", tab.t("board.title")):
            view = _View(tab, found)
        tabs.follow(tab, view.refresh)
        ui.timer(15.0, view.refresh_counts, immediate=False)
        return None


def _read(conn: Connection) -> Board:
    """Worst class first, then the newest: the order people work in."""
    warnings: list[m.Warning] = []
    cases: list[m.Case] = []
    for of_class in CLASSES:  # each class by itself: a flood of one never hides another
        warnings += reads.warnings(conn, status="open", of_class=of_class, limit=SHOWN).items
        cases += reads.cases(conn, is_open=True, of_class=of_class, limit=SHOWN).items
    warnings.sort(key=lambda item: (item.proposed_class, not item.life_safety, -item.detected_at.timestamp()))
    cases.sort(key=lambda item: (item.case_class, item.due_at.timestamp() if item.due_at else float("inf")))
    return warnings, cases, reads.summary(conn)


class _View:
    """The parts of the page that change."""

    def __init__(self, tab: Tab, found: Board) -> None:
        self._tab = tab
        self._figures: dict[str, ui.element] = {}
        self._boxes: dict[str, ui.element] = {}
        t = tab.t
        with ui.element("div").classes("wk-kpis"):
            for name in _KPIS:
                with ui.element("div").classes("wk-kpi") as box:
                    text("span", t.maybe("kpi", name))
                    self._figures[name] = text("strong", "–")
                    self._boxes[name] = box
        with ui.element("div").classes("wk-columns"):
            with panel(t("board.warnings")) as head:
                with head:
                    self._warning_count = text("span", "").classes("wk-count")
                    text("span", t("board.live")).classes("wk-live")
                self._warnings = rows_table(WARNING_ROW, []).mark("warnings")
                self._warnings.on("confirm", self._confirm)
                self._warnings.on("dismiss", self._dismiss)
                with ui.element("div") as self._no_warnings:
                    empty(t("board.no_warnings"), t("board.no_warnings_hint"))
            with panel(t("board.cases")) as head:
                with head:
                    self._case_count = text("span", "").classes("wk-count")
                self._cases = rows_table(CASE_ROW, []).mark("cases")
                with ui.element("div") as self._no_cases:
                    empty(t("board.no_cases"), t("board.no_cases_hint"))
        self._show(found)

    async def refresh(self) -> None:
        self._show(await self._tab.read(_read))

    async def refresh_counts(self) -> None:
        """The rate of readings changes without any row that notifies."""
        self._show_counts(await self._tab.read(reads.summary))

    def _show(self, found: Board) -> None:
        warnings, cases, summary = found
        may = self._tab.session.person
        self._warnings.rows = [
            warning_row(self._tab.t, item, may.may("warning:judge", item.community_id)) for item in warnings
        ]
        self._cases.rows = [case_row(self._tab.t, item) for item in cases]
        self._warnings.update()
        self._cases.update()
        for count, items in ((self._warning_count, warnings), (self._case_count, cases)):
            set_text(count, f"{len(items)}{'+' if len(items) >= SHOWN else ''}")
        self._warnings.set_visibility(bool(warnings))
        self._no_warnings.set_visibility(not warnings)
        self._cases.set_visibility(bool(cases))
        self._no_cases.set_visibility(not cases)
        self._show_counts(summary)

    def _show_counts(self, summary: m.Summary) -> None:
        values = {f"warnings_{name.lower()}": str(summary.warnings[name]) for name in "ABC"} | {
            "cases": str(summary.cases_open),
            "overdue": str(summary.orders_overdue),
            "gateways": f"{summary.gateways_online}/{summary.gateways}",
            "rate": _rate(summary.readings_per_s),
        }
        for name, value in values.items():
            set_text(self._figures[name], value)
        hot = {"hot-A": "warnings_a", "hot-B": "warnings_b", "hot-C": "warnings_c"}
        for name, box in self._boxes.items():
            mark = next((key for key, of in hot.items() if of == name), "hot-A" if name == "overdue" else "")
            if mark:
                box.classes(add=mark) if values[name] != "0" else box.classes(remove=mark)

    async def _confirm(self, event: events.GenericEventArguments) -> None:
        warning_id = int(event.args)
        done = await self._tab.act(lambda who: work.confirm(self._tab.house, who, warning_id))
        if done is not None:
            ui.notify(self._tab.t("board.filed"), type="positive", position="top")
            await self.refresh()

    async def _dismiss(self, event: events.GenericEventArguments) -> None:
        warning_id = int(event.args)
        t = self._tab.t
        answer = await ask(t, t("board.dismiss_long"), [("note", t("board.reason"), True)])
        if answer is None:
            return
        done = await self._tab.act(lambda who: work.dismiss(self._tab.house, who, warning_id, answer["note"]))
        if done is not None:
            ui.notify(t("board.dismissed"), type="positive", position="top")
            await self.refresh()


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"
