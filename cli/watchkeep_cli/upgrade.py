"""Upgrade of a database in use, and the way back: a backup before the first migration, and its restore beside the rest.

There are no scripts that undo migrations (docs/adr/0014): one that is run once in years, in a bad hour, is the least
tested code of a system. The way back is the backup, and what the newer version stored is kept under another name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, LiteralString

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from watchkeep_cli import backup as backups
from watchkeep_core.database import connect
from watchkeep_core.errors import PermanentError
from watchkeep_core.schema.migrate import migrate, pending

_IN_USE: LiteralString = """
SELECT DISTINCT coalesce(nullif(application_name, ''), usename, 'somebody') FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' ORDER BY 1
"""


class RollbackRefused(PermanentError):
    """The database was left as it is."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """`applied`: names of the migrations; `backup`: the file made before the first of them, if one was wanted."""

    applied: list[str]
    backup: Path | None


def upgrade(url: str, folder: Path | None, now: datetime, tools: Path | None = None) -> Upgrade:
    """Bring the database to the present schema; with a folder, never without a backup of what it held.

    A new or up-to-date database needs none. Raises ToolMissing, ToolFailed before anything is changed.
    """
    before = None
    if folder is not None and _has_schema(url) and pending(url):
        before = folder / f"{now:%Y%m%dT%H%M%SZ}-before-upgrade.dump"
        backups.backup(url, before, 1, tools)
    return Upgrade(migrate(url), before)


def rollback(url: str, source: Path, jobs: int, now: datetime, tools: Path | None = None) -> dict[str, object]:
    """Put the database of the URL aside and restore a backup in its place; roles keep their passwords.

    Raises RollbackRefused while services are connected, and whatever `restore` raises: then all is as before.
    """
    name = str(conninfo_to_dict(url).get("dbname") or "")
    aside = f"{name}_{now:%Y%m%dt%H%M%Sz}"
    if not source.exists():
        raise RollbackRefused(f"{source}: there is no such backup")
    try:
        with connect(_maintenance(url, name), "rollback", autocommit=True) as conn, _put_aside(conn, url, name, aside):
            conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            return backups.restore(url, source, jobs, tools) | {"kept": aside, "notes": [backups.NOT_IN_IT]}
    except psycopg.Error as error:  # somebody came in between, or the login may not make databases
        raise RollbackRefused(" ".join(str(error).split())) from error


def _has_schema(url: str) -> bool:
    with connect(url, "upgrade") as conn:
        return conn.execute("SELECT to_regclass('public._yoyo_migration') IS NOT NULL").fetchone() == (True,)


@contextmanager
def _put_aside(conn: Connection, url: str, name: str, aside: str) -> Iterator[None]:
    """The database has the other name from now on, but for when the block fails: then everything is as before."""
    with connect(url, "rollback", autocommit=True) as own:
        # What anybody stored from now on would be missing in the restored database.
        if others := [str(other) for (other,) in own.execute(_IN_USE)]:
            raise RollbackRefused(f"stop the services first; connected: {', '.join(others)}")
        _timescale_workers(own, "stop")
    _rename(conn, name, aside)
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            _rename(conn, aside, name)
            with connect(url, "rollback", autocommit=True) as own:
                _timescale_workers(own, "start")


def _timescale_workers(conn: Connection, act: Literal["start", "stop"]) -> None:
    """TimescaleDB's own sessions would keep the database from being renamed."""
    if conn.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").fetchone() is not None:
        function = sql.Identifier("_timescaledb_functions", f"{act}_background_workers")
        conn.execute(sql.SQL("SELECT {}()").format(function))


def _rename(conn: Connection, name: str, to: str) -> None:
    conn.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(to)))


def _maintenance(url: str, name: str) -> str:
    """The server's own database: nobody can rename the one he is connected to. Raises RollbackRefused."""
    if name in ("", "postgres", "template0", "template1"):
        raise RollbackRefused(f"{name or 'a URL without a database'}: name the database of Watchkeep")
    return make_conninfo(url, dbname="postgres")
