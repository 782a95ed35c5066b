"""`/complaints`: what people tell: taking it in, what became of it, files of channels."""

from datetime import datetime
from functools import partial
from typing import Any

from nicegui import events, ui
from psycopg import Connection

from watchkeep_console import reads
from watchkeep_console.api import complaints as api
from watchkeep_console.errors import Invalid
from watchkeep_console.identity import Session
from watchkeep_console.pages import kit
from watchkeep_console.pages.frame import empty, frame, panel, text
from watchkeep_console.pages.route import Asked, route
from watchkeep_console.pages.tabs import Tab, Tabs
from watchkeep_console.texts import ZONE, Words
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import complaints

PER_PAGE = 50
MOST_EQUIPMENT = 500
_SHOWN = ("open", "answered", "refused")
MAX_CSV = 1024 * 1024


def register(tabs: Tabs) -> None:
    route(tabs, "/complaints", "complaints", _page)
    route(tabs, "/complaints/new", "complaints", _intake)


async def _page(tab: Tab, asked: Asked) -> None:
    t = tab.t
    wanted = {
        "community": asked.get("community") or "",
        "source": asked.one_of("source", (*complaints.CHANNELS, "qr_code")) or "",
        "shown": asked.one_of("shown", _SHOWN) or "",
    }
    rows, names = await tab.read(_read, wanted, asked.before)
    with frame(tab, "complaints", t("complaints.title")):
        with kit.headline(t("complaints.title")):
            if tab.session.person.may_somewhere("case:file"):
                kit.button(t("complaints.import"), lambda: _import(tab))
                kit.button(t("complaints.new"), lambda: ui.navigate.to("/complaints/new"), "primary")
        with ui.element("section").classes("wk-panel"):
            kit.filters(t, "/complaints", _fields(t, names), wanted)
            if not rows:
                empty(t("complaints.none"), t("complaints.none_hint"))
                return
            columns = {
                name: t.maybe("complaints", name) for name in ("what", "channel", "reporter", "received", "state")
            }
            table = kit.listing(
                columns, [_row(tab, row) for row in rows[:PER_PAGE]], name=t("complaints.title"),
                on_act=lambda event: _contact(tab, event),
            )  # fmt: skip
            table.mark("complaints")
            last = rows[PER_PAGE - 1]["complaint_id"] if len(rows) > PER_PAGE else None
            kit.older(t, "/complaints", wanted, asked.before, last)


def _fields(t: Words, names: dict[str, str]) -> list[kit.Filter]:
    return [
        kit.Filter("community", t("equipment.community"), names),
        kit.Filter(
            "source", t("complaints.channel"), {one: t.source(one) for one in (*complaints.CHANNELS, "qr_code")}
        ),
        kit.Filter("shown", t("complaints.state"), {one: t.maybe("complaints", one) for one in _SHOWN}),
    ]


def _read(conn: Connection, wanted: dict[str, str], before: int | None) -> tuple[list[dict[str, Any]], dict[str, str]]:
    shown = wanted["shown"]
    rows = complaints.listing(
        conn,
        community=wanted["community"] or None,
        source=wanted["source"] or None,
        answered={"open": False, "answered": True}.get(shown),
        refused=True if shown == "refused" else None,
        before=before,
        limit=PER_PAGE + 1,
    )
    return rows, {one.community_id: one.name for one in reads.communities(conn)}


