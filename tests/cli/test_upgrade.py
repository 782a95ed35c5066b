"""Upgrade from what an earlier version left, the way back, and the drill of backup and restore under load."""

import hashlib
import itertools
import json
import os
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from yoyo import get_backend, read_migrations

from tests import servers
from tests.conftest import Database
from tests.ingest.world import LIVE, World, birth, data, event
from watchkeep_cli import backup as backups
from watchkeep_cli.client_tools import ToolFailed, ToolMissing
from watchkeep_cli.upgrade import RollbackRefused, rollback, upgrade
from watchkeep_core.database import OWNER, connect
from watchkeep_core.schema.migrate import _yoyo_uri, migrate, pending, set_password
from watchkeep_dispatch.notify.jobs import install_jobs
from watchkeep_ingest.accounts import audit

STATES = sorted(path.parent for path in (Path(__file__).parents[1] / "upgrade").glob("*/rows.sql"))
NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
ASIDE = "20261122t083000z"
_numbers = itertools.count()

PASSWORD = "only-in-tests"
JOBS: LiteralString = """SELECT proc_name, owner, scheduled, schedule_interval, hypertable_name
    FROM timescaledb_information.jobs WHERE job_id >= 1000 ORDER BY job_id"""
CHUNKS: LiteralString = """SELECT hypertable_name, range_start FROM timescaledb_information.chunks
    WHERE is_compressed AND range_start < '2026-11-20' ORDER BY 1, 2"""

Rows = dict[str, Counter[str]]
"""Table → its rows as JSON."""


@pytest.fixture(params=["embedded", "timescaledb-given"])
def empty(request: pytest.FixtureRequest) -> Iterator[str]:
    """A new database, on plain PostgreSQL and on TimescaleDB community."""
    if request.param == "embedded":
        yield from new_database(request.getfixturevalue("postgres_url"))
        return
    with servers.start(request.param) as url:
        yield from new_database(url)


def new_database(server: str) -> Iterator[str]:
    name = f"watchkeep_upgrade_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield make_conninfo(server, dbname=name)
        for one in (name, f"{name}_{ASIDE}"):
            conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(one)))


def as_left_by(state: Path, url: str) -> None:
    """The database as that version left it: its migrations, then its rows."""
    last = (state / "migrations.txt").read_text(encoding="utf-8").split()[-1]
    schema = files("watchkeep_core.schema")
    with psycopg.connect(url) as conn:
        conn.execute((schema / "bootstrap.sql").read_bytes())
    with as_file(schema / "migrations") as folder, open_backend(url) as backend, backend.lock():
        known = backend.to_apply(read_migrations(str(folder)))
        backend.apply_migrations(known.filter(lambda migration: migration.id <= last))
    text = (state / "rows.sql").read_text(encoding="utf-8")
    with psycopg.connect(url) as conn:
        community = one(conn, "SELECT storage_backend()") == "community"
        conn.execute((without_rollups(text) if community else text).encode())
    if community:
        use_the_columnstore(url)
        set_password(url, "watchkeep_ingest", PASSWORD)  # the template of the embedded server has done that


def without_rollups(text: str) -> str:
    """What TimescaleDB community does by itself: chunks, and rollups of which no part is ours."""
    text = re.sub(r"^CREATE TABLE .* PARTITION OF .*;$", "", text, flags=re.MULTILINE)
    text = re.sub(r'^DELETE FROM "readings_(?:minute|hour)";\n(?:.*\n)*?]\$rows\$\);$', "", text, flags=re.MULTILINE)
    return text + "UPDATE storage_levels SET sealed_until = NULL, rolled_until = NULL;"


