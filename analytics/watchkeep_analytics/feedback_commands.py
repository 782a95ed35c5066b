"""`watchkeep analytics feedback …`: what people say of warnings, and what it changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from psycopg import Connection

from watchkeep_analytics import feedback
from watchkeep_analytics.settings import RulesSettings
from watchkeep_core import database
from watchkeep_core.commands import print_json
from watchkeep_core.settings import load

app = typer.Typer(help="What people say of warnings; it moves the bars of learned detectors.", no_args_is_help=True)

DatabaseUrl = Annotated[str | None, typer.Option(help="PostgreSQL URL of the login watchkeep_analytics.")]
Warning_ = Annotated[int, typer.Argument(metavar="WARNING", help="Number of the warning.", min=1)]
By = Annotated[str, typer.Option(help="Who says so.")]
Why = Annotated[str, typer.Option(help="Why; kept for ever.")]


@contextmanager
def connection(url: str | None) -> Iterator[Connection]:
    settings = load(RulesSettings, database_url=url)
    with database.connect(settings.database_url.get_secret_value(), "analytics-feedback", autocommit=True) as conn:
        yield conn


@app.command("list")
def list_(
    community: Annotated[str | None, typer.Option(help="Only this community.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those revoked, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
    database_url: DatabaseUrl = None,
) -> None:
    """What is in force, the newest first, with the factor by which it moves the bar."""
    with connection(database_url) as conn:
        print_json(feedback.listing(conn, community=community, revoked=every, at_most=limit))


@app.command()
def revoke(
    number: Annotated[int, typer.Argument(help="Number of the feedback, from `list`.", min=1)],
    by: By,
    why: Why,
    database_url: DatabaseUrl = None,
) -> None:
    """Take it back: the bar is what it was before."""
    with connection(database_url) as conn, conn.transaction():
        feedback.revoke(conn, number, by=by, why=why)


@app.command()
def normal(warning: Warning_, by: By, why: Why, database_url: DatabaseUrl = None) -> None:
    """This is normal: the present level of the point becomes its usual one."""
    _say(warning, "normal", by, why, database_url)


@app.command("false-alarm")
def false_alarm(warning: Warning_, by: By, why: Why, database_url: DatabaseUrl = None) -> None:
    """A false alarm: the bar of this detector on this point rises by a quarter."""
    _say(warning, "false_alarm", by, why, database_url)


@app.command()
def real(warning: Warning_, by: By, why: Why, database_url: DatabaseUrl = None) -> None:
    """It was real: takes one rise of the bar back."""
    _say(warning, "real", by, why, database_url)


def _say(warning: int, said: str, by: str, why: str, url: str | None) -> None:
    with connection(url) as conn, conn.transaction():
        number = feedback.say(conn, warning, said, by=by, why=why)
    print_json({"feedback_id": number})
