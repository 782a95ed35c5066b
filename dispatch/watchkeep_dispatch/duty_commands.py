"""`watchkeep dispatch duties …`: versions of the responsibility list, Excel, four eyes, replay."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from watchkeep_core import settings, vocabulary
from watchkeep_core.commands import print_json
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch import coverage as cover
from watchkeep_dispatch import duties, duty_excel, duty_replay, routing
from watchkeep_dispatch.command_options import DatabaseUrl, Shown, connected, moment, print_table, write_file, zone_of
from watchkeep_dispatch.duty_file import deadline_text, default_list, span_text
from watchkeep_dispatch.errors import DutyListError
from watchkeep_dispatch.settings import DispatchSettings

duties_app = typer.Typer(help="The responsibility list (权责清单): who must do what, by when.", no_args_is_help=True)

Login = Annotated[str, typer.Option("--person", help="Login of the person who does it.")]
ListId = Annotated[int, typer.Argument(help="Id of a list, as `duties list` shows it.")]
Default = Annotated[bool, typer.Option("--default", help="The packaged default list; needs no database.")]
OtherList = Annotated[int | None, typer.Option(help="Id of a list; default the one in force.")]
_SHOWN_GAPS = 50


@duties_app.command("load-default")
def load_default(database_url: DatabaseUrl = None) -> None:
    """Write and publish the packaged default list, unless it is there or a list of your own is in force."""
    with connected(database_url) as conn:
        print_json(duties.load_default(conn, datetime.now(UTC)))


@duties_app.command("list")
def list_versions(
    rows: Annotated[int | None, typer.Option("--rows", help="Print the rows of this list id instead.")] = None,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """All versions of the list with their dates, or the rows of one."""
    with connected(database_url) as conn:
        versions = duties.versions(conn) if rows is None else []
        found = [] if rows is None else [row_shown(row) for row in duties.read_list(conn, rows).rows]
    if format == "json":
        print_json(versions if rows is None else found)
    elif rows is None:
        of_list = ("list_id", "name", "status", "since", "until", "rows")
        rows_shown = [[row[name] for name in of_list] for row in versions]
        print_table("权责清单 responsibility lists", of_list, rows_shown, zone_of(database_url))
    else:
        names = ("row_no", "title", "condition", "responsible", "case_class", "respond", "arrive", "finish")
        print_table("", names, [[row.get(name, "") for name in names] for row in found])


@duties_app.command()
def coverage(
    list_id: OtherList = None, default: Default = False, format: Shown = "json", database_url: DatabaseUrl = None
) -> None:
    """Combinations without an owner, with two equal owners, or without a deadline. Exit code 1 when there are any."""
    found = cover.coverage(_rows(list_id, default, database_url), vocabulary.load())
    if format == "json":
        print_json(found)
    else:
        typer.echo(summary(found))
        for name in ("no_owner", "two_owners", "no_deadline"):
            gaps: tuple[cover.Gap, ...] = getattr(found, name)
            shown = [[gap.kind, gap.condition, gap.qualifiers, ", ".join(map(str, gap.rows))] for gap in gaps]
            if gaps:
                print_table(f"{name}: {len(gaps)}", ("kind", "condition", "qualifiers", "rows"), shown[:_SHOWN_GAPS])
    if found.no_owner or found.two_owners or found.no_deadline:
        raise typer.Exit(1)


@duties_app.command("export")
def export_excel(
    file: Annotated[Path, typer.Argument(help="The .xlsx file to write.")],
    list_id: OtherList = None,
    default: Default = False,
    template: Annotated[bool, typer.Option("--template", help="No rows, only headings, lists and notes.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Write a list as Excel, with drop-down lists and notes; `import` reads it back."""
    rows = () if template else _rows(list_id, default, database_url)
    write_file(file, duty_excel.write(rows, vocabulary.load()), "FILE")
    print_json({"file": str(file), "rows": len(rows)})


