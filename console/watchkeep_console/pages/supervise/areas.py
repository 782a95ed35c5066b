"""Which area a supervisor looks at: one of those with communities that they see."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console.pages.route import Asked
from watchkeep_console.pages.tabs import Tab
from watchkeep_core.database import queries

SQL = queries("watchkeep_console", "sql/supervise.sql")


async def choose(tab: Tab, asked: Asked) -> tuple[str, dict[str, str]]:
    """The chosen area ('' = everything one sees) and all there are, indented by their level."""
    mine = [item.scope_id for item in tab.session.person.memberships if item.scope_kind == "area"]
    rows = await tab.read(_areas, mine)
    names = {row["area_id"]: "　" * (row["depth"] - 1) + tab.t.name(row["name"], row["name_en"]) for row in rows}
    return asked.one_of("area", names) or "", names


def _areas(conn: Connection, mine: list[str]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SQL["areas_seen"], {"mine": mine}).fetchall()
