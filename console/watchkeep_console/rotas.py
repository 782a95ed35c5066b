"""Rotas of an organisation: checks who may plan, then dispatch's rules."""

from datetime import date, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console.asking import asking
from watchkeep_console.errors import NotFound
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_console.work import person_id
from watchkeep_core.database import queries
from watchkeep_dispatch import rota

MOST_REPEATS = 60
AHEAD = timedelta(days=7)
"""How far the page warns of gaps, whichever week it shows."""
_SQL = queries("watchkeep_console", "sql/manage.sql")


def add(
    house: Services, session: Session, org: str, login: str, spans: list[tuple[datetime, datetime]],
    community: str | None = None,
) -> int:  # fmt: skip
    """Put somebody on call, several times at once or not at all; returns how many. Raises Forbidden, Invalid."""
    session.person.require("rota:plan", "", [org])
    with asking(house, session) as conn:
        who = person_id(conn, login, "person") or ""
        for since, until in spans[:MOST_REPEATS]:
            rota.add_shift(conn, org, who, since, until, community=community, by=session.person.person_id)
    return len(spans[:MOST_REPEATS])


def swap(house: Services, session: Session, shift: int, login: str, reason: str) -> None:
    """Raises Forbidden, Invalid, NotFound."""
    with asking(house, session) as conn:
        session.person.require("rota:plan", "", [_organisation(conn, shift)])
        who = person_id(conn, login, "person") or ""
        rota.swap(conn, shift, who, reason, house.clock.now(), by=session.person.person_id)


def drop(house: Services, session: Session, shift: int) -> None:
    """Raises Forbidden, Invalid, NotFound."""
    with asking(house, session) as conn:
        session.person.require("rota:plan", "", [_organisation(conn, shift)])
        rota.drop_shift(conn, shift, by=session.person.person_id)


def set_mode(house: Services, session: Session, org: str, mode: str) -> None:
    """Raises Forbidden, Invalid."""
    session.person.require("rota:plan", "", [org])
    with asking(house, session) as conn:
        rota.set_mode(conn, org, mode, by=session.person.person_id)


def add_skill(
    house: Services, session: Session, org: str, login: str, skill: str, certificate: str, since: date, until: date
) -> None:
    """Raises Forbidden, Invalid."""
    session.person.require("rota:plan", "", [org])
    with asking(house, session) as conn:
        who = person_id(conn, login, "person") or ""
        if not rota.works_for(conn, who, org):
            raise NotFound("person", login)
        rota.add_skill(conn, who, skill, certificate, since, until, by=session.person.person_id)


def week(conn: Connection, org: str, since: datetime, until: datetime, now: datetime) -> dict[str, Any]:
    """Everything the page of a week shows."""
    with conn.cursor(row_factory=dict_row) as cursor:
        colleagues = cursor.execute(_SQL["colleagues"], {"org": org}).fetchall()
        swaps = cursor.execute(_SQL["swaps"], {"org": org}).fetchall()
    mode = conn.execute(_SQL["mode_of"], {"org": org}).fetchone()
    return {
        "colleagues": colleagues,
        "swaps": swaps,
        "mode": mode[0] if mode else "grab",
        "shifts": rota.shifts(conn, org, since, until),
        "gaps": rota.gaps_of(conn, org, since, until),
        "ahead": rota.gaps_of(conn, org, now, now + AHEAD),
        "load": rota.load(conn, org, now),
        "skills": rota.skills(conn, org, now.date()),
    }


def _organisation(conn: Connection, shift: int) -> str:
    """Whose shift it is, if this person sees it. Raises NotFound."""
    found = conn.execute("SELECT org_id FROM rota_shifts WHERE shift_id = %s", [shift]).fetchone()
    if found is None:
        raise NotFound("shift", shift)
    org: str = found[0]
    return org
