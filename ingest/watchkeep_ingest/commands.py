"""`watchkeep ingest …`: run the service; look at its accounts, gaps and dead letters."""

from typing import Annotated, Any

import typer
from psycopg import Connection, IsolationLevel
from psycopg.rows import dict_row

from watchkeep_core import logs
from watchkeep_core.commands import print_json
from watchkeep_core.database import connect, queries
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_core.topics import Lane
from watchkeep_ingest import accounts, dead_letters, overview
from watchkeep_ingest.batches import hand_over
from watchkeep_ingest.data_lane import DataLane
from watchkeep_ingest.event_lane import EventLane
from watchkeep_ingest.lane import LaneWork
from watchkeep_ingest.settings import IngestSettings
from watchkeep_ingest.status import Notes
from watchkeep_ingest.transaction import replay, write
from watchkeep_ingest.workers import run as run_workers

app = typer.Typer(
    help="Turns messages into committed rows, exactly once, and accounts for every one.", no_args_is_help=True
)
letters = typer.Typer(help="Messages that could not be understood.", no_args_is_help=True)
app.add_typer(letters, name="deadletter")

Community = Annotated[str | None, typer.Option(help="Only this community.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many.")]
Reason = Annotated[str | None, typer.Option(help="Only those with this reason, such as bad_shape.")]
Number = Annotated[int, typer.Argument(help="Number of the dead letter, from `list`.", min=1)]


@app.command()
def run(
    partitions: Annotated[str | None, typer.Option(help="Partitions to take: 'all' or a list such as 0,1,7.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the partitions.")] = None,
    mqtt_url: Annotated[str | None, typer.Option(help="Broker, mqtt://host:port or mqtts://host:port.")] = None,
    health_port: Annotated[int | None, typer.Option(help="Port of /health and /metrics; 0 = none.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Read the broker's sessions and write to the database until SIGTERM. Options win over the environment."""
    settings = load(
        IngestSettings,
        partitions=partitions,
        workers=workers,
        mqtt_url=mqtt_url,
        health_port=health_port,
        log_level=log_level,
    )
    logs.configure("ingest", settings.log_level)
    run_workers(settings, Stop().install())


@app.command()
def audit() -> None:
    """Check both accounting identities of each lane; exit code 1 when one does not hold."""
    with _connect() as conn:
        conn.isolation_level = IsolationLevel.REPEATABLE_READ
        with conn.transaction():
            result = accounts.audit(conn)
    print_json(result)
    if not result["ok"]:
        raise typer.Exit(1)


@app.command()
def status(community: Community = None, limit: Limit = 1000) -> None:
    """Show workers, gateways (parked readings by reason, flood, clock skew, gaps) and devices whose clock is off."""
    with _connect() as conn:
        print_json(overview.status(conn, community=community, at_most=limit))


@app.command()
def gaps(
    community: Community = None,
    recovered: Annotated[bool, typer.Option("--recovered", help="Ranges that came after all, newest first.")] = False,
    limit: Limit = 1000,
) -> None:
    """List ranges of messages that are missing (may still come) or lost (the gateway no longer has them)."""
    with _connect() as conn, conn.cursor(row_factory=dict_row) as cursor:
        row = {"community": community, "at_most": limit}
        name = "list_recoveries" if recovered else "list_gaps"
        print_json(cursor.execute(queries("watchkeep_ingest", "sql/ledger.sql")[name], row).fetchall())


@letters.command("list")
def list_letters(
    reason: Reason = None,
    replayed: Annotated[bool, typer.Option("--replayed", help="Those already replayed, too.")] = False,
    limit: Limit = 100,
) -> None:
    """List dead letters, the newest first, without their payloads."""
    with _connect() as conn:
        print_json(dead_letters.listing(conn, reason=reason, replayed=replayed, at_most=limit))


@letters.command("show")
def show_letter(number: Number) -> None:
    """Show one dead letter with its payload."""
    with _connect() as conn:
        print_json(dead_letters.show(conn, number))


@letters.command("replay")
def replay_letters(
    numbers: Annotated[list[int] | None, typer.Argument(help="Numbers of dead letters.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that are open, or all of one --reason.")] = False,
    reason: Reason = None,
    limit: Limit = 10_000,
) -> None:
    """Process dead letters again, once their reason is gone; prints what became of each."""
    settings = load(IngestSettings)
    logs.configure("ingest-replay", settings.log_level)
    notes = Notes()
    work_of: dict[Lane, LaneWork] = {"data": DataLane(settings.unclaimed_cap, notes), "event": EventLane(notes)}
    with connect(settings.database_url.get_secret_value(), "ingest-replay", autocommit=True) as conn:
        chosen = list(numbers or [])
        if every or (reason is not None and not chosen):
            chosen = dead_letters.open_numbers(conn, reason=reason, at_most=limit)
        if not chosen and not every and reason is None:
            raise typer.BadParameter("give numbers, --reason or --all")
        print_json([{"dead_letter_id": number, "result": _replay(conn, work_of, number)} for number in chosen])


def _replay(conn: Connection[Any], work_of: dict[Lane, LaneWork], number: int) -> str:
    """One transaction for the letter, and one for each lot of parked readings that a replayed birth sets free."""
    with conn.transaction():
        result = replay(conn, work_of, number)
    for work in work_of.values():
        work.committed()
        while work.waiting():
            with conn.transaction():
                hand_over(conn, work.lane, write(conn, work, []).rows)
            work.committed()
    return result


def _connect() -> Connection[Any]:
    settings = load(IngestSettings)
    return connect(settings.database_url.get_secret_value(), "ingest-verbs", autocommit=True)
