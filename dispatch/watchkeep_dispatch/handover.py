"""The hand-over log of duty rooms: what was open at that moment, and that the next one has taken it over."""

from datetime import datetime
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch.errors import GuardFailed

POSTS = ("control_room", "duty_desk")


def hand_over(
    conn: Connection, community: str, post: str, from_person: str, to_person: str, note: str, now: datetime
) -> int:
    """Record a hand-over with the cases and warnings that are open now; returns it. Raises GuardFailed."""
    if post not in POSTS:
        raise GuardFailed("post", f"{post!r}: expected one of {', '.join(POSTS)}")
    if from_person == to_person:
        raise GuardFailed("to", "nobody hands over to himself")
    if not note.strip():
        raise GuardFailed("note", "state of the equipment and what is to be watched must be written down")
    row = {
        "community": community, "post": post, "from": from_person, "to": to_person, "note": note.strip(), "now": now
    }  # fmt: skip
    found = conn.execute(_sql("hand_over"), row).fetchone()
    number = int(found[0]) if found else 0
    audit.record(conn, "duty.hand_over", "community", community, person_id=from_person, detail={"handover": number})
    return number


def acknowledge(conn: Connection, handover_id: int, person_id: str, now: datetime) -> None:
    """The one who takes over says so, on his own login. Raises GuardFailed."""
    if conn.execute(_sql("acknowledge"), {"id": handover_id, "person": person_id, "now": now}).fetchone() is None:
        raise GuardFailed("handover", f"{handover_id} is not waiting for this person")
    audit.record(conn, "duty.acknowledge", "handover", str(handover_id), person_id=person_id)


def log(conn: Connection, community: str, at_most: int = 100) -> list[dict[str, Any]]:
    """The last hand-overs of a community."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql("hand_overs"), [community, at_most]).fetchall()


def told(conn: Connection, case_id: int) -> list[dict[str, Any]]:
    """Who was told of a case, when and how."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql("told"), [case_id]).fetchall()


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/preventive.sql")[name]
