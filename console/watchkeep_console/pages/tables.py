"""Tables drawn by a row template, and changing texts."""

from typing import Any

from nicegui import ui


def rows_table(template: str, rows: list[dict[str, Any]]) -> ui.table:
    """A table without head whose rows look as `template` says."""
    table = ui.table(columns=[{"name": "row", "label": "", "field": "id"}], rows=rows, row_key="id", pagination=0)
    table.classes("wk-rows").props("flat dense hide-header hide-bottom")
    table.add_slot("body", template)
    return table


def set_text(element: ui.element, value: str) -> None:
    """Change a plain text; nothing is sent when it is the same."""
    if element._text != value:  # NiceGUI has no public setter for the text of a bare element
        element._text = value
        element.update()


def set_rows(table: ui.table, rows: list[dict[str, Any]]) -> None:
    """Change the rows; nothing is sent when they are the same."""
    if table.rows != rows:
        table.rows = rows
        table.update()