def use_the_columnstore(url: str) -> None:
    """An older day in it, a batch compressed while it was copied, and rollups of both."""
    with connect(url, "test", role=OWNER, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO readings SELECT s, t, extract(epoch FROM t)::bigint % 97, 0 FROM generate_series(1, 6) s,"
            " generate_series('2026-11-18T10:00:00Z'::timestamptz, '2026-11-18T12:00:00Z', '10 s') t"
        )
        conn.execute("SELECT compress_chunk(c) FROM show_chunks('readings', older_than => '2026-11-20'::timestamptz) c")
        with conn.transaction():
            conn.execute("SET LOCAL timescaledb.enable_direct_compress_copy = on")
            with conn.cursor() as cursor, cursor.copy("COPY readings FROM STDIN") as copy:
                for n in range(200):
                    copy.write_row((1, datetime(2026, 11, 19, 10, tzinfo=UTC) + timedelta(seconds=10 * n), n, 0))
        conn.execute(
            "INSERT INTO rollup_series VALUES (1, true, true, false, 10, NULL), (2, false, true, true, 60, NULL)"
            " ON CONFLICT (series_id) DO UPDATE SET minute = excluded.minute, hour = excluded.hour"
        )
        conn.execute("CALL refresh_rollups(0, '{}')")


@contextmanager
def open_backend(url: str) -> Iterator[Any]:
    backend = get_backend(_yoyo_uri(url))
    yield backend
    backend.connection.close()


def rows(url: str, columns: dict[str, list[str]] | None = None) -> Rows:
    """All rows of all tables; with `columns`, only those. Without marks that a job of TimescaleDB works off."""
    found = {}
    with psycopg.connect(url) as conn:
        left_out = {"rollup_dirty"} if one(conn, "SELECT storage_backend()") == "community" else set()
        for name, names in (columns or columns_of(conn)).items():
            if name in left_out:
                continue
            fields = sql.SQL(", ").join(map(sql.Identifier, names))
            query = sql.SQL("SELECT row_to_json(r) FROM (SELECT {} FROM {}) r").format(fields, sql.Identifier(name))
            found[name] = Counter(json.dumps(row, sort_keys=True) for (row,) in conn.execute(query))
    return found


def columns_of(conn: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Tables; TimescaleDB's continuous aggregates are such views."""
    query = """SELECT relname, array_agg(attname::text ORDER BY attnum)
        FROM pg_class c JOIN pg_attribute ON attrelid = c.oid
        WHERE relnamespace = 'public'::regnamespace AND NOT relispartition AND attnum > 0
        AND (relkind IN ('r', 'p') OR relname IN ('readings_minute', 'readings_hour'))
        AND NOT attisdropped AND relname !~ 'yoyo' GROUP BY relname"""
    return {str(name): list(columns) for name, columns in conn.execute(query)}


def columnstore(url: str) -> dict[str, list[Any]]:
    """What TimescaleDB does with the tables by itself; nothing on plain PostgreSQL."""
    with psycopg.connect(url) as conn:
        if one(conn, "SELECT storage_backend()") != "community":
            return {}
        return {
            name: conn.execute(query).fetchall()
            for name, query in (
                ("jobs", JOBS),
                ("chunks", CHUNKS),
                (
                    "aggregates",
                    "SELECT view_name, materialized_only FROM timescaledb_information.continuous_aggregates",
                ),
            )
        }


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_a_migration_that_was_released_is_never_changed(state):
    folder = files("watchkeep_core.schema") / "migrations"
    for line in (state / "migrations.txt").read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / f"{name}.sql").read_bytes()).hexdigest() == digest, name


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
@pytest.mark.usefixtures("template")  # gives the logins their passwords
def test_an_upgrade_keeps_every_row_and_the_way_back_leads_to_what_was(state, empty, tmp_path):
    as_left_by(state, empty)
    with psycopg.connect(empty) as conn:
        columns = columns_of(conn)
    before, kept_by_server = rows(empty, columns), columnstore(empty)
    assert {name for name, found in before.items() if not found} == set(), "each table of a state has a row"
    assert all(kept_by_server.values()), kept_by_server

    done = upgrade(empty, tmp_path, NOW)
    assert done.applied
    assert done.backup is not None
    assert done.backup == tmp_path / "20261122T083000Z-before-upgrade.dump"
    assert pending(empty) == []
    install_jobs(empty)
    kept = rows(empty, columns)
    assert {name: before[name] - kept[name] for name in before if before[name] - kept[name]} == {}
    with connect(empty, "test") as conn:
        lanes: Any = audit(conn)["lanes"]  # its other tables hold made-up rows
        assert lanes
        assert all(lane["messages_ok"] and lane["readings_ok"] for lane in lanes.values())
    assert upgrade(empty, tmp_path, NOW).applied == []  # nor is there a second backup
    world = World(Database(empty).url("watchkeep_ingest"), empty)
    world.feed(world.message(LIVE, birth()))
    world.feed(world.message(LIVE, data([41.5]), 0))
    assert world.last_ack() == 0
    world.close()
    stored_since = rows(empty, columns)

    answer = rollback(empty, done.backup, 1, NOW)
    assert answer["kept"] == f"{conninfo_to_dict(empty)['dbname']}_{ASIDE}"
    with psycopg.connect(empty) as conn:
        assert columns_of(conn) == columns
    assert rows(empty, columns) == before
    assert columnstore(empty) == kept_by_server
    assert rows(make_conninfo(empty, dbname=str(answer["kept"])), columns) == stored_since
    assert pending(empty) == done.applied


