"""`watchkeep db status|export|backup|restore` against a real server."""

import csv
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pyarrow.parquet as parquet
import pytest
from psycopg.conninfo import make_conninfo

from tests import servers
from tests.core.test_storage import World as StorageWorld
from tests.core.test_storage import brute_force, series_of
from tests.ingest.world import LIVE, World, birth, data, now_ms
from watchkeep_cli import client_tools
from watchkeep_cli.client_tools import ToolMissing
from watchkeep_core.schema.migrate import migrate

DAY_MS = 86_400_000
_numbers = itertools.count()


def watchkeep(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("WATCHKEEP_")}
    command = [sys.executable, "-m", "watchkeep_cli", "db", *arguments]
    environ |= {"WATCHKEEP_DB_ADMIN_URL": url}
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=100, check=False)


@pytest.fixture
def world(database):
    made = World(database.url("watchkeep_ingest"), database.admin_url)
    made.feed(made.message(LIVE, birth()))
    made.feed(made.message(LIVE, data([1.5, 2.5], t0=_midnight_ms() - 10), 0))  # 10 ms apart, over midnight
    made.feed(made.message(LIVE, data([3.5], alias=1, t0=_midnight_ms()), 1))
    yield made
    made.close()


def _midnight_ms() -> int:
    return now_ms() // DAY_MS * DAY_MS


@pytest.mark.slow
def test_status_for_people_and_for_scripts(world):
    shown = watchkeep(world.admin_url, "status")
    assert shown.returncode == 0, shown.stderr
    for word in ("plain", "raw", "minute", "hour", "90 d", "Why:", "Rollups:"):
        assert word in shown.stdout
    found = json.loads(watchkeep(world.admin_url, "status", "--json").stdout)
    assert found["pending"] == []
    assert found["backend"] == "plain"
    assert [level["level"] for level in found["levels"]] == ["raw", "minute", "hour"]
    assert found["levels"][0]["parts"] >= 2


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_export_writes_what_is_stored(world, tmp_path, form):
    file = tmp_path / f"readings.{form}"
    span = ("--from", "2026-01-01", "--to", "2100-01-01")
    done = watchkeep(world.admin_url, "export", str(file), "--equipment", "alpha/pump-1", *span, "--format", form)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 3
    if form == "csv":
        with file.open(encoding="utf-8", newline="") as source:
            rows = list(csv.DictReader(source))
    else:
        rows = parquet.read_table(file).to_pylist()
    found = sorted((row["metric"], float(row["value"]), int(row["quality"])) for row in rows)
    assert found == [("discharge_pressure", 1.5, 0), ("discharge_pressure", 2.5, 0), ("pump_frequency", 3.5, 0)]
    moments = {row["ts"] if form == "parquet" else datetime.fromisoformat(row["ts"]) for row in rows}
    assert datetime.fromtimestamp(_midnight_ms() / 1000, UTC) in moments
    assert {row["equipment"] for row in rows} == {"pump-1"}
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--community", "nowhere", "--from", "2026-01-01", "--to", "2026-02-01"), "nowhere"),
        (("--equipment", "alpha", "--from", "2026-01-01", "--to", "2026-02-01"), "COMMUNITY/EQUIPMENT"),
        (("--community", "alpha", "--from", "2026-01-01T08:00", "--to", "2026-02-01"), "time zone"),
        (("--community", "alpha", "--from", "2026-02-01", "--to", "2026-01-01"), "--to"),
    ],
)
def test_export_refuses_in_one_line_and_leaves_no_file(world, tmp_path, arguments, word):
    refused = watchkeep(world.admin_url, "export", str(tmp_path / "x.csv"), *arguments)
    assert refused.returncode == 1
    assert word in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_backup_restore_and_ingest_goes_on_without_duplicates(world, tmp_path):
    """What the gateway sends again after the restore is known; what is new is stored."""
    file = tmp_path / "all.dump"
    made = watchkeep(world.admin_url, "backup", str(file))
    assert made.returncode == 0, made.stderr
    before = _counts(world.admin_url)
    again = watchkeep(world.admin_url, "backup", str(file))
    assert (again.returncode, "never overwritten" in again.stderr) == (1, True)

    name = f"watchkeep_restored_{os.getpid()}"
    with psycopg.connect(world.admin_url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    target = make_conninfo(world.admin_url, dbname=name)
    try:
        done = watchkeep(target, "restore", str(file))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["pending"] == []
        assert _counts(target) == before
        twice = watchkeep(target, "restore", str(file))
        assert (twice.returncode, "not empty" in twice.stderr) == (1, True)

        restored = World.__new__(World)
        restored.ingest_url, restored.admin_url = make_conninfo(world.ingest_url, dbname=name), target
        restored.outbox, restored.acked, restored.stop, restored._topics = world.outbox, [], world.stop, []
        restored.restart()
        restored.feed(restored.message(LIVE, data([1.5, 2.5], t0=_midnight_ms() - 10), 0))
        restored.feed(restored.message(LIVE, data([9.5], t0=now_ms()), 2))
        assert sorted(restored.values()) == [1.5, 2.5, 3.5, 9.5]
        assert restored.counts()["duplicate"] == 1
        restored.close()
    finally:
        with psycopg.connect(world.admin_url, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _counts(url: str) -> dict[str, int]:
    """Rows of every table."""
    with psycopg.connect(url) as conn:
        names = conn.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        ).fetchall()
        found = {}
        for (name,) in names:
            row = conn.execute(f'SELECT count(*) FROM "{name}"').fetchone()
            assert row is not None
            found[name] = row[0]
    assert found["readings"] == 3
    return found


def test_a_missing_client_program_is_told_with_what_was_found(tmp_path):
    with pytest.raises(ToolMissing, match="pg_dump of PostgreSQL 99 is not installed"):
        client_tools.find("pg_dump", 99, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("server", ["postgresql-15", "timescaledb-given"])
def test_backup_and_restore_on(server, tmp_path):
    """Rollups, chunks and jobs come back, and what is stored afterwards is rolled up."""
    now = datetime.now(UTC)
    with servers.start(server) as admin, database_on(server, admin) as target, database_on(server, admin) as empty:
        world = StorageWorld(server, target)
        migrate(target)
        (point,) = world.points(10)
        rows = series_of(point, now - timedelta(hours=3), 10, 1000)
        world.store(rows)
        world.roll(now)
        made = watchkeep(target, "backup", str(tmp_path / "b"), "--jobs", "2")
        assert made.returncode == 0, made.stderr
        done = watchkeep(empty, "restore", str(tmp_path / "b"), "--jobs", "2")
        assert done.returncode == 0, done.stderr
        restored = StorageWorld(server, empty)
        assert restored.stored_rows("readings", point) == 1000
        assert restored.rolled("minute", point) == world.rolled("minute", point)
        more = series_of(point, now - timedelta(hours=9), 10, 100)
        restored.store(more)
        restored.roll(now)
        assert restored.rolled("hour", point) == brute_force(rows + more, point, timedelta(hours=1))


@contextmanager
def database_on(server: str, admin: str) -> Iterator[str]:
    name = f"watchkeep_backup_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}")
    yield make_conninfo(admin, dbname=name)
    with psycopg.connect(admin, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
