"""`watchkeep dispatch …`"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from watchkeep_core import logs, settings, vocabulary
from watchkeep_core.commands import print_json
from watchkeep_core.errors import SettingsError
from watchkeep_core.service import Stop
from watchkeep_dispatch import coverage as cover
from watchkeep_dispatch import duties, lifecycle, parties, routing
from watchkeep_dispatch.command_options import DatabaseUrl, LogLevel, connected
from watchkeep_dispatch.duty_file import default_list
from watchkeep_dispatch.notify.jobs import install_jobs
from watchkeep_dispatch.quiet_commands import held_back, silence_app, window_app
from watchkeep_dispatch.service import run as run_service
from watchkeep_dispatch.settings import DispatchSettings

app = typer.Typer(
    help="Turns warnings into cases and orders by the responsibility list, runs their clocks, tells people.",
    no_args_is_help=True,
)
duties_app = typer.Typer(help="The responsibility list (权责清单): who must do what, by when.", no_args_is_help=True)
app.add_typer(duties_app, name="duties")
app.add_typer(silence_app, name="silence")
app.add_typer(window_app, name="window")
app.command(name="held-back")(held_back)


class Format(StrEnum):
    """What `lifecycle` prints."""

    markdown = "markdown"
    mermaid = "mermaid"


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
    database_url: DatabaseUrl = None,
) -> None:
    """Which rows of the list in force match a warning, which one wins and why, and who that is here."""
    words = vocabulary.load()
    if condition not in words.conditions:
        raise SettingsError(f"--condition: {condition!r} is not in the vocabulary")
    now = datetime.now(UTC)
    with connected(database_url) as conn:
        site = parties.read_site(conn, community, equipment, at.replace(tzinfo=UTC) if at else now, now)
        listed = duties.in_force(conn, now)
    facts = parties.facts_of(site, condition, words)
    choice = routing.choose(listed.rows if listed else (), facts)
    assignment = parties.assign(choice.winner, site, facts)
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
            "winner": _shown(choice.winner) if choice.winner else None,
            "why": choice.why,
            "parties": assignment,
        }
    )


@app.command(name="lifecycle")
def show_lifecycle(
    format: Annotated[Format, typer.Option(help="Table or state diagram.")] = Format.markdown,
) -> None:
    """The life of a case, from the one table that the code goes by."""
    typer.echo(lifecycle.markdown() if format is Format.markdown else lifecycle.mermaid(), nl=False)


@app.command(name="install-jobs")
def install(
    admin_url: Annotated[str, typer.Option(envvar="WATCHKEEP_DB_ADMIN_URL", help="libpq URL of an administrator.")],
) -> None:
    """Make or upgrade the schema `jobs` of the notification queue; nothing happens when it is there."""
    print_json({"procrastinate": install_jobs(admin_url)})


@duties_app.command("load-default")
def load_default(database_url: DatabaseUrl = None) -> None:
    """Write and publish the packaged default list, unless it is there or a list of your own is in force."""
    with connected(database_url) as conn:
        print_json(duties.load_default(conn, datetime.now(UTC)))


@duties_app.command("list")
def list_versions(
    rows: Annotated[int | None, typer.Option("--rows", help="Print the rows of this list id instead.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """All versions of the list with their dates, or the rows of one."""
    with connected(database_url) as conn:
        print_json(duties.versions(conn) if rows is None else [_shown(row) for row in duties.rows_of(conn, rows)])


@duties_app.command()
def coverage(
    list_id: Annotated[int | None, typer.Option(help="Id of a list; default the one in force.")] = None,
    default: Annotated[bool, typer.Option("--default", help="The packaged default list; needs no database.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Combinations without an owner, with two equal owners, or without a deadline. Exit code 1 when there are any."""
    if default:
        rows = default_list()[1]
    else:
        with connected(database_url) as conn:
            listed = duties.in_force(conn, datetime.now(UTC)) if list_id is None else None
            rows = duties.rows_of(conn, list_id) if list_id is not None else listed.rows if listed else ()
    found = cover.coverage(rows, vocabulary.load())
    print_json(found)
    if found.no_owner or found.two_owners or found.no_deadline:
        raise typer.Exit(1)


def _shown(duty: routing.Duty) -> dict[str, Any]:
    """A row without its empty columns."""
    columns = {name: getattr(duty, name) for name in routing.Duty.__dataclass_fields__}
    return {name: value for name, value in columns.items() if value not in (None, "", ())}