@pytest.mark.slow
def test_without_a_backup_nothing_is_migrated(empty, tmp_path, monkeypatch):
    as_left_by(STATES[0], empty)
    missing = pending(empty)

    def no_tool(*_: object) -> None:
        raise ToolMissing("pg_dump is not installed")

    monkeypatch.setattr(backups, "backup", no_tool)
    with pytest.raises(ToolMissing):
        upgrade(empty, tmp_path, NOW)
    assert pending(empty) == missing


@pytest.fixture(params=["embedded", "timescaledb-given"])
def in_use(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A migrated database, on plain PostgreSQL and on TimescaleDB community."""
    if request.param == "embedded":
        yield request.getfixturevalue("database")
        return
    with servers.start(request.param) as server:
        for url in new_database(server):
            migrate(url)
            set_password(url, "watchkeep_ingest", PASSWORD)
            yield Database(url)


@pytest.mark.slow
def test_what_came_after_the_backup_is_told_as_lost_to_the_exact_message_and_gateways_go_on(in_use, tmp_path):
    """The drill of docs/operate.md: backup under load, services stopped, back to it, and on with new messages."""
    world = World(in_use.url("watchkeep_ingest"), in_use.admin_url)
    world.feed(world.message(LIVE, birth()))
    world.feed(world.message(LIVE, event("entrapment"), 0))
    sent, enough, stop = itertools.count(), threading.Event(), threading.Event()
    feeder = threading.Thread(target=feed, args=(world, sent, enough, stop))
    feeder.start()
    assert enough.wait(60)
    file = tmp_path / "under-load.dump"
    backups.backup(in_use.admin_url, file, 1, None)
    with pytest.raises(RollbackRefused, match="stop the services first; connected: watchkeep-test"):
        rollback(in_use.admin_url, file, 1, NOW)
    stop.set()
    feeder.join(60)
    world.close()
    next_seq = next(sent)
    assert world.last_ack() == next_seq - 1

    answer = rollback(in_use.admin_url, file, 1, NOW)
    aside = str(answer["kept"])
    try:
        with psycopg.connect(in_use.admin_url) as conn:
            known = one(conn, "SELECT contiguous_seq(received) FROM progress WHERE lane = 'data'")
        assert 0 < known < next_seq
        assert len(world.values()) == known + 1
        world.restart()
        world.feed(world.message(LIVE, data([1.5], floor=known), known))  # the broker may deliver it once more
        world.feed(world.message(LIVE, data([9.5], floor=next_seq), next_seq))
        assert world.audit()["ok"]
        assert world.counts()["duplicate"] == 1
        lost = world.rows("SELECT state, first_seq, last_seq FROM gaps WHERE lane = 'data'")
        assert lost == ([("lost", known + 1, next_seq - 1)] if known < next_seq - 1 else [])
        assert world.last_ack() == next_seq
        assert world.values()[-1] == 9.5
        world.close()
        with psycopg.connect(make_conninfo(in_use.admin_url, dbname=aside)) as conn:  # kept, to look things up in
            assert one(conn, "SELECT count(*) FROM readings") == next_seq
    finally:
        with psycopg.connect(in_use.admin_url, autocommit=True) as conn:
            conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(aside)))


def feed(world: World, sent: "itertools.count[int]", enough: threading.Event, stop: threading.Event) -> None:
    """One reading per message, each committed and acknowledged, until the stop and a little beyond the backup."""
    more = 5
    while not stop.is_set() or (more := more - 1):
        seq = next(sent)
        world.feed(world.message(LIVE, data([float(seq)]), seq))
        if seq == 10:
            enough.set()


def one(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.slow
def test_a_rollback_that_fails_leaves_everything_as_it_was(database, tmp_path):
    bad = tmp_path / "no.dump"
    bad.write_text("this is no backup")
    with psycopg.connect(database.admin_url) as conn:
        conn.execute("INSERT INTO areas (area_id, kind, name, path) VALUES ('a', 'city', 'A', '{a}')")
    with pytest.raises(ToolFailed, match=r"no\.dump"):
        rollback(database.admin_url, bad, 1, NOW)
    with psycopg.connect(database.admin_url) as conn:
        assert one(conn, "SELECT count(*) FROM areas") == 1
    with pytest.raises(RollbackRefused, match="no such backup"):
        rollback(database.admin_url, tmp_path / "missing", 1, NOW)
    with pytest.raises(RollbackRefused, match="name the database"):
        rollback(make_conninfo(database.admin_url, dbname="postgres"), bad, 1, NOW)


@pytest.mark.slow
def test_hypertables_and_the_sessions_of_timescaledb_are_no_obstacle(tmp_path):
    """TimescaleDB Apache; the community edition takes the tests above."""
    with servers.start("timescaledb-apache") as admin:
        with psycopg.connect(admin, autocommit=True) as conn:
            conn.execute("CREATE DATABASE watchkeep_hyper")
        url = make_conninfo(admin, dbname="watchkeep_hyper")
        migrate(url)
        tools = tools_of_the_tree(tmp_path)
        store(url, 1)
        backups.backup(url, tmp_path / "hyper.dump", 1, tools)
        store(url, 2)
        answer = rollback(url, tmp_path / "hyper.dump", 1, NOW, tools)
        store(url, 3)
        assert stored(url) == [1, 3]
        assert stored(make_conninfo(url, dbname=str(answer["kept"]))) == [1, 2]


def tools_of_the_tree(folder: Path) -> Path:
    """The client programs of that server, run with the libraries of its own tree."""
    tree = servers.TIMESCALE_TREE
    for name in ("pg_dump", "pg_restore"):
        command = f"{tree}/lib64/ld-linux-x86-64.so.2 --library-path {tree}/usr/lib/x86_64-linux-gnu"
        (folder / name).write_text(f'#!/bin/sh\nexec {command} {tree}/usr/lib/postgresql/17/bin/{name} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


def store(url: str, value: int) -> None:
    with psycopg.connect(url) as conn:
        conn.execute(
            "INSERT INTO readings VALUES (1, '2026-01-01Z'::timestamptz + %s * interval '1 day', %s, 0)", [value] * 2
        )


def stored(url: str) -> list[float]:
    with psycopg.connect(url) as conn:
        return [value for (value,) in conn.execute("SELECT value FROM readings ORDER BY ts")]
