"""`watchkeep dispatch credit … | schemes …`: what scores are made of besides orders."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from watchkeep_core.commands import print_json
from watchkeep_core.database import queries
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch import credit, scores
from watchkeep_dispatch.command_options import DatabaseUrl, Shown, connected, show, zone_of
from watchkeep_dispatch.complaints_commands import span
from watchkeep_dispatch.supervision_options import Period, Who, day_of, person_of

credit_app = typer.Typer(help="Credit events and inspections.", no_args_is_help=True)
schemes_app = typer.Typer(help="Score schemes: weights, bands, vetoes.", no_args_is_help=True)


@credit_app.command("add")
def add_credit(
    org: Annotated[str, typer.Option(help="Id of the organisation.")],
    kind: Annotated[Literal["good", "bad", "veto", "withdrawal"], typer.Option()],
    code: Annotated[str, typer.Option(help="What it is, such as safety_accident.")],
    reason: Annotated[str, typer.Option(help="What happened.")],
    evidence: Annotated[str, typer.Option(help="Where the evidence is: number of a document or file.")],
    on: Annotated[str, typer.Option(help="Day it occurred, YYYY-MM-DD.")],
    points: Annotated[float, typer.Option(min=0)] = 0.0,
    case: Annotated[int | None, typer.Option(help="Case it belongs to.")] = None,
    person: Annotated[str, typer.Option(help="Name of a person; only with --judgment.")] = "",
    judgment: Annotated[str, typer.Option(help="Number of the judgment that is in force.")] = "",
    withdraws: Annotated[int | None, typer.Option(help="Number of the event that was wrong.")] = None,
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Record a credit event; one that was wrong is withdrawn, never changed."""
    event = credit.CreditEvent(
        org_id=org,
        kind=kind,
        code=code,
        reason=reason,
        evidence_ref=evidence,
        occurred_on=day_of(on, "--on"),
        points=points,
        case_id=case,
        person_name=person,
        judgment_no=judgment,
        withdraws_id=withdraws,
    )
    _keep(database_url, who, "event_id", credit.record, event)


@credit_app.command("export")
def export_credit(period: Period, format: Shown = "json", database_url: DatabaseUrl = None) -> None:
    """Events recorded in a period with their evidence, for the city's credit system."""
    since, until = span(period, "--period", zone_of(database_url))
    with connected(database_url) as conn:
        found = credit.export(conn, since, until)
    show(found, ("event_id", "organisation", "kind", "code", "points", "reason", "evidence_ref", "occurred_on"), format)


@credit_app.command("inspect")
def inspect(
    kind: Annotated[Literal["half_year", "monthly_patrol"], typer.Option()],
    of: Annotated[Literal["company", "community", "subdistrict"], typer.Option(help="What was inspected.")],
    subject: Annotated[str, typer.Option(help="Its id.")],
    heading: Annotated[str, typer.Option(help="Such as 责任落实.")],
    points: Annotated[float, typer.Option(min=0)],
    possible: Annotated[float, typer.Option(min=0.01)],
    on: Annotated[str, typer.Option(help="Day, YYYY-MM-DD.")],
    note: Annotated[str, typer.Option()] = "",
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Record one heading of a patrol or half-year inspection."""
    found = credit.Inspection(
        kind=kind,
        subject_kind=of,
        subject_id=subject,
        heading=heading,
        points=points,
        possible=possible,
        inspected_on=day_of(on, "--on"),
        note=note,
    )
    _keep(database_url, who, "inspection_id", credit.inspect, found)


@schemes_app.command("list")
def list_schemes(database_url: DatabaseUrl = None) -> None:
    """Packaged schemes, and versions loaded from files."""
    with connected(database_url) as conn:
        rows = conn.execute(queries("watchkeep_dispatch", "sql/scores.sql")["schemes"]).fetchall()
    print_json(
        {
            "packaged": scores.packaged(),
            "loaded": [{"scheme": row[0], "from": row[1], "saved_at": row[2]} for row in rows],
        }
    )


@schemes_app.command("load")
def load_schemes(
    file: Annotated[Path, typer.Argument(help="TOML, as score_schemes.toml in the package.")],
    start: Annotated[str, typer.Option("--from", help="First day, YYYY-MM-DD; never in the past.")],
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Put schemes in force from a day on; what was scored before stays as it was."""
    try:
        found = scores.parse(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    with connected(database_url) as conn:
        person = person_of(conn, who)
        now = datetime.now(zone_of(database_url))
        print_json(scores.save_schemes(conn, found, day_of(start, "--from"), now, person_id=person))


def _keep(database_url: str | None, who: str | None, named: str, record: Callable[..., int], found: object) -> None:
    """Record an event or an inspection, and show its number."""
    with connected(database_url) as conn:
        now = datetime.now(zone_of(database_url))  # by its day: what is of today is not in the future
        print_json({named: record(conn, found, now, person_id=person_of(conn, who))})
