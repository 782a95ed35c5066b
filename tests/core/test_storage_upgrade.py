"""From the schema before the rollups, with readings in it: nothing is lost, and the history is rolled up."""

import os
from datetime import UTC, datetime, timedelta
from importlib.resources import as_file, files

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from yoyo import get_backend, read_migrations

from tests import servers
from tests.core.test_storage import World, brute_force, floor, series_of
from watchkeep_core.schema.migrate import _yoyo_uri, migrate, pending

LAST_BEFORE = "20261122090600_wall"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def migrate_to_the_schema_before(url: str) -> None:
    schema = files("watchkeep_core.schema")
    with psycopg.connect(url) as conn:
        conn.execute((schema / "bootstrap.sql").read_bytes())
    with as_file(schema / "migrations") as folder:
        backend = get_backend(_yoyo_uri(url))
        with backend.lock():
            every = backend.to_apply(read_migrations(str(folder)))
            backend.apply_migrations(every.filter(lambda migration: migration.id <= LAST_BEFORE))
        backend.connection.close()


@pytest.mark.slow
@pytest.mark.parametrize("server", ["embedded", *servers.OTHER_SERVERS])
def test_history_is_rolled_up_after_the_migration(server, request):
    if server == "embedded":
        _upgrade(server, request.getfixturevalue("postgres_url"))
        return
    with servers.start(server) as url:
        _upgrade(server, url)


def _upgrade(server: str, admin_url: str) -> None:
    name = f"watchkeep_upgrade_{os.getpid()}"
    with psycopg.connect(admin_url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        conn.execute(f"CREATE DATABASE {name}")
    url = make_conninfo(admin_url, dbname=name)
    try:
        migrate_to_the_schema_before(url)
        now = floor(datetime.now(UTC), HOUR) + 20 * MINUTE
        rows = series_of(1, now - 30 * HOUR, 10, 10_790) + series_of(1, now - 20 * 24 * HOUR, 10, 500)
        with psycopg.connect(url) as conn:
            conn.execute("INSERT INTO areas (area_id, kind, name, path) VALUES ('a', 'city', 'A', '{a}')")
            conn.execute("INSERT INTO communities (community_id, name, area_id) VALUES ('c', 'C', 'a')")
            conn.execute(
                "INSERT INTO equipment (community_id, equipment_id, kind, name) VALUES ('c', 'e', 'elevator', 'E')"
            )
            conn.execute(
                "INSERT INTO points (community_id, equipment_id, metric, unit, period_s, created_at)"
                " VALUES ('c', 'e', 'speed', 'm', 10, now() - interval '40 days')"
            )
            conn.execute("SELECT make_reading_partitions(%s)", [sorted({at.date() for _, at, _, _ in rows})])
            conn.cursor().executemany("INSERT INTO readings VALUES (%s, %s, %s, %s)", rows)
        assert migrate(url)
        assert pending(url) == []
        world = World(server, url)
        world.enrol()
        world.roll(now)
        assert world.stored_rows("readings", 1) == len(rows)
        assert world.rolled("minute", 1) == brute_force(rows, 1, MINUTE)
        assert world.rolled("hour", 1) == brute_force(rows, 1, HOUR)
        assert world.stored_rows("readings_hour", 1) >= 30
    finally:
        with psycopg.connect(admin_url, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
