"""`watchkeep dispatch ranking …`: red and grey lists, appeals, grants."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from watchkeep_core.commands import print_json
from watchkeep_dispatch import ranking
from watchkeep_dispatch.command_options import DatabaseUrl, Shown, connected, known, show, zone_of
from watchkeep_dispatch.supervision_options import Area, Login, Period, Who, known_person, person_of

ranking_app = typer.Typer(help="红灰榜: red and grey lists, appeals, grants.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="As `ranking list` shows it.")]


@ranking_app.command("draw")
def draw(
    period: Period,
    scheme: Annotated[str, typer.Option(help="Id of a scheme.")] = "property_quality",
    area: Area = None,
    who: Who = None,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """Draw up the list of a period that is over."""
    zone = zone_of(database_url)
    with connected(database_url) as conn:
        known(conn, area=area)
        person = person_of(conn, who)
        number = ranking.draw(conn, scheme, period, datetime.now(UTC), zone, area=area, person_id=person)
        _show_one(ranking.rankings(conn, number)[0], format, zone)


@ranking_app.command("list")
def list_rankings(
    number: Annotated[int | None, typer.Option("--id", help="With its rows and appeals.")] = None,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """Lists drawn up so far, newest first."""
    zone = zone_of(database_url)
    with connected(database_url) as conn:
        found = ranking.rankings(conn, number)
    if number is not None and format == "table":
        _show_one(found[0], format, zone)
    else:
        show(found, ("ranking_id", "scheme", "area_id", "since", "until", "published_at"), format, zone=zone)


@ranking_app.command("publish")
def publish(number: Number, who: Login, database_url: DatabaseUrl = None) -> None:
    """Publish a list of one's area; not by who drew it up. Appeals are open for 30 days from now."""
    with connected(database_url) as conn:
        found = ranking.publish(conn, number, datetime.now(UTC), person_id=known_person(conn, who))
    print_json({name: found[name] for name in ("ranking_id", "published_at", "appeals_until")})


@ranking_app.command("appeal")
def appeal(
    number: Number,
    subject: Annotated[str, typer.Option(help="Id of the company.")],
    reason: Annotated[str, typer.Option(help="What is wrong, and where the evidence is.")],
    who: Login,
    database_url: DatabaseUrl = None,
) -> None:
    """Appeal against a place on a published list: for one's own company, or as who supervises the list."""
    with connected(database_url) as conn:
        person = known_person(conn, who)
        made = ranking.appeal(conn, number, subject, reason, datetime.now(UTC), person_id=person)
    print_json({"appeal_id": made})


@ranking_app.command("decide")
def decide(
    appeal_id: Annotated[int, typer.Argument(help="Number of the appeal.")],
    upheld: Annotated[bool, typer.Option("--upheld/--rejected")],
    decision: Annotated[str, typer.Option(help="Reasons.")],
    who: Login,
    to: Annotated[
        Literal["red", "grey", "none", "not_ranked"] | None,
        typer.Option(help="Where the company stands after all; with --upheld, default none."),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Decide an appeal against a list of one's area; not by who made it."""
    now = datetime.now(UTC)
    with connected(database_url) as conn:
        person = known_person(conn, who)
        ranking.decide(conn, appeal_id, now, upheld=upheld, decision=decision, to=to, person_id=person)
    print_json({"appeal_id": appeal_id, "upheld": upheld, "list": (to or "none") if upheld else None})


@ranking_app.command("grants")
def grants(
    number: Number,
    pool: Annotated[int, typer.Option(min=0, help="Sum to share out, in whole yuan.")],
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """奖补: a sum shared out by band and households among those not on the grey list."""
    zone = zone_of(database_url)
    with connected(database_url) as conn:
        found = ranking.grants(conn, number, pool, zone)
    show([asdict(one) for one in found], ("subject", "name", "band", "households", "yuan"), format)


def _show_one(found: dict[str, Any], format: str, zone: ZoneInfo) -> None:
    if format == "json":
        print_json(found)
        return
    rows = ("position", "subject_id", "name", "score", "band", "list", "orders")
    show(found["rows"], rows, format, title=f"{found['ranking_id']} {found['scheme']}")
    if found["appeals"]:
        appeals = ("appeal_id", "subject_id", "reason", "made_at", "upheld", "decision")
        show(found["appeals"], appeals, format, zone=zone)
