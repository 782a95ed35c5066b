"""Fixtures every part may use: a real PostgreSQL, one database per test cloned from a migrated template."""

import itertools
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests import servers
from watchkeep_cli import ports
from watchkeep_cli.postgres import start_postgres
from watchkeep_core.schema.migrate import migrate

# The same examples each time, and no clock: a test must not fail once in a hundred runs, nor on a busy machine.
# To look for more: pytest --hypothesis-profile=search tests/core
_UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", _UNHURRIED, derandomize=True)
settings.register_profile("search", _UNHURRIED, max_examples=2_000)
settings.load_profile("steady")

# Each worker of xdist has ports of its own: one that is chosen and not yet listened on must not be chosen by another.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
ports._RANGE = range(20_000 + 3_000 * (_worker % 4), 23_000 + 3_000 * (_worker % 4))

_LOG_SHOWN = 3_000
"""Characters of a failed test's output and log: the last say what went wrong, and all failures are to be read in CI."""

_TEMPLATE = "watchkeep_template"
_numbers = itertools.count()
_IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass(frozen=True)
class Database:
    """One database of a test."""

    admin_url: str

    def url(self, login: str) -> str:
        """The URL of a service login, e.g. `watchkeep_ingest`."""
        return make_conninfo(self.admin_url, user=login, password=_PASSWORD)


_PASSWORD = "only-in-tests"


def pytest_sessionstart(session: pytest.Session) -> None:
    """The list of failures at the end gives their reasons, which 80 columns would cut off."""
    if session.config.pluginmanager.has_plugin("terminalreporter") and not sys.stdout.isatty():
        session.config.get_terminal_writer().fullwidth = 240


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    report.sections = [(name, text[-_LOG_SHOWN:]) for name, text in report.sections]
    return report


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Administrator's URL of a server: WATCHKEEP_TEST_DATABASE_URL, else an embedded one for this test process.

    Its data is not in pytest's own folder: another pytest run would take the server's user the right to enter it. It is
    in memory where that can be had: a clone of the template takes 17 ms there, 320 ms on disk (measured).
    """
    given = os.environ.get("WATCHKEEP_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with (
        tempfile.TemporaryDirectory(prefix="watchkeep-postgres-", dir=_IN_MEMORY) as folder,
        start_postgres(Path(folder)) as server,
    ):
        yield server.admin_url


@pytest.fixture(scope="session")
def pg_dump(postgres_url: str) -> Path:
    """A pg_dump of the server's version."""
    tool = servers.embedded_binary("pg_dump")
    with psycopg.connect(postgres_url) as conn:
        if conn.info.server_version // 10000 != servers.EMBEDDED_MAJOR:
            pytest.skip("the server is not the embedded one, whose pg_dump we have")
    return tool


@pytest.fixture(scope="session")
def template(postgres_url: str) -> str:
    """Name of a migrated database to clone."""
    name = f"{_TEMPLATE}_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    admin = make_conninfo(postgres_url, dbname=name)
    migrate(admin)
    with psycopg.connect(admin, autocommit=True) as conn:
        for login in (
            "watchkeep_ingest",
            "watchkeep_analytics",
            "watchkeep_dispatch",
            "watchkeep_console",
            "grafana_ro",
        ):
            conn.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(login), sql.Literal(_PASSWORD)))
    return name


@pytest.fixture
def database(postgres_url: str, template: str) -> Iterator[Database]:
    """A fresh migrated database, dropped after the test."""
    name = f"watchkeep_test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        yield Database(make_conninfo(postgres_url, dbname=name))
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def recorded_data() -> Path:
    """The folder of recorded series (see WATCHKEEP_TEST_DATA in the Makefile); skips where it is not there."""
    folder = Path(os.environ.get("WATCHKEEP_TEST_DATA", "../shared/data"))
    if not (folder / "nab").is_dir():
        pytest.skip(f"no recorded series at {folder} (set WATCHKEEP_TEST_DATA)")
    return folder
