"""Parts that the pages of lists and forms are made of: plain HTML forms, tables with typed cells, paging, dialogs."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from nicegui import events, ui

from watchkeep_console.identity import Session
from watchkeep_console.pages.frame import text
from watchkeep_console.pages.tabs import Tab
from watchkeep_console.texts import Words

_PARTS = (files("watchkeep_console") / "templates/cell.vue").read_text(encoding="utf-8")
_CELL = f'<q-td :props="props">{_PARTS.replace("VALUE", "props.value")}</q-td>'
_CARD = f"""<div class="wk-card"><div v-for="col in props.cols" :key="col.name" class="wk-cardline"
 v-show="col.value !== '' && col.value !== null"><span>{{{{ col.label }}}}</span>
<div>{_PARTS.replace("VALUE", "col.value")}</div></div></div>"""
Cell = Any
"""A text or number, one of the values made below, or a list of them."""
Options = Mapping[str, str]


def link(label: str, href: str, sub: str = "") -> dict[str, str]:
    return {"t": label, "href": href, "sub": sub}


def chip(label: str, look: str = "") -> dict[str, str]:
    """`look`: ok, off, life, state, replay or none."""
    return {"t": label, "chip": look}


def class_badge(t: Words, letter: str | None) -> dict[str, str] | str:
    return {"badge": letter, "t": t.class_name(letter)} if letter else ""


def since(t: Words, moment: datetime | None, zone: ZoneInfo) -> dict[str, str] | str:
    """How long ago, with the time itself as its title."""
    return {"since": moment.isoformat(), "t": t.full(moment, zone)} if moment else "–"


def due(t: Words, moment: datetime | None, zone: ZoneInfo, label: str = "") -> dict[str, str] | str:
    """What is left until then, or by how much it is late."""
    return {"due": moment.isoformat(), "t": t.full(moment, zone), "label": label} if moment else "–"


def act(label: str, name: str, key: object, look: str = "") -> dict[str, Any]:
    """A button; the table emits `act` with [name, key]."""
    return {"t": label, "act": [name, key], "look": look}


def listing(
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, Cell]],
    *,
    sortable: bool = False,
    on_act: Callable[..., Any] | None = None,
    name: str = "",
) -> ui.table:
    """A table of typed cells: columns by key and label; cards on a phone. `name` is what a screen reader says."""
    heads = [
        {"name": key, "field": key, "label": label, "align": "left", "sortable": sortable}
        for key, label in columns.items()
    ]
    numbered = [
        {key: _parts(value) for key, value in row.items()} | {"_row": number} for number, row in enumerate(rows)
    ]
    table = ui.table(columns=heads, rows=numbered, row_key="_row", pagination=0).classes("wk-table wk-cells")
    table.props("flat dense :grid=Quasar.Screen.lt.sm")
    table.props["aria-label"] = name
    table.add_slot("body-cell", _CELL)
    table.add_slot("item", _CARD)
    if on_act is not None:
        table.on("act", on_act)
    return table


def _parts(value: Cell) -> Cell:
    """NiceGUI draws bare lists by a slot of its own; a cell of no parts is empty."""
    return ({"parts": value} if value else "") if isinstance(value, list) else value


def tag(kind: str, content: str = "", classes: str = "", **attributes: object) -> ui.element:
    """An element with text and attributes as they are: nothing is parsed, whatever stands in them."""
    element = text(kind, content).classes(classes)
    for key, value in attributes.items():
        if value is not None and value is not False:
            name = key.rstrip("_").replace("_", "-")
            # as a property, Vue would write it again at each redraw, over what somebody is typing
            element.props["^value" if (kind, name) == ("input", "value") else name] = value
    return element


@dataclass(frozen=True, slots=True)
class Filter:
    """A field of a filter form; without options a text to search for. `kind` is that of an HTML input."""

    name: str
    label: str
    options: Options | None = None
    kind: str = "search"


def filters(t: Words, path: str, fields: Sequence[Filter], wanted: Mapping[str, str]) -> ui.element:
    """A form that asks for the page anew: its state is in the address, so it can be kept, sent and gone back to."""
    with tag("form", "", "wk-filters", method="get", action=path, role="search") as form:
        for field in fields:
            value = wanted.get(field.name, "")
            with tag("label", "", "wk-field"):
                text("span", field.label)
                if field.options is None:
                    tag("input", name=field.name, type=field.kind, value=value, maxlength=100)
                    continue
                with tag("select", name=field.name):
                    tag("option", t("kit.all"), value="", selected=not value)
                    for key, label in field.options.items():
                        tag("option", label, value=key, selected=key == value)
        tag("button", t("kit.search"), "wk-mini primary wk-go", type="submit")
        if any(wanted.get(field.name) for field in fields):
            tag("a", t("kit.reset"), "wk-reset", href=path)
    return form


def address(path: str, *queries: Mapping[str, object], **more: object) -> str:
    """The address of a page with what is asked of it."""
    given = {key: value for query in (*queries, more) for key, value in query.items()}
    query = urlencode({key: value for key, value in given.items() if value not in (None, "")})
    return f"{path}?{query}" if query else path


def pages(t: Words, path: str, wanted: Mapping[str, str], page: int, more: bool, total: int | None = None) -> None:
    """Links to the page before and after; `page` from 1 on."""
    if page == 1 and not more:
        return
    with tag("nav", "", "wk-pages", aria_label=t("kit.paging")):
        if page > 1:
            tag("a", t("kit.previous"), "wk-mini", href=address(path, wanted, page=page - 1 if page > 2 else None))
        text("span", t("kit.page", n=page) + (f" · {t('kit.total', n=f'{total:,}')}" if total is not None else ""))
        if more:
            tag("a", t("kit.next"), "wk-mini", href=address(path, wanted, page=page + 1))


def older(t: Words, path: str, wanted: Mapping[str, str], before: int | None, last: object) -> None:
    """Links to what is older than the `last` shown (None: that is all), and back to the newest."""
    with tag("div", "", "wk-pages"):
        if before is not None:
            tag("a", t("kit.newest"), "wk-mini", href=address(path, wanted))
        if last is not None:
            tag("a", t("kit.next"), "wk-mini", href=address(path, wanted, before=last))


def headline(title: str, count: object = "", sub: str = "") -> ui.element:
    """The page's title; buttons may be put into what is returned."""
    with ui.element("div").classes("wk-title") as head:
        text("h1", title)
        if count != "":
            text("span", str(count)).classes("wk-count")
        if sub:
            text("span", sub).classes("wk-sub")
        ui.element("div").classes("wk-grow")
    return head


