"""`watchkeep dispatch complaints …`: intake from files, the list, the monthly study, QR labels."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from watchkeep_core import settings, vocabulary
from watchkeep_core.commands import print_json
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch import complaint_file, complaints, study
from watchkeep_dispatch.command_options import DatabaseUrl, Shown, connected, known, show, write_file, zone_of
from watchkeep_dispatch.duties import Lists
from watchkeep_dispatch.planning import Rules
from watchkeep_dispatch.reports import Report, period_span, to_html
from watchkeep_dispatch.settings import DispatchSettings

complaints_app = typer.Typer(help="Complaints and calls: intake, study, QR labels.", no_args_is_help=True)

Font = Annotated[
    Path | None, typer.Option(help="A font file with Chinese characters; default: Noto Sans CJK of the system.")
]
Language = Annotated[Literal["zh", "en"], typer.Option(help="Of the report.")]


class Shape(StrEnum):
    """How a report is written."""

    json = "json"
    html = "html"
    pdf = "pdf"


AsShape = Annotated[Shape, typer.Option("--format", help="json, html or pdf.")]
Out = Annotated[Path | None, typer.Option("--out", help="File to write; without it html goes to standard output.")]


@complaints_app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV with a heading, UTF-8 or GB 18030.")],
    source: Annotated[str, typer.Option(help=f"Channel: {', '.join(complaints.CHANNELS)}.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only; nothing is written.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Take in a channel's file: all rows, or none when any is wrong. Exit code 1 then, with line and column of each."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from None
    found = settings.load(DispatchSettings, database_url=database_url)
    rules = Rules(vocabulary.load(), Lists(), {}, calendar=found.calendar())
    with connected(database_url) as conn:
        done = complaint_file.import_csv(conn, content, source, datetime.now(UTC), rules, dry_run=dry_run)
    print_json(done)
    if done.errors:
        raise typer.Exit(1)


@complaints_app.command("list")
def list_complaints(
    community: Annotated[str | None, typer.Option(help="Of one community only.")] = None,
    open: Annotated[bool, typer.Option("--open", help="Not answered yet.")] = False,
    refused: Annotated[bool, typer.Option("--refused", help="Could not be filed; a person has to look.")] = False,
    at_most: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """Complaints, newest first, with their cases and answers."""
    with connected(database_url) as conn:
        known(conn, community=community)
        found = complaints.listing(
            conn, community=community, answered=False if open else None, refused=refused or None, limit=at_most
        )
    show(
        found,
        ("complaint_id", "received_at", "community", "description", "case_id", "state", "answered_at"),
        format,
        zone=zone_of(database_url),
    )


@complaints_app.command("study")
def monthly_study(
    month: Annotated[str, typer.Option(help="Such as 2026-11; 2026-H2 for a half-year.")],
    area: Annotated[str | None, typer.Option(help="Id of an area; without it, all.")] = None,
    shape: AsShape = Shape.json,
    out: Out = None,
    language: Language = "zh",
    font: Font = None,
    database_url: DatabaseUrl = None,
) -> None:
    """月度研判: complaints by community and cause, and what is unsolved, case by case."""
    zone = zone_of(database_url)
    since, until = span(month, "--month", zone)
    with connected(database_url) as conn:
        known(conn, area=area)
        found = study.study(conn, since, until, area)
    if shape is Shape.json:
        print_json(found)
    else:
        write(study.report(found, vocabulary.load(), zone, language), shape, out, font)


@complaints_app.command("labels")
def label_sheet(
    community: Annotated[str, typer.Option(help="Id of the community.")],
    public_url: Annotated[
        str, typer.Option(help="Where residents reach the console, such as https://wk.example.gov.cn.")
    ],
    out: Annotated[Path, typer.Option("--out", help="PDF to write.")],
    equipment: Annotated[list[str] | None, typer.Option(help="These only; repeat for more.")] = None,
    font: Font = None,
    database_url: DatabaseUrl = None,
) -> None:
    """QR labels, 21 on an A4 sheet, the community's own first."""
    from watchkeep_dispatch import labels

    if not public_url.startswith(("https://", "http://")):
        raise SettingsError(f"--public-url: {public_url!r} must begin with https:// or http://")
    with connected(database_url) as conn:
        found = labels.labels(conn, community, equipment)
    write_file(out, labels.sheet(found, public_url, font), "--out")
    print_json({"labels": len(found), "file": str(out)})


def span(period: str, option: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A month, half-year or year by the zone's calendar. Raises SettingsError that names the option."""
    try:
        return period_span(period, zone)
    except ValueError:
        raise SettingsError(f"{option}: {period!r} is no period such as 2026-11, 2026-H2 or 2026") from None


def write(report: Report, shape: Shape, out: Path | None, font: Path | None) -> None:
    """A report to a file, or as HTML to standard output. Raises SettingsError, NoFont."""
    if shape is Shape.html:
        page = to_html(report)
        if out is None:
            typer.echo(page)
        else:
            write_file(out, page.encode(), "--out")
        return
    if out is None:
        raise SettingsError("--out: a PDF needs a file")
    from watchkeep_dispatch.reports_pdf import to_pdf  # font tools take half a second to import

    write_file(out, to_pdf(report, font), "--out")
