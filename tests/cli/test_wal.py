"""How docs/operate.md loses nothing between backups: a receiver of the write-ahead log, and back from what it has."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.brokers import until
from watchkeep_cli.postgres import EmbeddedPostgres, start_postgres

pytestmark = pytest.mark.slow

RECEIVER = "watchkeep_wal"
PAGE = (Path(__file__).parents[2] / "docs" / "operate.md").read_text(encoding="utf-8")


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="watchkeep-postgres-") as found:
        yield Path(found)


def as_shown(program: str, server: EmbeddedPostgres, place: Path, number: int = 0) -> list[str]:
    """The page's own command, with our server and folders in it."""
    shown = re.findall(rf"^(?:on the other machine)? *({program} .*?)(?: +#.*)?$", PAGE, re.MULTILINE)[number]
    words = {"-D base": f"-D {place / 'base'}", "-D wal": f"-D {place / 'wal'}"}
    for old, new in words.items():
        shown = shown.replace(old, new)
    target = make_conninfo(server.admin_url, application_name=RECEIVER)
    command = [target if "$URL" in word else word for word in re.findall(r'"[^"]*"|\S+', shown)]
    return [str(server.binaries / command[0]), *command[1:]]


def ask(url: str, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as conn:
        cursor = conn.execute(text)
        return cursor.fetchall() if cursor.description else []


def test_a_server_that_is_killed_and_gone_has_lost_no_commit(place):
    with start_postgres(place / "server") as server:
        hba = place / "server" / "data" / "pg_hba.conf"
        hba.write_text(hba.read_text() + "host replication all 127.0.0.1/32 scram-sha-256\n")
        ask(server.admin_url, "SELECT pg_reload_conf()")
        ask(server.admin_url, "CREATE TABLE told (seq int)")
        (place / "wal").mkdir()
        subprocess.run(as_shown("pg_receivewal", server, place, 0), check=True, capture_output=True)
        receiver = subprocess.Popen(as_shown("pg_receivewal", server, place, 1), stderr=subprocess.DEVNULL)
        try:
            (names,) = re.findall(r"synchronous_standby_names = '(\w+)'", PAGE)
            ask(server.admin_url, f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
            ask(server.admin_url, "SELECT pg_reload_conf()")
            subprocess.run(as_shown("pg_basebackup", server, place), check=True, capture_output=True)
            until(lambda: ask(server.admin_url, "SELECT sync_state FROM pg_stat_replication") == [("sync",)])
            with psycopg.connect(server.admin_url, autocommit=True) as conn:
                for seq in range(300):
                    conn.execute("INSERT INTO told VALUES (%s)", [seq])
            os.kill(server.pid, signal.SIGKILL)
            until(lambda: not server.alive())
        finally:
            receiver.send_signal(signal.SIGINT)
            receiver.wait(30)
    shutil.rmtree(place / "server" / "data")

    base = place / "server" / "data"
    (place / "base").rename(base)
    (restore,) = re.findall(r"`restore_command = '(.*?)'`", PAGE)
    with (base / "postgresql.auto.conf").open("a") as file:
        file.write(f"restore_command = '{restore.replace('/…/wal', str(place / 'wal'))}'\n")
        file.write("synchronous_standby_names = ''\n")
    (base / "recovery.signal").touch()
    if os.geteuid() == 0:
        for path in (base, place / "wal"):
            subprocess.run(["chown", "-R", "pgserver", path], check=True)
        place.chmod(0o711)
    with start_postgres(place / "server") as server:
        assert ask(server.admin_url, "SELECT count(*), max(seq) FROM told") == [(300, 299)]
