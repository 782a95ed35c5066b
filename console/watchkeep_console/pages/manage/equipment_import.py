"""`/equipment-import`: the register from Excel; template, check, then all rows or none."""

import asyncio
from dataclasses import dataclass

from nicegui import events, ui

from watchkeep_console import imports
from watchkeep_console.imports import Imported
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import frame, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.register_excel import COLUMNS, MAX_BYTES, MAX_ROWS, Problem

LOOK_EVERY_S = 0.3
SHOWN_ERRORS = 100


def register(tabs: Tabs) -> None:
    route(tabs, "/equipment-import", "equipment", _page)


async def _page(tab: Tab, asked: Asked) -> None:
    with frame(tab, "equipment", tab.t("manage.import")):
        _Wizard(tab)


@dataclass
class _Progress:
    """Written by the worker thread, read by the page's timer."""

    phase: str = "check"
    done: int = 0
    total: int = 0

    def __call__(self, phase: str, done: int, total: int) -> None:
        self.phase, self.done, self.total = phase, done, total


class _Wizard:
    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._content = b""
        t = tab.t
        with ui.element("div").classes("wk-wizard"):
            with kit.headline(t("manage.import"), sub=t("manage.import_intro", n=f"{MAX_ROWS:,}")):
                kit.tag("a", t("manage.back_to_register"), href="/equipment")
            if not tab.session.person.may_somewhere("estate:edit"):
                kit.note(t("kit.forbidden_hint"))
                return
            with ui.element("section").classes("wk-panel"):
                with ui.element("div").classes("wk-step"):
                    text("b", "1")
                    with ui.element("div"):
                        text("h2", t("manage.step_template"))
                        text("p", t("manage.step_template_hint")).classes("wk-hint")
                        kit.button(t("manage.template"), self._template)
                with ui.element("div").classes("wk-step"):
                    text("b", "2")
                    with ui.element("div"):
                        text("h2", t("manage.step_upload"))
                        kit.chooser(t("manage.choose_file"), ".xlsx", MAX_BYTES, self._uploaded, self._rejected)
                        self._bar = _Bar(t("manage.progress"))
                        self._result = ui.element("div")

    async def _template(self) -> None:
        ui.download.content(await asyncio.to_thread(imports.template), "equipment-template.xlsx")

    def _rejected(self) -> None:
        self._tab.complain(self._tab.t("manage.rejected", mb=MAX_BYTES // 1024 // 1024))

    async def _uploaded(self, event: events.UploadEventArguments) -> None:
        self._content = await event.file.read()
        await self._run(dry_run=True)

    async def _run(self, *, dry_run: bool) -> None:
        """In a worker thread, so that this page and all others go on living."""
        progress = _Progress()
        self._result.clear()
        self._bar.show(self._tab, progress)
        timer = ui.timer(LOOK_EVERY_S, lambda: self._bar.show(self._tab, progress))
        content = self._content
        try:
            found = await self._tab.act(
                lambda who: imports.import_register(self._tab.house, who, content, dry_run=dry_run, progress=progress)
            )
        finally:
            timer.delete()
            self._bar.hide()
        if found is not None:
            with self._result:
                self._say(found)

    def _say(self, found: Imported) -> None:
        t = self._tab.t
        kit.figures(
            [
                (t("manage.rows"), f"{found.rows:,}", ""),
                (t("manage.new"), f"{found.new:,}", ""),
                (t("manage.changed"), f"{found.changed:,}", ""),
                (t("manage.unchanged"), f"{found.unchanged:,}", ""),
                (t("manage.wrong"), f"{found.wrong:,}", "hot-A" if found.wrong else ""),
            ]
        )
        if found.written:
            kit.note(t("manage.written", n=f"{found.new + found.changed:,}"), "ok")
            kit.tag("a", t("manage.back_to_register"), href="/equipment")
        elif found.errors:
            self._errors(found)
        elif found.new + found.changed:
            kit.note(t("manage.checked_ok"), "ok")
            label = t("manage.write_now", n=f"{found.new + found.changed:,}")
            kit.button(label, lambda: self._run(dry_run=False), "primary")
        else:
            kit.note(t("manage.nothing_new"), "ok")

    def _errors(self, found: Imported) -> None:
        t = self._tab.t
        kit.note(t("manage.errors_intro", n=f"{found.wrong:,}"), "off").props('role="alert"')
        names = {column.field: column.en if t.language == "en" else column.zh for column in COLUMNS}
        rows = [
            {"cell": one.cell, "column": names.get(one.column, one.column), "problem": self._problem(one.problem)}
            for one in found.errors[:SHOWN_ERRORS]
        ]
        columns = {name: t.maybe("manage", f"error_{name}") for name in ("cell", "column", "problem")}
        kit.listing(columns, rows, name=t("manage.wrong"))
        if found.wrong > SHOWN_ERRORS:
            text("p", t("manage.more_errors", n=f"{found.wrong - SHOWN_ERRORS:,}")).classes("wk-hint")

    def _problem(self, problem: Problem) -> str:
        return self._tab.t.maybe("wrong", problem.code).format(**problem.values)


class _Bar:
    """How far the worker is; read out by screen readers."""

    def __init__(self, label: str) -> None:
        with ui.element("div") as self._box:
            self._bar = kit.tag("div", "", "wk-progress", role="progressbar", aria_label=label, aria_valuemin=0)
            self._bar.props["aria-valuemax"] = 100
            with self._bar:
                self._fill = ui.element("i")
            self._words = text("p", "").classes("wk-hint").props('role="status"')
        self._box.set_visibility(False)

    def show(self, tab: Tab, progress: _Progress) -> None:
        share = 100 * progress.done / progress.total if progress.total else 0.0
        self._box.set_visibility(True)
        self._bar.props["aria-valuenow"] = round(share)
        self._fill.style(f"width: {share:.0f}%")
        values = {"done": f"{progress.done:,}", "total": f"{progress.total:,}"}
        self._words._text = tab.t.maybe("manage", f"phase_{progress.phase}").format(**values)
        self._words.update()

    def hide(self) -> None:
        self._box.set_visibility(False)
