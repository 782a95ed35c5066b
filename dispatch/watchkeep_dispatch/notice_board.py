"""公示栏: what a property company must show in public (plan item 16); the page reads it through a schema function."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch.errors import FieldRefused

SECTIONS = ("manager", "phone", "service", "fee", "parking", "shared_utilities", "income", "expense")
"""What people write; company and maintainers come from register and contracts."""


class NoticeRefused(FieldRefused):
    """A notice is not acceptable; `field` says what of it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One entry of a section; `period` as people write it (2026 Q3)."""

    title: str
    body: str = ""
    amount_yuan: Decimal | None = None
    period: str = ""


def post(
    conn: Connection, community: str, section: str, found: list[Notice], now: datetime, *, person_id: str | None
) -> None:
    """Replace a section of a community's board; what stood there keeps its row and date. Raises NoticeRefused."""
    if section not in SECTIONS:
        raise NoticeRefused("section", f"{section!r} is none of {', '.join(SECTIONS)}")
    for number, notice in enumerate(found):
        for field, longest in (("title", 200), ("body", 2000), ("period", 50)):
            if len(getattr(notice, field)) > longest or not notice.title.strip():
                raise NoticeRefused(f"notices[{number}].{field}", f"must have 1 to {longest} characters")
    conn.execute(_sql("take_down"), {"community": community, "section": section, "now": now})
    try:
        for notice in found:
            row = {name: getattr(notice, name) for name in Notice.__dataclass_fields__}
            values = {"community": community, "section": section, "now": now, "person_id": person_id}
            conn.execute(_sql("post"), row | values)
    except psycopg.errors.ForeignKeyViolation:
        raise NoticeRefused("community", f"{community!r} is not there") from None
    detail = {"section": section, "entries": len(found)}
    audit.record(conn, "notice.post", "community", community, person_id=person_id, detail=detail)


def board(conn: Connection, community: str) -> list[dict[str, Any]]:
    """What stands on the board now, by section."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql("board"), {"community": community}).fetchall()


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/notice_board.sql")[name]