def button(label: str, on_click: Callable[..., Any], look: str = "plain") -> ui.button:
    """`look`: primary, plain or danger."""
    made = ui.button(label, on_click=on_click, color=None).classes(f"wk-{look} wk-button")
    return made.props("unelevated no-caps" if look == "primary" else "flat no-caps")


def figures(values: Sequence[tuple[str, str, str]]) -> None:
    """Boxes of (label, value, look); a look such as hot-A is for what asks for attention."""
    with ui.element("div").classes("wk-kpis wk-kpis-auto"):
        for label, value, look in values:
            with ui.element("div").classes(f"wk-kpi {look}"):
                text("span", label)
                text("strong", value)


def chooser(
    label: str, accept: str, max_bytes: int, on_upload: Callable[..., Any], on_rejected: Callable[..., Any]
) -> ui.upload:
    """A button that asks for a file. Quasar's own box has no names for screen readers, so it stays out of sight."""

    async def uploaded(event: events.UploadEventArguments) -> None:
        upload.reset()  # else no second file could be chosen after one with mistakes
        answer = on_upload(event)
        if inspect.isawaitable(answer):
            await answer

    upload = ui.upload(
        auto_upload=True, max_files=1, max_file_size=max_bytes, on_upload=uploaded, on_rejected=on_rejected
    )
    upload.props(f"accept={accept}").style("display: none")
    made = button(label, lambda: None)
    made.on("click", js_handler=f"() => getElement({upload.id}).pickFiles()")
    return upload


def note(content: str, look: str = "") -> ui.element:
    """`look`: ok, off, plain, or none for a warning."""
    return text("p", content).classes(f"wk-note {look}")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a dialog. `kind`: text, area, select, date, datetime-local, number, email, tel, password, check."""

    name: str
    label: str
    kind: str = "text"
    required: bool = False
    options: Options | None = None
    value: Any = ""
    hint: str = ""


Given = dict[str, Any]


async def form(
    tab: Tab, title: str, fields: Sequence[Field], send: Callable[[Session, Given], Any], intro: str = ""
) -> bool:
    """Ask, and hand the answers to `send`; what is refused leaves the dialog open with everything in it.

    It belongs to the page: what was pressed may be drawn anew while somebody is still writing.
    """
    inputs: dict[str, Any] = {}
    look = "wk-dialog wk-form-dialog q-card"
    with tab.client, ui.dialog().props("persistent") as dialog, ui.element("div").classes(look):
        text("h2", title)
        if intro:
            text("p", intro).classes("wk-hint")
        for field in fields:
            inputs[field.name] = _input(field)
        problem = text("p", "").classes("wk-note off").props('role="alert"')
        problem.set_visibility(False)

        async def submit() -> None:
            if not _complete(tab.t, fields, inputs):
                return
            given = {name: _plain(one.value) for name, one in inputs.items()}
            if await do(tab, lambda who: send(who, given)):
                dialog.submit(True)

        with ui.element("div").classes("wk-acts wk-dialog-acts"):
            button(tab.t("app.cancel"), lambda: dialog.submit(False))
            button(tab.t("app.save"), submit, "primary")
    answer = await dialog
    dialog.delete()
    return bool(answer)


async def do(tab: Tab, function: Callable[[Session], Any]) -> bool:
    """As `Tab.act`, for acts that answer nothing."""

    def step(who: Session) -> bool:
        function(who)
        return True

    return await tab.act(step) is True


def _input(field: Field) -> Any:
    made: Any
    if field.kind == "check":
        made = ui.checkbox(field.label, value=bool(field.value))
        return made
    if field.options is not None:
        chosen = field.value if field.value in field.options else None
        made = ui.select(dict(field.options), label=field.label, value=chosen, with_input=len(field.options) > 8)
        made.props("options-dense" + ("" if field.required else " clearable"))
    elif field.kind == "area":
        made = ui.textarea(field.label, value=str(field.value)).props("autogrow maxlength=4000")
    else:
        made = ui.input(field.label, value=str(field.value)).props(f"type={field.kind} maxlength=200")
        if field.kind in ("date", "datetime-local", "number"):
            made.props("stack-label")
    if field.hint:
        made.props["hint"] = field.hint
    return made.props("outlined dense").classes("wk-dialog-field")


def _complete(t: Words, fields: Sequence[Field], inputs: Mapping[str, Any]) -> bool:
    """Marks what is missing."""
    missing = [one for one in fields if one.required and not str(inputs[one.name].value or "").strip()]
    for field in fields:
        if field.kind != "check":
            inputs[field.name].props(remove="error error-message")
    for field in missing:
        inputs[field.name].props("error")
        inputs[field.name].props["error-message"] = t("kit.required")
    return not missing


def _plain(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else "" if value is None else value
