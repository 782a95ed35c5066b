"""Tables drawn by a row template, and changing texts."""

from typing import Any

from nicegui import json, ui

_VERSION = "data-version"
"""Of a table's rows: a change that was made to another version is not for the one that the browser has."""


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


def set_unwatched(element: ui.element, name: str, value: object) -> None:
    """Give a prop as it is, and send nothing. NiceGUI wraps each list and dict in a prop to hear of changes in it.

    For a chart of ten points over a year that took 220 ms of the event loop, for a board of 600 rows 9 ms (measured).
    """
    dict.__setitem__(element.props, name, value)


def set_rows(table: ui.table, rows: list[dict[str, Any]]) -> None:
    """Change the rows: the browser gets those that differ and the new order (static/rows.js), not the whole list.

    Fifty boards of 600 rows each would else be sent 10 MB at every change.
    """
    before = {row["id"]: row for row in table.rows}
    changed = [row for row in rows if (old := before.get(row["id"])) is not row and old != row]
    order = [row["id"] for row in rows]
    if not changed and order == list(before):
        return
    version = int(table.props.get(_VERSION, 0))
    set_unwatched(table, "rows", rows)
    set_unwatched(table, _VERSION, version + 1)
    if table.client.has_socket_connection:
        table.client.run_javascript(f"wkRows({table.id}, {version}, {json.dumps(order)}, {json.dumps(changed)})")
    else:  # the page is being built, or away for a moment: then it gets the whole
        table.update()
