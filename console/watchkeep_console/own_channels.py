"""How a person wants to be told: by which of the site's services, in which order, and when not."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import class_row

from watchkeep_console.errors import Conflict, Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch.notify.timing import span

KINDS = ("sms", "voice", "mail", "wecom", "dingtalk")
"""The site's services, and the group robots of the organisation: they know the person by telephone or mail."""
_SQL = queries("watchkeep_console", "sql/account.sql")


@dataclass(frozen=True, slots=True)
class OwnChannel:
    """`status` is what became of the last message."""

    channel_id: int
    kind: str
    rank: int
    quiet_hours: str | None
    enabled: bool
    status: str | None
    tried_at: datetime | None


def listing(house: Services, session: Session) -> list[OwnChannel]:
    """In the order in which they are tried."""
    with house.identity.acting(session) as conn:
        return conn.cursor(row_factory=class_row(OwnChannel)).execute(_SQL["own_channels"]).fetchall()


def add(house: Services, session: Session, kind: str, quiet_hours: str) -> int:
    """After those that are there. Raises Invalid(`kind` or `quiet_hours`), Conflict(`exists`)."""
    if kind not in KINDS:
        raise Invalid("kind", f"one of {', '.join(KINDS)}")
    try:
        quiet = span(quiet_hours)
    except ValueError as error:
        raise Invalid("quiet_hours", str(error)) from None
    kept = f"{quiet[0]:%H:%M}-{quiet[1]:%H:%M}" if quiet else None
    with house.identity.acting(session) as conn:
        try:
            ((made,),) = conn.execute(_SQL["add_own_channel"], {"kind": kind, "quiet": kept}).fetchall()
        except psycopg.errors.UniqueViolation:
            raise Conflict("exists", f"{kind} is there already", "kind") from None
        _record(conn, session, "channel.add", int(made), kind)
    return int(made)


def switch(house: Services, session: Session, channel: int, *, enabled: bool | None) -> None:
    """On or off; None takes it away. Raises NotFound."""
    statement = _SQL["remove_own_channel" if enabled is None else "enable_own_channel"]
    with house.identity.acting(session) as conn:
        found = conn.execute(statement, {"id": channel, "enabled": enabled}).fetchone()
        if found is None:
            raise NotFound("channel", channel)
        what = "channel.remove" if enabled is None else "channel.enable" if enabled else "channel.disable"
        _record(conn, session, what, channel, found[0])


def _record(conn: psycopg.Connection, session: Session, action: str, channel: int, kind: str) -> None:
    who = session.person.person_id
    audit.record(conn, action, "notification_channel", str(channel), person_id=who, detail={"kind": kind, "of": "self"})
