"""`watchkeep dispatch rota|skill …`: who is on call, who is licensed, who has how much to do."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import typer

from watchkeep_core.commands import print_json
from watchkeep_dispatch import duties, rota
from watchkeep_dispatch.command_options import DatabaseUrl, Shown, connected, known, moment, show, today, zone_of

rota_app = typer.Typer(help="On-call rotas, their gaps, and how orders are given to people.", no_args_is_help=True)
skill_app = typer.Typer(help="Certificates of technicians, with their expiry.", no_args_is_help=True)

Org = Annotated[str, typer.Option("--org", help="Id of the organisation.")]
By = Annotated[str | None, typer.Option("--by", help="Login of whoever decides; stands in the audit trail.")]
Who = Annotated[str, typer.Option("--person", help="Login.")]
Since = Annotated[str, typer.Option("--from", help="ISO time, such as 2026-11-23T08:00.")]
Until = Annotated[str, typer.Option("--until", help="ISO time.")]
Days = Annotated[int, typer.Option(min=1, max=366, help="So many days from now.")]
Shift = Annotated[int, typer.Argument(help="As `rota list` shows it.")]


@rota_app.command()
def add(
    org: Org,
    person: Who,
    since: Since,
    until: Until,
    community: Annotated[str | None, typer.Option(help="For one community alone; default all.")] = None,
    by: By = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Put somebody on call."""
    zone = zone_of(database_url)
    begins, ends = moment(since, "--from", zone), moment(until, "--until", zone)
    with connected(database_url) as conn:
        who, decided = duties.person(conn, person), duties.person(conn, by) if by else None
        known(conn, org=org, community=community)
        print_json({"shift": rota.add_shift(conn, org, who, begins, ends, community=community, by=decided)})


@rota_app.command()
def swap(
    shift: Shift,
    to: Annotated[str, typer.Option(help="Login of who takes it.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")],
    by: By = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Give a shift to somebody else."""
    with connected(database_url) as conn:
        decided = duties.person(conn, by) if by else None
        rota.swap(conn, shift, duties.person(conn, to), reason, datetime.now(UTC), by=decided)


@rota_app.command()
def drop(shift: Shift, by: By = None, database_url: DatabaseUrl = None) -> None:
    """Take a shift out of the rota."""
    with connected(database_url) as conn:
        rota.drop_shift(conn, shift, by=duties.person(conn, by) if by else None)


@rota_app.command("list")
def list_shifts(org: Org, days: Days = 14, format: Shown = "json", database_url: DatabaseUrl = None) -> None:
    """Who is on call in the next days."""
    now, zone = datetime.now(UTC), zone_of(database_url)
    with connected(database_url) as conn:
        known(conn, org=org)
        found = rota.shifts(conn, org, now, now + timedelta(days=days))
    show(
        found,
        ("shift_id", "login", "name", "community_id", "since", "until", "swaps"),
        format,
        title=f"{org} ({zone.key})",
        zone=zone,
    )


@rota_app.command()
def gaps(org: Org, days: Days = 14, database_url: DatabaseUrl = None) -> None:
    """Times in the next days when nobody is on call. Exit code 1 when there are any."""
    now = datetime.now(UTC)
    with connected(database_url) as conn:
        known(conn, org=org)
        found = rota.gaps_of(conn, org, now, now + timedelta(days=days))
    print_json(found)
    if found:
        raise typer.Exit(1)


@rota_app.command()
def load(org: Org, format: Shown = "json", database_url: DatabaseUrl = None) -> None:
    """What everybody in an organisation has to do now; without a login: what nobody has."""
    with connected(database_url) as conn:
        known(conn, org=org)
        found = rota.load(conn, org, datetime.now(UTC))
    show(
        found,
        ("login", "name", "on_call", "open_orders", "urgent", "overdue", "next_due"),
        format,
        title=org,
        zone=zone_of(database_url),
    )


@rota_app.command()
def mode(
    org: Org,
    mode: Annotated[Literal["on_call", "round_robin", "grab", "manual"], typer.Argument(help="How orders are given.")],
    by: By = None,
    database_url: DatabaseUrl = None,
) -> None:
    """How an organisation gives its orders to its people."""
    with connected(database_url) as conn:
        rota.set_mode(conn, org, mode, by=duties.person(conn, by) if by else None)


@skill_app.command("add")
def add_skill(
    person: Who,
    skill: Annotated[Literal["special_equipment", "fire_operator"], typer.Option(help="Sort of certificate.")],
    until: Annotated[datetime, typer.Option(help="Last day it is valid.", formats=["%Y-%m-%d"])],
    since: Annotated[
        datetime | None, typer.Option("--from", help="First day; default today.", formats=["%Y-%m-%d"])
    ] = None,
    certificate: Annotated[str, typer.Option(help="Number of the certificate.")] = "",
    by: By = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Enter a certificate."""
    begins = since.date() if since else today(zone_of(database_url))
    with connected(database_url) as conn:
        who, decided = duties.person(conn, person), duties.person(conn, by) if by else None
        rota.add_skill(conn, who, skill, certificate, begins, until.date(), by=decided)


@skill_app.command("list")
def list_skills(org: Org, format: Shown = "json", database_url: DatabaseUrl = None) -> None:
    """Certificates of an organisation's people, those that end first at the top."""
    with connected(database_url) as conn:
        known(conn, org=org)
        found = rota.skills(conn, org, today(zone_of(database_url)))
    show(found, ("login", "name", "skill", "certificate_no", "since", "until", "days_left"), format, title=org)
