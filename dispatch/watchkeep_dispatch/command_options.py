"""What all verbs of `watchkeep dispatch` share."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from psycopg import Connection
from rich.console import Console
from rich.table import Table

from watchkeep_core import database, logs, settings
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch.settings import DispatchSettings

DatabaseUrl = Annotated[
    str | None, typer.Option("--database-url", help="libpq URL of the login watchkeep_dispatch.", show_default=False)
]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.", show_default=False)]

Shown = Annotated[Literal["json", "table"], typer.Option("--format", help="JSON for scripts, a table for people.")]


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on stdout; times to the minute, UTC."""
    table = Table(*columns, title=title or None, title_justify="left")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    Console(soft_wrap=not Console().is_terminal, width=None if Console().is_terminal else 200).print(table)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return "" if value is None else str(value)


def connected(database_url: str | None) -> Connection:
    """A connection by the settings; used as a context manager it is one transaction."""
    found = settings.load(DispatchSettings, database_url=database_url)
    logs.configure("dispatch", found.log_level)
    return database.connect(found.database_url.get_secret_value(), "dispatch-command")


def moment(text: str, option: str) -> datetime:
    """ISO 8601, UTC where no zone is named. Raises SettingsError that names the option."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option}: {text!r} is no time such as 2026-11-22T08:00+08:00") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
