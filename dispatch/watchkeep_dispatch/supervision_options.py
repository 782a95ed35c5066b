"""Options and readings that the commands of supervision share."""

from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from psycopg import Connection

from watchkeep_core.database import queries
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch import scores
from watchkeep_dispatch.complaints_commands import span
from watchkeep_dispatch.indicators import By, Scope

Period = Annotated[str, typer.Option(help="Such as 2026-11, 2026-H2 or 2026.")]
Area = Annotated[str | None, typer.Option(help="Id of an area; without it, all.")]
AsOf = Annotated[str | None, typer.Option("--date", help="As known at the end of this day, YYYY-MM-DD; default now.")]
Who = Annotated[str | None, typer.Option("--as", help="Login of the person who does it.")]
Login = Annotated[str, typer.Option("--as", help="Login of the person who does it.")]


def scope_of(period: str, by: By, area: str | None, day: str | None, zone: ZoneInfo) -> Scope:
    since, until = span(period, "--period", zone)
    as_of = scores.end_of_day(day_of(day, "--date"), zone).astimezone(UTC) if day else datetime.now(UTC)
    return Scope(since=since, until=until, as_of=as_of, by=by, area=area)


def day_of(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option}: {text!r} is no day such as 2026-11-22") from None


def person_of(conn: Connection, login: str | None) -> str | None:
    return None if login is None else known_person(conn, login)


def known_person(conn: Connection, login: str) -> str:
    found = conn.execute(queries("watchkeep_dispatch", "sql/scores.sql")["person_of"], [login]).fetchone()
    if found is None:
        raise SettingsError(f"--as: no active person {login!r}")
    return str(found[0])
