"""A question before an act: a few fields, OK or cancel."""

from collections.abc import Collection, Mapping, Sequence

from nicegui import ui

from watchkeep_console.pages.frame import text
from watchkeep_console.pages.tabs import Tab

Field = tuple[str, str, bool]
"""Name, label, required."""


async def ask(
    tab: Tab,
    title: str,
    fields: Sequence[Field],
    choices: Mapping[str, Mapping[str, str]] | None = None,
    *,
    moments: Collection[str] = (),
    oath: str = "",
) -> dict[str, str] | None:
    """The answers by field name, or None when the person thought better of it.

    `choices` makes a field a list, `moments` one a date with a time; an `oath` must be ticked. The question belongs to
    the page: what was pressed may be drawn anew while somebody is still writing.
    """
    t = tab.t
    inputs: dict[str, ui.textarea | ui.select | ui.input] = {}
    with tab.client, ui.dialog() as dialog, ui.element("div").classes("wk-dialog q-card"):
        text("h2", title)
        for name, label, _ in fields:
            options = (choices or {}).get(name)
            field: ui.textarea | ui.select | ui.input
            if name in moments:
                field = ui.input(label).props("outlined dense stack-label type=datetime-local")
            elif options is None:
                field = ui.textarea(label).props("outlined autogrow dense maxlength=2000")
            else:
                field = ui.select(dict(options), label=label, with_input=True).props("outlined dense options-dense")
            inputs[name] = field.classes("w-full").style("width: 100%; margin: 6px 0")

        sworn = ui.checkbox(oath).classes("wk-oath") if oath else None

        def submit() -> None:
            if sworn and not sworn.value:
                sworn.classes(add="wk-wanted")
                return
            missing = [name for name, _, required in fields if required and not str(inputs[name].value or "").strip()]
            for name in missing:
                inputs[name].props("error")
            if not missing:
                dialog.submit({name: str(field.value or "").strip() for name, field in inputs.items()})

        with ui.element("div").classes("wk-acts").style("justify-content: flex-end; margin-top: 12px"):
            ui.button(t("app.cancel"), on_click=lambda: dialog.submit(None), color=None).classes("wk-plain").props(
                "flat no-caps"
            )
            ui.button(t("app.save"), on_click=submit, color=None).classes("wk-primary").props("unelevated no-caps")
    answer: dict[str, str] | None = await dialog
    dialog.delete()
    return answer
