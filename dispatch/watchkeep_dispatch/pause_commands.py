"""`watchkeep dispatch pauses …`: pauses asked for, and what superiors decide."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from watchkeep_core.commands import print_json
from watchkeep_dispatch import duties, pausing
from watchkeep_dispatch.actions import Request
from watchkeep_dispatch.command_options import DatabaseUrl, Shown, connected, show, zone_of
from watchkeep_dispatch.ledger_commands import Case, Login

pauses_app = typer.Typer(help="Pauses asked for, and what superiors decide.", no_args_is_help=True)

Reason = Annotated[str, typer.Option(help="Why.")]


@pauses_app.command("list")
def list_pauses(
    case: Annotated[int | None, typer.Option(help="Of one case only.")] = None,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """Requests, newest first: asked, approved, refused or lapsed."""
    with connected(database_url) as conn:
        found = pausing.listing(conn, datetime.now(UTC), case)
    show(
        found,
        ("case_id", "title_zh", "asked_by", "asked_at", "reason", "state", "decided_by", "remark"),
        format,
        zone=zone_of(database_url),
    )


@pauses_app.command()
def approve(case: Case, person: Login, reason: Reason, database_url: DatabaseUrl = None) -> None:
    """Approve the pause that was asked for."""
    with connected(database_url) as conn:
        asked = Request(person_id=duties.person(conn, person), now=datetime.now(UTC), reason=reason)
        print_json(pausing.approve_pause(conn, case, asked))


@pauses_app.command()
def refuse(case: Case, person: Login, reason: Reason, database_url: DatabaseUrl = None) -> None:
    """Refuse it; the clocks go on."""
    with connected(database_url) as conn:
        asked = Request(person_id=duties.person(conn, person), now=datetime.now(UTC), reason=reason)
        print_json(pausing.refuse_pause(conn, case, asked))
