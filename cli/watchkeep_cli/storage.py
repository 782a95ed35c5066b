"""`watchkeep db status|export|backup|restore|rollback`: what is stored, and ways in and out for it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from watchkeep_cli import backup as backups
from watchkeep_cli import upgrade
from watchkeep_cli.admin import AdminUrl, admin
from watchkeep_core.commands import print_json
from watchkeep_core.database import OWNER, connect
from watchkeep_core.errors import SettingsError
from watchkeep_core.schema.migrate import pending, storage
from watchkeep_core.storage.export import Format, Wanted, export
from watchkeep_core.storage.levels import Level
from watchkeep_core.storage.status import StorageStatus, storage_status

Json = Annotated[bool, typer.Option("--json", help="One JSON object for scripts.")]
Tools = Annotated[Path | None, typer.Option(help="Folder of pg_dump and pg_restore, when they are not found.")]
Jobs = Annotated[int, typer.Option(min=1, max=64, help="Processes; with more than one the backup is a folder.")]


def register(app: typer.Typer) -> None:
    """Put the verbs beside the others of `watchkeep db`."""
    app.command("status")(status)
    app.command("export")(export_readings)
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("rollback")(rollback)


def status(admin_url: AdminUrl = None, json: Json = False) -> None:
    """Which storage the server offers and why, what it holds, how far rollups are, which migrations are missing."""
    url = admin(admin_url)
    missing = pending(url)
    answer: dict[str, object] = {"storage": storage(url), "pending": missing}
    if missing:
        if json:
            print_json(answer)
        else:
            sys.stdout.write(f"{answer['storage']}; migrations to apply: {', '.join(missing)} (watchkeep db migrate)\n")
        return
    with connect(url, "status", role=OWNER) as conn:
        found = storage_status(conn, datetime.now(UTC))
    if json:
        print_json(answer | msgspec.to_builtins(found, builtin_types=(datetime,)))
    else:
        _show(found)


def export_readings(
    file: Annotated[Path, typer.Argument(help="File to write; made whole or not at all.", dir_okay=False)],
    since: Annotated[str, typer.Option("--from", help="First moment: 2026-11-01 (UTC) or with time and zone.")],
    until: Annotated[str, typer.Option("--to", help="First moment no longer wanted.")],
    community: Annotated[str | None, typer.Option(help="All points of a community.")] = None,
    equipment: Annotated[str | None, typer.Option(help="Points of one equipment: COMMUNITY/EQUIPMENT.")] = None,
    format: Annotated[str, typer.Option(help="csv or parquet (needs watchkeep[export]).")] = "csv",
    level: Annotated[str, typer.Option(help="raw, minute or hour.")] = "raw",
    admin_url: AdminUrl = None,
) -> None:
    """Write stored readings, or their rollups, to a file."""
    form: Format = _one_of("--format", format, ("csv", "parquet"))  # type: ignore[assignment]  # checked by _one_of
    wanted_level: Level = _one_of("--level", level, ("raw", "minute", "hour"))  # type: ignore[assignment]  # as above
    if (community is None) == (equipment is None):
        raise SettingsError("give either --community or --equipment")
    place, _, thing = (equipment or community or "").partition("/")
    if equipment is not None and not thing:
        raise SettingsError(f"--equipment: {equipment!r} is not COMMUNITY/EQUIPMENT")
    wanted = Wanted(place, thing or None, wanted_level, _moment("--from", since), _moment("--to", until))
    if wanted.until <= wanted.since:
        raise SettingsError("--to: must be after --from")
    with connect(admin(admin_url), "export", autocommit=True, role=OWNER) as conn, _bar(str(file)) as tell:
        try:
            rows = export(conn, wanted, form, file, tell)
        except OSError as error:
            raise SettingsError(f"{file}: {error.strerror}") from None
    print_json({"file": str(file), "rows": rows, "bytes": file.stat().st_size})


def backup(
    target: Annotated[Path, typer.Argument(help="File to write, or folder with --jobs.")],
    jobs: Jobs = 1,
    tools: Tools = None,
    admin_url: AdminUrl = None,
) -> None:
    """Write everything in the database to a file, while services run on."""
    with _spinner(f"backup to {target}"):
        answer = backups.backup(admin(admin_url), target, jobs, tools)
    print_json(answer)


def restore(
    source: Annotated[Path, typer.Argument(help="What `backup` wrote.")],
    jobs: Jobs = 1,
    tools: Tools = None,
    admin_url: AdminUrl = None,
) -> None:
    """Fill an empty database from a backup; roles, grants and TimescaleDB's own steps included."""
    with _spinner(f"restore from {source}"):
        answer = backups.restore(admin(admin_url), source, jobs, tools)
    print_json(answer)


def rollback(
    source: Annotated[Path, typer.Argument(help="The backup to go back to: `db migrate --backup-dir` made one.")],
    jobs: Jobs = 1,
    tools: Tools = None,
    admin_url: AdminUrl = None,
) -> None:
    """Back to a backup: the database gets another name and is kept, the backup takes its place. Stop services first."""
    with _spinner(f"rollback to {source}"):
        answer = upgrade.rollback(admin(admin_url), source, jobs, datetime.now(UTC), tools)
    print_json(answer)


def _show(found: StorageStatus) -> None:
    table = Table("class", "kept", "parts", "size", "rows ≈", "oldest", "newest", "compressed", title=found.backend)
    for level in found.levels:
        kept = f"{level.keep_days:g} d" + (f" (+{level.kept_for_replay} recorded)" if level.kept_for_replay else "")
        ratio = f"{level.compressed_parts} parts, {level.compression_ratio:g}:1" if level.compression_ratio else "–"
        moments = [f"{at:%Y-%m-%d %H:%M}Z" if at else "–" for at in (level.oldest, level.newest)]
        table.add_row(
            level.level, kept, str(level.parts), decimal(level.bytes), f"{level.rows_estimated:,}", *moments, ratio
        )
    console = Console(width=None if sys.stdout.isatty() else 128)
    console.print(table)
    console.print(f"Why: {found.why}.", soft_wrap=True)
    console.print(
        f"Rollups: {found.series_with_minutes} of {found.series} points by minute, {found.series_with_hours} by hour; "
        f"{found.rollup_lag_s:.0f} s behind, {found.rollup_marks} marked hours waiting.",
        soft_wrap=True,
    )


def _one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise SettingsError(f"{option}: {value!r} is not one of {', '.join(known)}")
    return value


def _moment(option: str, text: str) -> datetime:
    """A day is its UTC midnight; a time must name its zone. Raises SettingsError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option}: {text!r} is no moment such as 2026-11-01 or 2026-11-01T08:00+08:00") from None
    if len(text) == len("2026-11-01"):
        return moment.replace(tzinfo=UTC)
    if moment.tzinfo is None:
        raise SettingsError(f"{option}: {text!r} must name its time zone, e.g. {text}+08:00")
    return moment


@contextmanager
def _bar(name: str) -> Iterator[Callable[[float, int], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=1.0, rows=0)
        yield lambda share, rows: progress.update(task, completed=share, rows=rows)


@contextmanager
def _spinner(what: str) -> Iterator[None]:
    """pg_dump tells no share of its work, so only that it runs is shown."""
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), console=Console(stderr=True), transient=True
    ) as progress:
        progress.add_task(what, total=None)
        yield
