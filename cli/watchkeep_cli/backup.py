"""Backup and restore of the whole database around pg_dump and pg_restore, with what TimescaleDB and our roles need."""

from importlib.resources import files
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from watchkeep_cli import client_tools
from watchkeep_core.database import connect
from watchkeep_core.errors import PermanentError
from watchkeep_core.schema.migrate import pending, storage

NOT_IN_IT = "Not in it: settings of the server, the broker's accounts and queues, the site's secrets, gateways' spools."
NOTES = (
    "Roles are made by restore; their passwords are not in the backup: set them with `watchkeep db password`.",
    NOT_IN_IT,
)
"""What whoever restores must know."""


class RestoreRefused(PermanentError):
    """The target cannot take the backup."""


def backup(url: str, target: Path, jobs: int, tools: Path | None) -> dict[str, object]:
    """Write a custom-format file, or with `jobs` > 1 a folder; one moment of the database, services may run on.

    Raises ToolMissing, ToolFailed, PermanentError when the target exists.
    """
    if target.exists():
        raise PermanentError(f"{target} exists already: a backup is never overwritten")
    with connect(url, "backup") as conn:
        program = client_tools.find("pg_dump", conn.info.server_version // 10000, tools)
    form = ["--format=directory", f"--jobs={jobs}"] if jobs > 1 else ["--format=custom"]
    client_tools.run(program, [*form, f"--file={target}"], url)
    size = sum(file.stat().st_size for file in target.rglob("*")) if target.is_dir() else target.stat().st_size
    return {"file": str(target), "bytes": size, "storage": storage(url), "notes": NOTES}


def restore(url: str, source: Path, jobs: int, tools: Path | None) -> dict[str, object]:
    """Fill the empty database of the URL; roles and extension first. Raises RestoreRefused, ToolMissing, ToolFailed."""
    if not source.exists():
        raise RestoreRefused(f"{source}: there is no such backup")
    with connect(url, "restore", autocommit=True) as conn:
        program = client_tools.find("pg_restore", conn.info.server_version // 10000, tools)
        row = conn.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        ).fetchone()
        if row is None or row[0]:
            name = conninfo_to_dict(url).get("dbname")
            raise RestoreRefused(f"database {name} is not empty: restore into a new one (createdb)")
        conn.execute((files("watchkeep_core.schema") / "bootstrap.sql").read_bytes())
        timescale = conn.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").fetchone() is not None
        _check_extension(program, source, timescale=timescale)
        if timescale:
            conn.execute("SELECT timescaledb_pre_restore()")
    # TimescaleDB asks for one job and no surrounding transaction; else a restore that fails leaves nothing behind.
    parallel = [f"--jobs={jobs}"] if jobs > 1 else ["--single-transaction"]
    if timescale:
        parallel = []
    try:
        client_tools.run(program, ["--exit-on-error", *parallel, str(source)], url)
    finally:
        if timescale:
            with connect(url, "restore", autocommit=True) as conn:
                conn.execute("SELECT timescaledb_post_restore()")
    with connect(url, "restore", autocommit=True) as conn:
        conn.execute("ANALYZE")
    return {"storage": storage(url), "pending": pending(url), "notes": NOTES}


def _check_extension(program: Path, source: Path, *, timescale: bool) -> None:
    """A backup of hypertables cannot be restored without TimescaleDB, nor one without into a server that has it."""
    listed = client_tools.listing(program, source)
    wanted = " EXTENSION - timescaledb" in listed
    if wanted and not timescale:
        raise RestoreRefused("the backup is of a server with TimescaleDB, which this one does not offer")
    if timescale and not wanted:
        raise RestoreRefused("the backup is of plain PostgreSQL; restore it on a server without TimescaleDB")
