"""How a person is told: by which of the site's services, in which order, and when not; set by that person, or by the
administrator who answers for the account."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from watchkeep_console.asking import asking
from watchkeep_console.errors import Conflict, Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch.notify.outbox import announce_person_test
from watchkeep_dispatch.notify.timing import span

KINDS = ("sms", "voice", "mail", "wecom", "dingtalk")
"""The site's services, and the group robots of the organisation: they know the person by telephone or mail."""
_SQL = queries("watchkeep_console", "sql/account.sql")


@dataclass(frozen=True, slots=True)
class PersonChannel:
    """`status` is what became of the last message."""

    channel_id: int
    kind: str
    rank: int
    quiet_hours: str | None
    enabled: bool
    status: str | None
    tried_at: datetime | None


def listing(house: Services, session: Session, person: str) -> list[PersonChannel]:
    """In the order in which they are tried. Raises NotFound."""
    with asking(house, session) as conn:
        return read(conn, session, person)


def read(conn: Connection, session: Session, person: str) -> list[PersonChannel]:
    """As `listing`, in a transaction under the session's identity."""
    _check(conn, session, person)
    with conn.cursor(row_factory=class_row(PersonChannel)) as cursor:
        return cursor.execute(_SQL["person_channels"], {"person": person}).fetchall()


def add(house: Services, session: Session, person: str, kind: str, quiet_hours: str) -> int:
    """After those that are there. Raises Invalid(`kind` or `quiet_hours`), Conflict(`exists`), NotFound."""
    if kind not in KINDS:
        raise Invalid("kind", f"one of {', '.join(KINDS)}")
    try:
        quiet = span(quiet_hours)
    except ValueError as error:
        raise Invalid("quiet_hours", str(error)) from None
    kept = f"{quiet[0]:%H:%M}-{quiet[1]:%H:%M}" if quiet else None
    with asking(house, session) as conn:
        _check(conn, session, person)
        row = {"person": person, "kind": kind, "quiet": kept}
        try:
            ((made,),) = conn.execute(_SQL["add_person_channel"], row).fetchall()
        except psycopg.errors.UniqueViolation:
            raise Conflict("exists", f"{kind} is there already", "kind") from None
        _record(conn, session, "channel.add", str(made), person, kind)
    return int(made)


def switch(house: Services, session: Session, person: str, channel: int, *, enabled: bool | None) -> None:
    """On or off; None takes it away. Raises NotFound."""
    statement = _SQL["remove_person_channel" if enabled is None else "enable_person_channel"]
    with asking(house, session) as conn:
        _check(conn, session, person)
        found = conn.execute(statement, {"id": channel, "person": person, "enabled": enabled}).fetchone()
        if found is None:
            raise NotFound("channel", channel)
        what = "channel.remove" if enabled is None else "channel.enable" if enabled else "channel.disable"
        _record(conn, session, what, str(channel), person, found[0])


def test(house: Services, session: Session, person: str) -> int:
    """A test notification through each that is on; returns through how many. Raises NotFound."""
    with asking(house, session) as conn:
        _check(conn, session, person)
        count = announce_person_test(conn, person, house.clock.now(), "en" if session.person.language == "en" else "zh")
        _record(conn, session, "channel.test", "", person, "all")
    return count


def _check(conn: Connection, session: Session, person: str) -> None:
    """Raises NotFound: nobody else's business, so nobody else learns that there is such a person."""
    if person == session.person.person_id:
        return
    found = conn.execute(_SQL["answers_to_me"], {"person": person}).fetchone()
    if session.person.scopes is not None or found != (True,):
        raise NotFound("person", person)


def _record(conn: Connection, session: Session, action: str, channel: str, person: str, kind: str) -> None:
    who = session.person.person_id
    detail = {"kind": kind, "of": "self" if person == who else person}
    audit.record(conn, action, "notification_channel", channel, person_id=who, detail=detail)
