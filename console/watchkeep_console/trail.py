"""The audit trail as people may read it: an auditor all of it, others what they did themselves."""

from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console.errors import Forbidden
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_core import audit
from watchkeep_core.database import queries

_SQL = queries("watchkeep_console", "sql/admin.sql")


def entries(
    conn: Connection,
    *,
    person: str | None = None,
    action: str | None = None,
    about: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Newest first; `person` by login or id, `about` = KIND/ID or its beginning. Row-level security decides what."""
    wanted = {"person": person, "action": action, "object": about, "since": since, "until": until}
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["audit"], wanted | {"before": before, "limit": limit}).fetchall()


def actions(conn: Connection) -> list[str]:
    """Sorts of acts among the recent entries that this person sees."""
    return [row[0] for row in conn.execute(_SQL["audit_actions"])]


def verify(house: Services, session: Session) -> audit.Verification:
    """Recompute the whole chain. For an auditor of an area, who alone sees all of it. Raises Forbidden."""
    if not may_verify(session):
        raise Forbidden("audit:read")
    with house.identity.acting(session) as conn:
        return audit.verify(conn)


def may_verify(session: Session) -> bool:
    held = session.person.memberships
    return session.person.scopes is None and any(one.role == "auditor" and one.scope_kind == "area" for one in held)
