"""`watchkeep dispatch …`"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from watchkeep_core import logs, settings, vocabulary
from watchkeep_core.commands import print_json
from watchkeep_core.errors import SettingsError
from watchkeep_core.service import Stop
from watchkeep_dispatch import duties, lifecycle, lifecycle_page, parties, routing, supervision_commands
from watchkeep_dispatch.command_options import DatabaseUrl, LogLevel, Shown, connected, print_table
from watchkeep_dispatch.complaints_commands import complaints_app
from watchkeep_dispatch.duty_commands import duties_app, row_shown
from watchkeep_dispatch.ledger_commands import agenda, fund_app, ledger_app
from watchkeep_dispatch.notify.commands import channels_app, notifications_app
from watchkeep_dispatch.notify.jobs import install_jobs
from watchkeep_dispatch.pause_commands import pauses_app
from watchkeep_dispatch.preventive_commands import handover_app, told, visits_app
from watchkeep_dispatch.quiet_commands import held_back, silence_app, window_app
from watchkeep_dispatch.rota_commands import rota_app, skill_app
from watchkeep_dispatch.service import run as run_service
from watchkeep_dispatch.settings import DispatchSettings

app = typer.Typer(
    help="Turns warnings into cases and orders by the responsibility list, runs their clocks, tells people.",
    no_args_is_help=True,
)
app.add_typer(duties_app, name="duties")
app.add_typer(complaints_app, name="complaints")
supervision_commands.register(app)
app.add_typer(silence_app, name="silence")
app.add_typer(window_app, name="window")
app.add_typer(notifications_app, name="notifications")
app.add_typer(channels_app, name="channels")
app.add_typer(visits_app, name="visits")
app.add_typer(handover_app, name="handover")
app.command()(told)
app.add_typer(pauses_app, name="pauses")
app.add_typer(ledger_app, name="ledger")
app.add_typer(fund_app, name="fund")
app.command()(agenda)
app.add_typer(rota_app, name="rota")
app.add_typer(skill_app, name="skill")
app.command(name="held-back")(held_back)


class Format(StrEnum):
    """What `lifecycle` prints."""

    markdown = "markdown"
    mermaid = "mermaid"
    page = "page"


@app.command()
def run(
    database_url: DatabaseUrl = None,
    health_port: Annotated[int | None, typer.Option(help="Port of /health and /metrics; 0 = none.")] = None,
    log_level: LogLevel = None,
) -> None:
    """Run the service until SIGTERM: file warnings, run the clocks, hand over notifications, seal the audit trail."""
    found = settings.load(DispatchSettings, database_url=database_url, health_port=health_port, log_level=log_level)
    logs.configure("dispatch", found.log_level)
    run_service(found, Stop().install())


@app.command()
def explain(
    community: Annotated[str, typer.Option(help="Id of the community.")],
    condition: Annotated[str, typer.Option(help="Condition of the vocabulary, such as entrapment.")],
    equipment: Annotated[
        str | None, typer.Option(help="Id of the equipment; without it, the community as a place.")
    ] = None,
    at: Annotated[
        datetime | None, typer.Option(help="Event time, UTC; default now.", formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])
    ] = None,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """Which rows of the list in force match a warning, which one wins and why, and who that is here."""
    words = vocabulary.load()
    if condition not in words.conditions:
        raise SettingsError(f"--condition: {condition!r} is not in the vocabulary")
    now = datetime.now(UTC)
    with connected(database_url) as conn:
        event_at = at.replace(tzinfo=UTC) if at else now
        site = parties.read_site(conn, community, equipment, event_at, now)
        listed = duties.in_force(conn, now)
    calendar = settings.load(DispatchSettings, database_url=database_url).calendar()
    facts = parties.facts_of(site, condition, words, working_time=calendar.works(event_at))
    choice = routing.choose(listed.rows if listed else (), facts)
    assignment = parties.assign(choice.winner, site, facts)
    if format == "table":
        _explain_table(choice, assignment)
        return
    print_json(
        {
            "list": {"list_id": listed.list_id, "name": listed.name} if listed else None,
            "facts": facts,
            "equipment": site.equipment,
            "matched": [
                {
                    "row": m.duty.row_no,
                    "title": m.duty.title,
                    "specificity": dict(zip(routing.LEVELS, m.specificity, strict=True)),
                }
                for m in choice.matches
            ],
            "winner": row_shown(choice.winner) if choice.winner else None,
            "why": choice.why,
            "parties": assignment,
        }
    )


@app.command(name="lifecycle")
def show_lifecycle(
    format: Annotated[
        Format, typer.Option(help="Table, state diagram, or the page docs/lifecycle.md.")
    ] = Format.markdown,
) -> None:
    """The life of a case, from the one table that the code goes by."""
    printed = {Format.markdown: lifecycle.markdown, Format.mermaid: lifecycle.mermaid, Format.page: lifecycle_page.page}
    typer.echo(printed[format](), nl=False)


@app.command(name="install-jobs")
def install(
    admin_url: Annotated[str, typer.Option(envvar="WATCHKEEP_DB_ADMIN_URL", help="libpq URL of an administrator.")],
) -> None:
    """Make or upgrade the schema `jobs` of the notification queue; nothing happens when it is there."""
    print_json({"procrastinate": install_jobs(admin_url)})


def _explain_table(choice: routing.Choice, assignment: parties.Assignment) -> None:
    typer.echo(choice.why)
    rows = [
        [m.duty.row_no, m.duty.title, m.duty.responsible, m.duty.case_class, *m.specificity, "✓" if not number else ""]
        for number, m in enumerate(choice.matches)
    ]
    print_table("matched", ("row", "title", "responsible", "class", *routing.LEVELS, "wins"), rows)
    named = [(name, getattr(assignment, name)) for name in ("lead", "first_responder", "responsible", "supervising")]
    named += [("copied", party) for party in assignment.copied]
    print_table("parties", ("as", "party", "organisation", "known from"),
                [[name, found.party, found.org_id or "—", found.how] for name, found in named])  # fmt: skip
