"""The data dictionary: every table and view with its columns, as the database itself tells them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_core.database import queries

_HEAD = """# Data dictionary

Written by `watchkeep db dictionary`; do not edit. Times are UTC. *Key* columns make up the primary key; what a table is
for, and the one part that writes it, is its own comment. Tables marked *confined* show a person the rows of their
scope only (row-level security). Schema `wall` holds what dashboards may read.
"""


def page(conn: Connection) -> str:
    """Markdown."""
    sql = queries("watchkeep_core.schema", "dictionary.sql")
    with conn.cursor(row_factory=dict_row) as cursor:
        tables = cursor.execute(sql["tables"]).fetchall()
        columns = cursor.execute(sql["columns"]).fetchall()
    of_table: defaultdict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for column in columns:
        of_table[column["schema"], column["table"]].append(column)
    return "\n".join([_HEAD, *(_section(table, of_table[table["schema"], table["name"]]) for table in tables)])


def _section(table: Mapping[str, Any], columns: Sequence[Mapping[str, Any]]) -> str:
    name = table["name"] if table["schema"] == "public" else f"{table['schema']}.{table['name']}"
    marks = [mark for mark, there in (("view", table["is_view"]), ("confined", table["confined"])) if there]
    rows = "".join(f"| {' | '.join(_cells(column))} |\n" for column in columns)
    lines = [f"## {name}\n", " ".join([table["meaning"] or "", *(f"*{mark}*" for mark in marks)]).strip() + "\n"]
    return "\n".join([*lines, f"| column | type | | meaning |\n|---|---|---|---|\n{rows}"])


def _cells(column: Mapping[str, Any]) -> tuple[str, str, str, str]:
    facts = ["key"] if column["key"] else ["required"] if column["required"] else []
    if column["refers_to"]:
        facts.append(f"→ {column['refers_to']}")
    return f"`{column['name']}`", column["type"], ", ".join(facts), (column["meaning"] or "").replace("|", "\\|")
