"""What became of notifications: delivered, read, acted on; and a second chance for the dead ones."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from psycopg import Connection

from watchkeep_core.database import queries

Receipt = Literal["delivered", "read", "acted"]


def note_receipt(conn: Connection, ids: Iterable[int], what: Receipt, now: datetime) -> list[int]:
    """Each receipt includes the ones before it; returns those that were sent and are noted now."""
    query = queries("watchkeep_dispatch", "sql/notify.sql")["receipt"]
    return [row[0] for row in conn.execute(query, {"ids": list(ids), "what": what, "now": now})]


def note_seen(conn: Connection, case_id: int, person_id: str, now: datetime) -> int:
    """A person has opened a case: all that told him of it is read; returns how many."""
    query = queries("watchkeep_dispatch", "sql/notify.sql")["seen"]
    return conn.execute(query, {"case": case_id, "person": person_id, "now": now}).rowcount


def retry_dead(conn: Connection, ids: Iterable[int] | None, now: datetime) -> list[int]:
    """Queue dead notifications anew, None = all of them; returns those that were."""
    query = queries("watchkeep_dispatch", "sql/notify.sql")["retry"]
    wanted = None if ids is None else list(ids)
    return [row[0] for row in conn.execute(query, {"ids": wanted, "now": now})]
