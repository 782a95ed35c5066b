"""PostgreSQL through psycopg 3: connections, a pool, and the errors an operator sees.

DatabaseError (WatchkeepError)
├── DatabaseUnavailable   cannot be reached, or went away (transient)
└── DatabaseRefused       reached, but login, database or schema is wrong (permanent)
"""

import re
import select
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from watchkeep_core.errors import PermanentError, TransientError

CONNECT_TIMEOUT_S = 5
OWNER = "watchkeep_owner"
SERVICE_LOGINS = (
    "watchkeep_ingest",
    "watchkeep_analytics",
    "watchkeep_dispatch",
    "watchkeep_console",
    "grafana_ro",
)

_AS_PERSON = sql.SQL("BEGIN; SELECT set_config('watchkeep.person_id', {}, true)")


class DatabaseUnavailable(TransientError):
    """The database cannot be reached, or went away."""


class DatabaseRefused(PermanentError):
    """The database answered, but the login, the database or the schema is wrong."""


def connect(url: str, application: str, *, autocommit: bool = False, role: str | None = None) -> Connection:
    """One connection; UTC, named `application` in pg_stat_activity.

    `role` is taken on for the whole session (`OWNER` for an administrator's work).
    Raises DatabaseUnavailable or DatabaseRefused, with a text that names the server and never the password.
    """
    try:
        return psycopg.connect(
            url,
            autocommit=autocommit,
            application_name=f"watchkeep-{application}",
            connect_timeout=CONNECT_TIMEOUT_S,
            options=_options(role),
        )
    except psycopg.OperationalError as error:
        raise explain(url, error) from None
    except psycopg.ProgrammingError:  # its text would show the URL, password and all
        raise DatabaseRefused("the database URL is not a libpq URL: postgresql://login@host:port/database") from None


def open_pool(
    url: str, application: str, *, min_size: int = 1, max_size: int = 4, autocommit: bool = False
) -> ConnectionPool[Connection]:
    """A pool that has proven it can connect. Raises as `connect` does."""
    connect(url, application).close()
    return ConnectionPool(
        url,
        kwargs={
            "application_name": f"watchkeep-{application}",
            "connect_timeout": CONNECT_TIMEOUT_S,
            "options": _options(None),
            "autocommit": autocommit,
        },
        min_size=min_size,
        max_size=max_size,
        check=_alive,
        name=application,
        open=True,
    )


def _alive(conn: Connection) -> None:
    """Refuse a connection that the server has ended, before it is used; raises psycopg.OperationalError.

    The server says so on the wire when it ends one, so a connection on which nothing waits to be read is taken as it
    is: asking the server each time was one round trip of four in every read of the console.
    """
    ready = select.poll()  # select.select ends at descriptor 1024
    ready.register(conn.fileno(), select.POLLIN)
    if ready.poll(0):
        ConnectionPool.check_connection(conn)


def reachable(url: str, application: str) -> bool:
    """For health checks: can a connection be had now."""
    try:
        connect(url, application).close()
    except (DatabaseUnavailable, DatabaseRefused):
        return False
    return True


@contextmanager
def as_person(pool: ConnectionPool[Connection], person_id: str) -> Iterator[Connection]:
    """A transaction under the identity of one person: row-level security shows what that person may see.

    `pool` is one with autocommit, where psycopg begins no transaction of its own.
    """
    with pool.connection() as conn:  # which ends the transaction, too
        conn.execute(_AS_PERSON.format(person_id), prepare=False)  # two statements in one round trip
        yield conn


def server_name(url: str) -> str:
    """Host, port and database for messages: never the password."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "the configured database URL"
    return f"{parts.get('host') or 'localhost'}:{parts.get('port') or 5432}/{parts.get('dbname') or ''}"


def explain(url: str, error: psycopg.OperationalError) -> DatabaseUnavailable | DatabaseRefused:
    """The operator's error for a failed connection."""
    reason = " ".join(str(error).split())
    refused = "FATAL:" in reason and not re.search(r"FATAL: +(the database system is|sorry, too many)", reason)
    kind = DatabaseRefused if refused else DatabaseUnavailable
    return kind(f"database {server_name(url)}: {reason}")


@cache
def queries(package: str, name: str) -> dict[str, sql.SQL]:
    """Named statements of a packaged SQL file: each begins with `-- name: NAME`."""
    text = (files(package) / name).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return {key: sql.SQL(body.strip()) for key, body in zip(parts[1::2], parts[2::2], strict=True)}


def _options(role: str | None) -> str:
    settings = "-c timezone=UTC"
    return f"{settings} -c role={role}" if role else settings
