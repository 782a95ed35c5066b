"""What all verbs of `watchkeep dispatch` share."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer
from psycopg import Connection
from rich import box
from rich.console import Console
from rich.table import Table

from watchkeep_core import database, logs, settings
from watchkeep_core.commands import print_json
from watchkeep_core.database import queries
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch.settings import DispatchSettings

DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="libpq URL of the login watchkeep_dispatch.", show_default=False)
]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.", show_default=False)]

Shown = Annotated[Literal["json", "table"], typer.Option("--format", help="JSON for scripts, a table for people.")]


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], zone: tzinfo = UTC) -> None:
    """A table on stdout, narrow enough for 80 columns; times to the minute in `zone`."""
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value, zone) for value in row))
    Console(soft_wrap=not Console().is_terminal, width=None if Console().is_terminal else 200).print(table)


def show(
    found: Sequence[dict[str, Any]], names: Sequence[str], format: str, *, title: str = "", zone: tzinfo = UTC
) -> None:
    """Rows as JSON, or of each what is named as a table."""
    if format == "json":
        print_json(found)
    else:
        print_table(title, names, [[row[name] for name in names] for row in found], zone)


def _cell(value: object, zone: tzinfo) -> str:
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, bool):
        return "✓" if value else ""
    return "" if value is None else str(value)


def connected(database_url: str | None) -> Connection:
    """A connection by the settings; used as a context manager it is one transaction."""
    found = settings.load(DispatchSettings, database_url=database_url)
    logs.configure("dispatch", found.log_level)
    return database.connect(found.database_url.get_secret_value(), "dispatch-command")


def zone_of(database_url: str | None) -> ZoneInfo:
    """The zone people go by."""
    return settings.load(DispatchSettings, database_url=database_url).calendar().zone


def moment(text: str, option: str, zone: ZoneInfo) -> datetime:
    """ISO 8601, the site's time where no zone is named. Raises SettingsError that names the option."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option}: {text!r} is no time such as 2026-11-22T08:00") from None
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def today(zone: ZoneInfo) -> date:
    """The day it is for people."""
    return datetime.now(zone).date()


def known(conn: Connection, **named: str | None) -> None:
    """Raises SettingsError for an area, community or org that is not in the register: nothing is known of a slip."""
    for option, name in named.items():
        if (
            name is not None
            and conn.execute(queries("watchkeep_dispatch", "sql/known.sql")[option], [name]).rowcount < 1
        ):
            raise SettingsError(f"--{option}: {name!r} is not in the register")


def write_file(file: Path, content: bytes, option: str) -> None:
    """Raises SettingsError that names the option."""
    try:
        file.write_bytes(content)
    except OSError as error:
        raise SettingsError(f"{option}: {file}: {error.strerror}") from None
