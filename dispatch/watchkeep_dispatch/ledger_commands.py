"""`watchkeep dispatch ledger|fund|agenda …`: what could not be solved, its monthly study, money, and meetings."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Literal

import typer

from watchkeep_core.commands import print_json
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch import duties, fund, ledger
from watchkeep_dispatch.actions import Request
from watchkeep_dispatch.command_options import DatabaseUrl, Shown, connected, known, show, today, zone_of

ledger_app = typer.Typer(help="The ledger (挂账/销号) and its monthly study.", no_args_is_help=True)
fund_app = typer.Typer(help="Emergency use of the special maintenance fund.", no_args_is_help=True)

Case = Annotated[int, typer.Argument(help="Number of the case.")]
Login = Annotated[str, typer.Option("--person", help="Login of the person who does it.")]
Note = Annotated[str, typer.Option(help="The record: what was seen, decided, posted where.")]


class Print(StrEnum):
    """How an agenda is printed."""

    json = "json"
    markdown = "markdown"


@ledger_app.command("list")
def list_entries(
    area: Annotated[str | None, typer.Option(help="Of one area only.")] = None,
    struck: Annotated[bool, typer.Option("--struck", help="Those struck off as well.")] = False,
    unstudied: Annotated[bool, typer.Option("--unstudied", help="Only those not studied this month.")] = False,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """What stands in the ledger."""
    zone = zone_of(database_url)
    with connected(database_url) as conn:
        known(conn, area=area)
        found = ledger.entries(conn, today(zone), area=area, struck=struck, unstudied=unstudied)
    show(
        found,
        ("case_id", "title_zh", "community", "reason", "responsible", "due_on", "studies", "studied", "struck_at"),
        format,
        zone=zone,
    )


@ledger_app.command()
def study(
    case: Case,
    person: Login,
    org: Annotated[str, typer.Option(help="Id of the responsible unit.")],
    due: Annotated[datetime, typer.Option(help="Day until which it must be solved.", formats=["%Y-%m-%d"])],
    finding: Annotated[str, typer.Option(help="What the study found.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Record this month's study of an entry: responsible unit and time limit."""
    now = datetime.now(UTC)
    with connected(database_url) as conn:
        asked = Request(person_id=duties.person(conn, person), now=now, org_id=org)
        ledger.study(conn, case, today(zone_of(database_url)), finding, due.date(), asked)


@fund_app.command("request")
def request_fund(
    case: Case,
    person: Login,
    trigger: Annotated[str, typer.Option(help=f"One of {', '.join(fund.TRIGGERS)}.")],
    estimate: Annotated[str, typer.Option(help="Yuan.")],
    reason: Annotated[str, typer.Option(help="Why it cannot wait.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Ask for money for a case."""
    with connected(database_url) as conn:
        asked = Request(person_id=duties.person(conn, person), now=datetime.now(UTC), reason=reason)
        print_json({"request": fund.request(conn, case, asked, trigger, _yuan(estimate, "--estimate"))})


@fund_app.command("step")
def step_fund(
    request: Annotated[int, typer.Argument(help="As `fund list` shows it.")],
    action: Annotated[
        Literal["verify", "publicise", "approve", "settle", "refuse"], typer.Argument(help="What is done.")
    ],
    person: Login,
    note: Note,
    settled: Annotated[str | None, typer.Option(help="Yuan spent; with settle.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Verify on site, publicise, approve, settle or refuse a request."""
    with connected(database_url) as conn:
        asked = Request(person_id=duties.person(conn, person), now=datetime.now(UTC), reason=note)
        spent = _yuan(settled, "--settled") if settled is not None else None
        print_json({"request": request, "state": fund.take(conn, request, action, asked, settled=spent)})


@fund_app.command("list")
def list_requests(
    case: Annotated[int | None, typer.Option(help="Of one case only.")] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those not settled or refused.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Requests with their steps."""
    with connected(database_url) as conn:
        print_json(fund.requests(conn, case, open=open_only))


def agenda(
    area: Annotated[str, typer.Option(help="Id of the subdistrict, or of the city.")],
    meeting: Annotated[
        Literal["joint", "plenary"], typer.Option(help="Quarterly joint meeting, or the half-year plenary.")
    ] = "joint",
    format: Annotated[Print, typer.Option(help="JSON, or markdown to sign.")] = Print.json,
    database_url: DatabaseUrl = None,
) -> None:
    """Agenda of a meeting, from what is unsolved."""
    zone = zone_of(database_url)
    with connected(database_url) as conn:
        topics = ledger.agenda(conn, area, meeting, datetime.now(UTC))
        place = ledger.area_name(conn, area)
    if format is Print.json:
        print_json(topics)
    else:
        typer.echo(ledger.markdown(topics, place, meeting, today(zone), zone), nl=False)


def _yuan(text: str, option: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise SettingsError(f"{option}: {text!r} is no amount such as 12000.50") from None
