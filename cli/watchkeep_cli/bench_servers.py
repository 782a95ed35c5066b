"""What a bench runs on: a folder of its own, a server with a migrated database, logins of the services."""

import importlib
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from watchkeep_cli.postgres import EmbeddedPostgres, start_postgres
from watchkeep_core.schema.migrate import migrate, set_password


@contextmanager
def folder() -> Iterator[Path]:
    """Gone with all that is in it at the end."""
    with tempfile.TemporaryDirectory(prefix="watchkeep-bench-") as name:
        yield Path(name)


@contextmanager
def server() -> Iterator[EmbeddedPostgres]:
    """An embedded server with a migrated database."""
    with folder() as place, start_postgres(place / "postgres") as postgres:
        migrate(postgres.admin_url)
        yield postgres


@contextmanager
def database(admin_url: str | None) -> Iterator[str]:
    """A migrated database: one of its own on that server, dropped at the end, else that of an embedded server."""
    if admin_url is not None:
        with importlib.import_module("watchkeep_ingest.bench.lab").scratch_database(admin_url) as url:
            yield url
        return
    with server() as postgres:
        yield postgres.admin_url


def login(postgres: EmbeddedPostgres, part: str) -> str:
    """libpq URL of a part's login, which gets a password of its own."""
    password = secrets.token_urlsafe(24)
    set_password(postgres.admin_url, f"watchkeep_{part}", password)
    return postgres.url(f"watchkeep_{part}", password)