@duties_app.command("import")
def import_excel(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The .xlsx file.")],
    name: Annotated[str, typer.Option(help="Name of the new draft.")],
    person: Login,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and compare; write nothing.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Read a list from Excel as a draft: all of it, or nothing and every wrong cell. Exit code 1 when one is wrong."""
    words = vocabulary.load()
    with connected(database_url) as conn:
        who = duties.person(conn, person)
        sheet = duty_excel.read(file.read_bytes(), words, duties.areas(conn))
        if sheet.errors:
            print_json({"written": False, "errors": sheet.errors})
            raise typer.Exit(1)
        now = datetime.now(UTC)
        current = duties.in_force(conn, now)
        report: dict[str, Any] = {
            "rows": len(sheet.rows),
            "compared_with": current.name if current else None,
            "difference": compare(current.rows if current else (), sheet.rows),
            "coverage": summary(cover.coverage(sheet.rows, words)),
        }
        list_id = None if dry_run else duties.save_draft(conn, name, sheet.rows, created_by=who)
    print_json({"written": not dry_run, "list_id": list_id} | report)


@duties_app.command()
def publish(
    list_id: ListId,
    person: Login,
    since: Annotated[str | None, typer.Option("--from", help="ISO time it begins; default now.")] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Put a draft into force: by a second person, who holds a supervising role."""
    now = datetime.now(UTC)
    start = moment(since, "--from", zone_of(database_url)) if since else None
    with connected(database_url) as conn:
        who = duties.person(conn, person)
        if not duties.may_publish(conn, who):
            raise DutyListError(f"{person} holds none of the roles that publish: {', '.join(duties.PUBLISHERS)}")
        duties.publish(conn, list_id, now, person_id=who, since=start)


@duties_app.command()
def withdraw(list_id: ListId, person: Login, database_url: DatabaseUrl = None) -> None:
    """Put a draft aside."""
    with connected(database_url) as conn:
        duties.withdraw(conn, list_id, person_id=duties.person(conn, person))


@duties_app.command()
def replay(
    list_id: ListId,
    since: Annotated[str | None, typer.Option("--from", help="ISO time; default 30 days before the end.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="ISO time; default now.")] = None,
    against: OtherList = None,
    show: Annotated[int, typer.Option(min=0, max=10_000, help="At most so many changed cases.")] = 100,
    format: Shown = "json",
    database_url: DatabaseUrl = None,
) -> None:
    """A past period under this (draft) list: who would have had which case, and what load that means."""
    calendar = settings.load(DispatchSettings, database_url=database_url).calendar()
    end = moment(until, "--until", calendar.zone) if until else datetime.now(UTC)
    start = moment(since, "--from", calendar.zone) if since else end - timedelta(days=30)
    if start >= end:
        raise SettingsError("--until: must be later than --from")
    with connected(database_url) as conn:
        after = duties.read_list(conn, list_id)
        before = duties.in_force(conn, datetime.now(UTC)) if against is None else duties.read_list(conn, against)
        rows = before.rows if before else ()
        found = duty_replay.replay(conn, rows, after.rows, start, end, vocabulary.load(), calendar=calendar, show=show)
    if format == "json":
        lists = {"before": before.name if before else None, "after": after.name, "from": start, "until": end}
        print_json(lists | asdict(found))
        return
    typer.echo(
        f"{found.cases} cases, {found.changed} change: party {found.changed_party}, class {found.changed_class}, "
        f"deadlines {found.changed_deadline}"
    )
    names = ("org_id", "name", "before", "after", "urgent_before", "urgent_after")
    print_table("load", names, [[getattr(load, name) for name in names] for load in found.load])
    print_table(
        "changes",
        ("case", "condition", "what", "before", "after"),
        [[c.case_id, c.condition, ", ".join(c.differs), _side(c.before), _side(c.after)] for c in found.changes],
    )


def row_shown(duty: routing.Duty) -> dict[str, Any]:
    """A row as people read it, without its empty columns."""
    columns: dict[str, Any] = {name: getattr(duty, name) for name in routing.Duty.__dataclass_fields__}
    for clock in ("respond", "arrive", "finish"):
        columns[clock] = deadline_text(columns[clock]) if columns[clock] else None
    columns["clear_for"] = span_text(duty.clear_for) if duty.clear_for else None
    return {name: value for name, value in columns.items() if value not in (None, "", ())}


def compare(before: tuple[routing.Duty, ...], after: tuple[routing.Duty, ...]) -> dict[str, list[str]]:
    """Rows that came, went or changed; a row is known by what it matches."""
    old, new = ({_key(row): row for row in rows} for rows in (before, after))
    changed = [key for key in old.keys() & new.keys() if _said(old[key]) != _said(new[key])]
    texts = {
        "added": [_text(new[key]) for key in new.keys() - old.keys()],
        "removed": [_text(old[key]) for key in old.keys() - new.keys()],
        "changed": [f"{_text(new[key])}: {', '.join(_changed(old[key], new[key]))}" for key in changed],
    }
    return {name: sorted(found) for name, found in texts.items()}


def summary(found: cover.Coverage) -> str:
    """`14 combinations have no owner, 2 have two, …`"""
    return (
        f"{found.combinations} combinations: {len(found.no_owner)} have no owner, {len(found.two_owners)} have two, "
        f"{len(found.no_deadline)} have no deadline; {found.by_catch_all} only a catch-all row"
    )


_MATCHING = ("domain", "kind", "condition", *routing.QUALIFIERS)


def _key(row: routing.Duty) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _MATCHING)


def _text(row: routing.Duty) -> str:
    where = [f"{name}={value}" for name in _MATCHING if (value := getattr(row, name)) is not None]
    return f"{row.title} ({', '.join(where) or 'anything'})"


def _said(row: routing.Duty) -> dict[str, Any]:
    """What a row says, wherever it stands."""
    return {name: value for name, value in row_shown(row).items() if name not in ("row_no", "duty_id")}


def _changed(old: routing.Duty, new: routing.Duty) -> list[str]:
    before, after = _said(old), _said(new)
    names = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    return [f"{name} {before.get(name, '–')} → {after.get(name, '–')}" for name in names]


def _side(outcome: duty_replay.Outcome) -> str:
    return f"{outcome.org_id or '—'} {outcome.case_class} {outcome.deadlines}"


def _rows(list_id: int | None, default: bool, database_url: str | None) -> tuple[routing.Duty, ...]:
    if default:
        return default_list()[1]
    with connected(database_url) as conn:
        if list_id is not None:
            return duties.read_list(conn, list_id).rows
        listed = duties.in_force(conn, datetime.now(UTC))
    return listed.rows if listed else ()
