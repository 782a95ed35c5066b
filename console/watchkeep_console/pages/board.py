"""`/`: what the duty officer looks at all day. Open warnings and cases, what comes next, where; live, with sound."""

import psycopg
from nicegui import events, ui
from psycopg_pool import PoolTimeout

from watchkeep_console import work
from watchkeep_console.pages.acting import perform
from watchkeep_console.pages.board_picture import CLASSES, SHOWN, Board, Wanted, read
from watchkeep_console.pages.board_places import Places
from watchkeep_console.pages.board_tools import Alarms, keys_dialog, legend, toolbar
from watchkeep_console.pages.dialogs import ask
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.rows import CASE_ROW, WARNING_ROW, warning_row
from watchkeep_console.pages.snippets import Snippet
from watchkeep_console.pages.tables import rows_table, set_rows, set_text
from watchkeep_console.pages.tabs import Tab, Tabs

_KPIS = ("warnings_a", "warnings_b", "warnings_c", "cases", "overdue", "gateways", "rate")
_HOT = {"warnings_a": "hot-A", "warnings_b": "hot-B", "warnings_c": "hot-C", "overdue": "hot-A"}


def register(tabs: Tabs) -> None:
    async def build(tab: Tab, asked: Asked) -> None:
        wanted = Wanted(
            community=(asked.get("community") or "")[:64],
            of_class=asked.one_of("class", CLASSES) or "",
            mine=asked.get("mine") == "1",
            wall=asked.get("wall") == "1",
        )
        found = await read(tab, wanted)
        with frame(tab, "board", tab.t("board.title")):
            view = _View(tab, wanted, found)
        tabs.follow(tab, view.refresh, every_s=15.0)

    route(tabs, "/", "board", build)