def _row(tab: Tab, row: dict[str, Any]) -> dict[str, Any]:
    t = tab.t
    where = " · ".join(part for part in (row["community"], row["equipment"], row["place"]) if part)
    state: list[Any] = []
    if row["refusal"]:
        state.append(kit.chip(t("complaints.refused"), "off") | {"sub": row["refusal"]})
    elif row["answered_at"]:
        state.append(kit.chip(t("complaints.answered"), "ok"))
    elif row["state"]:
        state.append(kit.chip(t.maybe("state", row["state"]), "state"))
    if row["case_id"]:
        state.append(kit.link(f"#{row['case_id']}", f"/cases/{row['case_id']}"))
    if row["satisfied"] is not None:
        label = "complaints.satisfied" if row["satisfied"] else "complaints.unsatisfied"
        state.append(kit.chip(t(label), "ok" if row["satisfied"] else "off"))
    reporter: list[Any] = [row["contact_masked"] or "–"]
    if row["contact_masked"] and tab.session.person.may("case:file", row["community_id"]):
        reporter.append(kit.act(t("complaints.show_contact"), "contact", row["complaint_id"]))
    return {
        "what": {"t": row["description"][:200], "sub": f"{t.condition(row['condition'])} · {where}"},
        "channel": {"t": t.source(row["source"]), "sub": row["channel_no"] or ""},
        "reporter": reporter,
        "received": t.local(row["received_at"], ZONE),
        "state": state,
    }


async def _contact(tab: Tab, event: events.GenericEventArguments) -> None:
    """The reporter's number, to call back; the look goes into the audit trail."""
    number = int(event.args[1])
    request = tab.client.request
    found = await tab.act(lambda who: api.contact(number, request, tab.house, who))
    if found is not None:
        with ui.dialog() as dialog, ui.element("div").classes("wk-dialog q-card"):
            text("h2", tab.t("complaints.contact"))
            text("p", f"{found.contact_name or '–'} · {found.contact_phone or '–'}").classes("wk-address")
            text("p", tab.t("complaints.contact_hint")).classes("wk-hint")
            with ui.element("div").classes("wk-acts wk-dialog-acts"):
                kit.button(tab.t("app.close"), lambda: dialog.submit(None))
        await dialog
        dialog.delete()


async def _intake(tab: Tab, asked: Asked) -> None:
    communities = await tab.read(reads.communities)
    mine = {one.community_id: one.name for one in communities if tab.session.person.may("case:file", one.community_id)}
    with frame(tab, "complaints", tab.t("complaints.new")), ui.element("div").classes("wk-wizard"):
        with kit.headline(tab.t("complaints.new"), sub=tab.t("complaints.new_intro")):
            kit.tag("a", tab.t("complaints.back"), href="/complaints")
        if not mine:
            kit.note(tab.t("kit.forbidden_hint"))
            return
        _Intake(tab, mine)


