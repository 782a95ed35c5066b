"""`watchkeep dispatch silence|window|held-back`"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from watchkeep_core.commands import print_json
from watchkeep_dispatch import quiet
from watchkeep_dispatch.command_options import DatabaseUrl, connected, known, moment, zone_of

silence_app = typer.Typer(
    help="Hold warnings back on request, with reason and end. Never life safety.", no_args_is_help=True
)
window_app = typer.Typer(
    help="Planned work: detectors and dispatch hold back until its end. Never life safety.", no_args_is_help=True
)

Community = Annotated[str, typer.Option(help="Id of the community.")]
Equipment = Annotated[str | None, typer.Option(help="Id of the equipment; without it, the whole community.")]
Reason = Annotated[str, typer.Option(help="Why; it stands beside everything that is held back.")]
Since = Annotated[str | None, typer.Option("--from", help="ISO time, default now.")]
Until = Annotated[str | None, typer.Option("--until", help="ISO time.")]
Hours = Annotated[float | None, typer.Option(min=0.01, help="Instead of --until: so many hours from the start.")]
Number = Annotated[int, typer.Argument(help="As `list` shows it.")]


@silence_app.command("add")
def add_silence(
    community: Community,
    reason: Reason,
    equipment: Equipment = None,
    condition: Annotated[str | None, typer.Option(help="Of the vocabulary; without it, all conditions.")] = None,
    since: Since = None,
    until: Until = None,
    hours: Hours = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Hold warnings back until a time; what still lasts then is filed."""
    _begin("silence", community, reason, equipment, condition, since, until, hours, database_url)


@window_app.command("add")
def add_window(
    community: Community,
    reason: Reason,
    equipment: Equipment = None,
    since: Since = None,
    until: Until = None,
    hours: Hours = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Plan work: what equipment says meanwhile is recorded and opens no case."""
    _begin("window", community, reason, equipment, None, since, until, hours, database_url)


@silence_app.command("end")
def end_silence(number: Number, database_url: DatabaseUrl = None) -> None:
    """End a silence now; what it held back is judged at once."""
    with connected(database_url) as conn:
        quiet.end(conn, "silence", number, datetime.now(UTC))


@window_app.command("end")
def end_window(number: Number, database_url: DatabaseUrl = None) -> None:
    """End planned work now; what it held back is judged at once."""
    with connected(database_url) as conn:
        quiet.end(conn, "window", number, datetime.now(UTC))


@silence_app.command("list")
@window_app.command("list")
def list_quiet(
    community: Annotated[str | None, typer.Option(help="Of one community only.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Silences and planned work that last, or are to come."""
    with connected(database_url) as conn:
        known(conn, community=community)
        print_json(quiet.in_force(conn, datetime.now(UTC), community))


def held_back(
    community: Annotated[str | None, typer.Option(help="Of one community only.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="ISO time, default 24 h ago.")] = None,
    at_most: Annotated[int, typer.Option(min=1, max=100_000)] = 1000,
    database_url: DatabaseUrl = None,
) -> None:
    """Warnings that were suppressed or merged instead of filed, each with the rule that did it and its reason."""
    start = moment(since, "--from", zone_of(database_url)) if since else datetime.now(UTC) - timedelta(days=1)
    with connected(database_url) as conn:
        known(conn, community=community)
        print_json(quiet.held_back(conn, start, community, at_most))


def _begin(
    kind: quiet.Kind,
    community: str,
    reason: str,
    equipment: str | None,
    condition: str | None,
    since: str | None,
    until: str | None,
    hours: float | None,
    database_url: str | None,
) -> None:
    if (until is None) == (hours is None):
        raise typer.BadParameter("give either --until or --hours")
    now, zone = datetime.now(UTC), zone_of(database_url)
    start = moment(since, "--from", zone) if since else now
    over = moment(until, "--until", zone) if until else start + timedelta(hours=hours or 0)
    with connected(database_url) as conn:
        number = quiet.begin(conn, kind, community, start, over, reason, now, equipment=equipment, condition=condition)
    print_json({"kind": kind, "id": number, "from": start, "until": over})
