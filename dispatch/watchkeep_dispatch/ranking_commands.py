"""`watchkeep dispatch ranking …`: red and grey lists, appeals, grants."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from watchkeep_core.commands import print_json
from watchkeep_dispatch import ranking
from watchkeep_dispatch.command_options import DatabaseUrl, connected
from watchkeep_dispatch.supervision_options import Area, Period, Who, person_of, zone_of

ranking_app = typer.Typer(help="红灰榜: red and grey lists, appeals, grants.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="As `ranking list` shows it.")]


@ranking_app.command("draw")
def draw(
    period: Period,
    scheme: Annotated[str, typer.Option(help="Id of a scheme.")] = "property_quality",
    area: Area = None,
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Draw up the list of a period that is over."""
    zone = zone_of(database_url)
    with connected(database_url) as conn:
        person = person_of(conn, who)
        number = ranking.draw(conn, scheme, period, datetime.now(UTC), zone, area=area, person_id=person)
        print_json(ranking.rankings(conn, number)[0])


@ranking_app.command("list")
def list_rankings(
    number: Annotated[int | None, typer.Option("--id", help="With its rows and appeals.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Lists drawn up so far, newest first."""
    with connected(database_url) as conn:
        print_json(ranking.rankings(conn, number))


@ranking_app.command("publish")
def publish(number: Number, who: Who = None, database_url: DatabaseUrl = None) -> None:
    """Publish a list; not by who drew it up. Appeals are open for 30 days from now."""
    with connected(database_url) as conn:
        ranking.publish(conn, number, datetime.now(UTC), person_id=person_of(conn, who))


@ranking_app.command("appeal")
def appeal(
    number: Number,
    subject: Annotated[str, typer.Option(help="Id of the company.")],
    reason: Annotated[str, typer.Option(help="What is wrong, and where the evidence is.")],
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Appeal against a place on a published list."""
    with connected(database_url) as conn:
        made = ranking.appeal(conn, number, subject, reason, datetime.now(UTC), person_id=person_of(conn, who))
    print_json({"appeal_id": made})


@ranking_app.command("decide")
def decide(
    appeal_id: Annotated[int, typer.Argument(help="Number of the appeal.")],
    upheld: Annotated[bool, typer.Option("--upheld/--rejected")],
    decision: Annotated[str, typer.Option(help="Reasons.")],
    to: Annotated[
        Literal["red", "grey", "none", "not_ranked"], typer.Option(help="Where the company stands after all.")
    ] = "none",
    who: Who = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Decide an appeal; not by who made it."""
    now = datetime.now(UTC)
    with connected(database_url) as conn:
        person = person_of(conn, who)
        ranking.decide(conn, appeal_id, now, upheld=upheld, decision=decision, to=to, person_id=person)


@ranking_app.command("grants")
def grants(
    number: Number,
    pool: Annotated[int, typer.Option(min=0, help="Sum to share out, in whole yuan.")],
    database_url: DatabaseUrl = None,
) -> None:
    """奖补: a sum shared out by band and households among those not on the grey list."""
    zone = zone_of(database_url)
    with connected(database_url) as conn:
        print_json(ranking.grants(conn, number, pool, zone))
