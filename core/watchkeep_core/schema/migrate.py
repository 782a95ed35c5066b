"""Brings a database to the present schema: bootstrap (roles, extension), then the migrations, once each.

The tool is yoyo-migrations; it remembers in `_yoyo_migration` what it has applied, and locks.
"""

from importlib.resources import as_file, files
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from yoyo import get_backend, read_migrations

from watchkeep_core.database import OWNER, SERVICE_LOGINS, DatabaseRefused, connect

_SCHEMA = files("watchkeep_core.schema")


def migrate(admin_url: str) -> list[str]:
    """Apply what is missing; returns the names applied (empty when up to date).

    `admin_url` must be allowed to create roles, or the roles of bootstrap.sql must exist already.
    Raises DatabaseUnavailable, DatabaseRefused.
    """
    try:
        with connect(admin_url, "migrate") as conn:
            conn.execute((_SCHEMA / "bootstrap.sql").read_bytes())
        return _apply(admin_url)
    except psycopg.Error as error:
        raise DatabaseRefused(f"migration failed: {' '.join(str(error).split())}") from error


def pending(admin_url: str) -> list[str]:
    """Names of the migrations that `migrate` would apply."""
    with as_file(_SCHEMA / "migrations") as folder:
        backend = get_backend(_yoyo_uri(admin_url))
        try:
            return [migration.id for migration in backend.to_apply(read_migrations(str(folder)))]
        finally:
            backend.connection.close()


def set_password(admin_url: str, login: str, password: str) -> None:
    """Give one of our service logins its password. Raises ValueError for any other role."""
    if login not in SERVICE_LOGINS:
        raise ValueError(f"{login} is not a login of Watchkeep: {', '.join(SERVICE_LOGINS)}")
    with connect(admin_url, "passwords") as conn:
        conn.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(password)))


def storage(admin_url: str) -> str:
    """What holds the readings: `timescaledb VERSION (community|apache)` or `plain PostgreSQL VERSION`."""
    with connect(admin_url, "status") as conn:
        row = conn.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
        if row is None:
            return f"plain PostgreSQL {conn.info.parameter_status('server_version')}"
        licence = conn.execute("SELECT current_setting('timescaledb.license', true)").fetchone()
        edition = "community" if licence == ("timescale",) else "apache"
        return f"timescaledb {row[0]} ({edition})"


def _apply(admin_url: str) -> list[str]:
    with as_file(_SCHEMA / "migrations") as folder:
        backend = get_backend(_yoyo_uri(admin_url))
        try:
            with backend.lock():
                wanted = backend.to_apply(read_migrations(str(Path(folder))))
                backend.apply_migrations(wanted)
                return [migration.id for migration in wanted]
        finally:
            backend.connection.close()


def _yoyo_uri(url: str) -> str:
    """yoyo's URI of the same database, taking on the owner's role so that all objects are the owner's."""
    parts = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    user, password = parts.pop("user", ""), parts.pop("password", "")
    database = parts.pop("dbname", "")
    parts["options"] = f"-c role={OWNER}"
    login = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    at = "@" if login else ""
    return f"postgresql+psycopg://{login}{at}/{quote(database, safe='')}?{urlencode(parts, quote_via=quote)}"