class _Intake:
    """The form of the desk: hot lines, walk-ins, patrols, and events that no sensor tells."""

    def __init__(self, tab: Tab, communities: dict[str, str]) -> None:
        self._tab = tab
        t, words = tab.t, load()
        look = "outlined dense options-dense"
        channels = {one: t.source(one) for one in complaints.CHANNELS}
        kinds = {one: t.condition(one) for one in complaints.reportable(words)}
        with panel(t("complaints.what")), ui.element("div").classes("wk-body"):
            with ui.element("div").classes("wk-form"):
                self._source = ui.select(channels, label=t("complaints.channel"), value="walk_in").props(look)
                self._number = ui.input(t("complaints.channel_no")).props("outlined dense maxlength=100")
                now = tab.house.clock.now().astimezone(ZONE)
                self._at = ui.input(t("complaints.received"), value=f"{now:%Y-%m-%dT%H:%M}")
                self._at.props("outlined dense type=datetime-local")
                first = next(iter(communities))
                self._community = ui.select(
                    communities, label=t("equipment.community"), value=first, with_input=len(communities) > 8,
                    on_change=self._equipment,
                ).props(look)  # fmt: skip
                self._of = ui.select({}, label=t("complaints.equipment"), with_input=True, clearable=True).props(look)
                self._place = ui.input(t("complaints.place")).props("outlined dense maxlength=200")
                self._condition = ui.select(
                    kinds, label=t("complaints.condition"), with_input=True, clearable=True
                ).props(look)
                self._name = ui.input(t("complaints.contact_name")).props("outlined dense maxlength=100")
                self._phone = ui.input(t("complaints.contact_phone")).props("outlined dense maxlength=254")
            self._text = ui.textarea(t("complaints.description")).props("outlined dense autogrow maxlength=4000")
            self._text.style("width: 100%; margin-top: 12px")
            with ui.element("div").classes("wk-acts").style("margin-top: 12px"):
                kit.button(t("complaints.take"), self._take, "primary")
            self._result = ui.element("div")
        ui.timer(0.0, self._equipment, once=True)

    async def _equipment(self) -> None:
        community = str(self._community.value)
        found = await self._tab.read(reads.equipment, community=community, limit=MOST_EQUIPMENT)
        t = self._tab.t
        self._of.set_options({one.equipment_id: t.name(one.name, one.name_en) for one in found.items})
        self._of.set_value(None)

    async def _take(self) -> None:
        t = self._tab.t
        if not (self._text.value or "").strip():
            self._text.props("error")
            self._text.props["error-message"] = t("kit.required")
            return
        self._text.props(remove="error")

        def send(who: Session) -> api.TakenIn:
            return api.take(self._body(), self._tab.house, who)

        taken = await self._tab.act(send)
        if taken is None:
            return
        self._text.set_value("")
        self._number.set_value("")
        self._result.clear()
        with self._result:
            label = (
                "complaints.repeated"
                if taken.repeated
                else "complaints.joined"
                if taken.attached
                else "complaints.taken"
            )
            kit.note(t(label, id=taken.complaint_id), "ok").props('role="status"')
            if taken.case_id:
                kit.tag("a", t("board.case", id=taken.case_id), href=f"/cases/{taken.case_id}")

    def _body(self) -> api.ComplaintBody:
        try:
            at = datetime.fromisoformat(str(self._at.value)).replace(tzinfo=ZONE)
        except ValueError:
            raise Invalid("received_at", "2026-11-22T08:00") from None
        return api.ComplaintBody(
            source=str(self._source.value),
            community_id=str(self._community.value),
            description=str(self._text.value).strip(),
            condition=self._condition.value,
            equipment_id=self._of.value,
            channel_no=str(self._number.value or "").strip() or None,
            place=str(self._place.value or ""),
            contact_name=str(self._name.value or ""),
            contact_phone=str(self._phone.value or ""),
            received_at=min(at, self._tab.house.clock.now()),
        )


async def _import(tab: Tab) -> None:
    """A channel's CSV file: checked when it is chosen, taken in when it is right and confirmed."""
    t = tab.t
    channels = {one: t.source(one) for one in complaints.CHANNELS}
    with ui.dialog().props("persistent") as dialog, ui.element("div").classes("wk-dialog wk-form-dialog q-card"):
        text("h2", t("complaints.import"))
        text("p", t("complaints.import_hint")).classes("wk-hint")
        source = ui.select(channels, label=t("complaints.channel"), value="hotline_12345").props("outlined dense")
        source.classes("wk-dialog-field")
        result = ui.element("div")

        async def uploaded(event: events.UploadEventArguments) -> None:
            await take(await event.file.read(), dry_run=True)

        async def take(content: bytes, *, dry_run: bool) -> None:
            def send(who: Session) -> Any:
                return api.import_file(content, tab.house, who, str(source.value), dry_run, "text/csv")

            found = await tab.act(send)
            result.clear()
            if found is None:
                return
            with result:
                if found.errors:
                    kit.note(t("complaints.errors", n=len(found.errors)), "off")
                    columns = {name: t.maybe("complaints", f"error_{name}") for name in ("line", "column", "error")}
                    kit.listing(columns, [{name: getattr(e, name) for name in columns} for e in found.errors[:50]])
                elif dry_run:
                    kit.note(t("complaints.file_ok"), "ok")
                    kit.button(t("complaints.take_file"), lambda: take(content, dry_run=False), "primary")
                else:
                    kit.note(t("complaints.file_taken"), "ok")

        refused = partial(tab.complain, t("complaints.too_big"))
        kit.chooser(t("manage.choose_file"), ".csv", MAX_CSV, uploaded, refused)
        with ui.element("div").classes("wk-acts wk-dialog-acts"):
            kit.button(t("app.close"), lambda: dialog.submit(None))
    await dialog
    dialog.delete()
    ui.navigate.reload()
