"""`watchkeep dispatch visits|handover|told …`: preventive work, the hand-over log, who was told of a case."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from watchkeep_core import vocabulary
from watchkeep_core.commands import print_json
from watchkeep_core.database import queries
from watchkeep_dispatch import duties, handover, preventive
from watchkeep_dispatch.command_options import DatabaseUrl, Shown, connected, known, show, zone_of
from watchkeep_dispatch.errors import NoSuchCase, VisitPlanError

visits_app = typer.Typer(
    help="Preventive work that comes again: maintenance, inspections, checks.", no_args_is_help=True
)
handover_app = typer.Typer(help="The hand-over log of duty rooms.", no_args_is_help=True)

Login = Annotated[str, typer.Option("--person", help="Login of the person who does it.")]
PlanId = Annotated[str, typer.Argument(help="As `visits plans` shows it.")]


@visits_app.command("load")
def load_plans(
    file: Annotated[Path | None, typer.Argument(help="TOML; default the packaged plans.", dir_okay=False)] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Write plans; those that are there already keep their first day."""
    try:
        content = preventive.default_plans() if file is None else file.read_bytes()
    except OSError as error:
        raise VisitPlanError(f"{file}: {error.strerror}") from None
    found = preventive.parse(content, vocabulary.load())
    with connected(database_url) as conn:
        print_json({"plans": preventive.load(conn, found, datetime.now(UTC))})


@visits_app.command()
def plans(database_url: DatabaseUrl = None) -> None:
    """All plans."""
    with connected(database_url) as conn:
        print_json(preventive.plans(conn))


@visits_app.command()
def enable(plan: PlanId, database_url: DatabaseUrl = None) -> None:
    """Switch a plan on; its first visits are due one period from now."""
    with connected(database_url) as conn:
        preventive.enable(conn, plan, True, datetime.now(UTC))


@visits_app.command()
def disable(plan: PlanId, database_url: DatabaseUrl = None) -> None:
    """Switch a plan off; its open visits stay, and are no longer overdue."""
    with connected(database_url) as conn:
        preventive.enable(conn, plan, False, datetime.now(UTC))


@visits_app.command("list")
def list_visits(
    org: Annotated[str | None, typer.Option(help="Of one organisation only.")] = None,
    community: Annotated[str | None, typer.Option(help="Of one community only.")] = None,
    done: Annotated[bool, typer.Option("--done", help="Those done instead of those still to be made.")] = False,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """Visits that are to be made, or were."""
    with connected(database_url) as conn:
        known(conn, org=org, community=community)
        found = preventive.visits(conn, org=org, community=community, open=not done)
    show(
        found,
        ("visit_id", "title_zh", "community", "equipment", "org_id", "due_at", "done_at", "overdue_case"),
        format,
        zone=zone_of(database_url),
    )


@visits_app.command()
def complete(
    visit: Annotated[int, typer.Argument(help="As `visits list` shows it.")],
    person: Login,
    signature: Annotated[str, typer.Option(help="Who signs the record.")],
    failed: Annotated[list[str] | None, typer.Option(help="Item that failed; may be given several times.")] = None,
    skipped: Annotated[list[str] | None, typer.Option(help="Item that does not apply here.")] = None,
    note: Annotated[str, typer.Option(help="What was found.")] = "",
    database_url: DatabaseUrl = None,
) -> None:
    """Record a visit; all items but those named are in order. The service opens cases for those that failed."""
    with connected(database_url) as conn:
        open_ones = preventive.visits(conn, org=None, community=None, open=True, at_most=100_000)
        items: list[dict[str, str]] = next((row["items"] for row in open_ones if row["visit_id"] == visit), [])
        results: dict[str, preventive.Result] = {item["id"]: "ok" for item in items}
        results |= dict.fromkeys(failed or [], "failed")
        results |= dict.fromkeys(skipped or [], "na")
        who = duties.person(conn, person)
        preventive.complete(conn, visit, results, datetime.now(UTC), person_id=who, signature=signature, note=note)
    print_json({"visit": visit, "results": results})


@handover_app.command()
def add(
    community: Annotated[str, typer.Option(help="Id of the community.")],
    from_login: Annotated[str, typer.Option("--from", help="Login of who goes.")],
    to: Annotated[str, typer.Option(help="Login of who comes.")],
    note: Annotated[str, typer.Option(help="State of the equipment, and what is to be watched.")],
    post: Annotated[Literal["control_room", "duty_desk"], typer.Option(help="Which post.")] = "control_room",
    database_url: DatabaseUrl = None,
) -> None:
    """Hand a post over; the cases and warnings that are open now are kept with it."""
    with connected(database_url) as conn:
        people = duties.person(conn, from_login), duties.person(conn, to)
        print_json({"handover": handover.hand_over(conn, community, post, *people, note, datetime.now(UTC))})


@handover_app.command("accept")
def accept_handover(
    number: Annotated[int, typer.Argument(help="As `handover list` shows it.")],
    person: Login,
    database_url: DatabaseUrl = None,
) -> None:
    """Take a post over."""
    with connected(database_url) as conn:
        handover.acknowledge(conn, number, duties.person(conn, person), datetime.now(UTC))


@handover_app.command("list")
def list_handovers(
    community: Annotated[str, typer.Option(help="Id of the community.")], database_url: DatabaseUrl = None
) -> None:
    """The last hand-overs of a community."""
    with connected(database_url) as conn:
        known(conn, community=community)
        print_json(handover.log(conn, community))


def told(
    case: Annotated[int, typer.Argument(help="Number of the case.")],
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """Who was told of a case, when and how."""
    with connected(database_url) as conn:
        found = handover.told(conn, case)
        if not found and not conn.execute(queries("watchkeep_dispatch", "sql/known.sql")["case"], [case]).rowcount:
            raise NoSuchCase("case", case)
    show(found, ("at", "channel", "status", "organisation", "person", "title"), format, zone=zone_of(database_url))