class _View:
    """The parts of the page that change."""

    def __init__(self, tab: Tab, wanted: Wanted, found: Board) -> None:
        self._tab = tab
        self._wanted = wanted
        self._after = 0
        if wanted.wall:
            ui.query("body").classes("wk-wall")
        self._alarms = Alarms(tab.t)
        self._stale = text("div", "").classes("wk-banner").props('role="alert"')
        toolbar(tab.t, wanted, found.sites, self._alarms)
        self._draw_figures()
        with ui.element("div").classes("wk-board"):
            self._draw_warnings()
            with ui.element("div"):
                with panel(tab.t("duty.next"), "wk-next"):
                    self._next = Snippet()
                self._draw_cases()
            with panel(tab.t("duty.sites"), "wk-places"), ui.element("div").classes("wk-body"):
                self._places = Places(tab.t, wanted)
        if not wanted.wall:
            legend(tab.t)
        keys_dialog(tab.t)
        self._show(found)

    def _draw_figures(self) -> None:
        t = self._tab.t
        self._figures: dict[str, ui.element] = {}
        self._boxes: dict[str, ui.element] = {}
        with ui.element("div").classes("wk-kpis"):
            for name in _KPIS:
                with ui.element("div").classes(f"wk-kpi kpi-{name}") as box:
                    text("span", t.maybe("kpi", name))
                    self._figures[name] = text("strong", "–")
                    self._boxes[name] = box

    def _draw_warnings(self) -> None:
        t = self._tab.t
        with panel(t("board.warnings")) as head:
            with head:
                self._warning_count = text("span", "").classes("wk-count")
                text("span", t("board.live")).classes("wk-live")
            self._warnings = rows_table(WARNING_ROW, []).mark("warnings")
            self._warnings.on("confirm", self._confirm)
            self._warnings.on("dismiss", self._dismiss)
            with ui.element("div") as self._no_warnings:
                self._nothing(t("board.no_warnings"), t("board.no_warnings_hint"))

    def _draw_cases(self) -> None:
        t = self._tab.t
        with panel(t("board.cases")) as head:
            with head:
                self._case_count = text("span", "").classes("wk-count")
            self._cases = rows_table(CASE_ROW, []).mark("cases")
            self._cases.on("merge", lambda event: self._act_on(event, "merge"))
            self._cases.on("dismiss", lambda event: self._act_on(event, "dismiss"))
            with ui.element("div") as self._no_cases:
                self._nothing(t("board.no_cases"), t("board.no_cases_hint"))

    def _nothing(self, headline: str, hint: str) -> None:
        """No rows: because there are none, or because of the filter."""
        t = self._tab.t
        if self._wanted.narrow:
            empty(t("duty.filtered_empty"))
            back = text("a", t("duty.clear_filter")).classes("wk-center")
            back.props(f'href="{Wanted(wall=self._wanted.wall).path()}"')
        else:
            empty(headline, hint)

    async def refresh(self) -> None:
        """Without a database the last picture stays, and says how old it is."""
        try:
            found = await read(self._tab, self._wanted, self._found, after=self._after)
        except (psycopg.OperationalError, PoolTimeout):
            if not self._stale._text:
                at = self._tab.t.full(self._tab.house.clock.now())[11:]
                set_text(self._stale, self._tab.t("duty.stale", at=at))
            return
        set_text(self._stale, "")
        if found is not self._found:
            self._show(found)

    def _show(self, found: Board) -> None:
        self._found = found
        set_rows(self._warnings, found.warning_rows)
        set_rows(self._cases, found.case_rows)
        for count, rows in ((self._warning_count, found.warning_rows), (self._case_count, found.case_rows)):
            set_text(count, f"{len(rows)}{'+' if len(rows) >= SHOWN else ''}")
        self._warnings.set_visibility(bool(found.warnings))
        self._no_warnings.set_visibility(not found.warnings)
        self._cases.set_visibility(bool(found.cases))
        self._no_cases.set_visibility(not found.cases)
        self._alarms.show(found.loud)
        self._next.show(found.coming)
        self._places.show(found.places, found.sites, found.blocks)
        for name, value in found.figures.items():
            set_text(self._figures[name], value)
        for name, mark in _HOT.items():
            box = self._boxes[name]
            box.classes(add=mark) if found.figures[name] != "0" else box.classes(remove=mark)

    def _acted(self) -> None:
        """What was begun before is not shown any more."""
        self._after = self._tab.house.shared.begun

    def _judged(self, warning_id: int, **now: object) -> None:
        """The own row at once; the rest follows for all boards with their next beat."""
        self._acted()
        item = self._found.warnings.get(warning_id)
        if item is not None:
            row = warning_row(self._tab.t, item.model_copy(update=now), may_judge=False)
            set_rows(self._warnings, [row if old["id"] == warning_id else old for old in self._warnings.rows])

    async def _again(self) -> None:
        self._acted()
        await self.refresh()

    async def _confirm(self, event: events.GenericEventArguments) -> None:
        warning_id = int(event.args)
        done = await self._tab.act(lambda who: work.confirm(self._tab.house, who, warning_id))
        if done is None:
            await self._again()
            return
        self._judged(warning_id, case_id=done.case_id)
        self._tab.say(self._tab.t("board.filed"))

    async def _dismiss(self, event: events.GenericEventArguments) -> None:
        warning_id, t = int(event.args), self._tab.t
        row = next((row for row in self._warnings.rows if row["id"] == warning_id), None)
        oath = t("duty.confirm_a") if row and row["class"] == "A" else ""
        answer = await ask(self._tab, t("board.dismiss_long"), [("note", t("board.reason"), True)], oath=oath)
        if answer is None:
            return
        done = await self._tab.act(lambda who: work.dismiss(self._tab.house, who, warning_id, answer["note"]))
        if done is None:
            await self._again()
            return
        self._judged(warning_id, verdict="dismissed")
        self._tab.say(t("board.dismissed"))

    async def _act_on(self, event: events.GenericEventArguments, action: str) -> None:
        case = self._found.cases.get(int(event.args))
        if case is not None:
            await perform(self._tab, case, action)
        await self._again()
