"""The schema: migrations run twice without harm, agree with schema.sql, and every table names its sole writer."""

import os
import re
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests import servers
from watchkeep_core.database import connect
from watchkeep_core.schema import dictionary, dump
from watchkeep_core.schema.migrate import migrate, pending, storage

SCHEMA = files("watchkeep_core.schema")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty_database(postgres_url):
    name = f"watchkeep_empty_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        conn.execute(f"CREATE DATABASE {name}")
        yield make_conninfo(postgres_url, dbname=name)
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_migrations_run_twice_without_harm(empty_database):
    first = migrate(empty_database)
    assert first == sorted(first)
    assert len(first) >= 7
    assert migrate(empty_database) == []
    assert pending(empty_database) == []
    assert storage(empty_database).startswith("plain PostgreSQL")


def test_schema_file_and_migrations_agree(database, empty_database, pg_dump):
    """Both ways lead to the same database, and the committed file is what the migrations give."""
    with connect(database.admin_url, "test") as conn:
        conn.execute("ALTER ROLE watchkeep_ingest CONNECTION LIMIT -1")  # moves it in the catalogue
    migrated = dump.schema(database.admin_url, pg_dump)
    assert migrated == (SCHEMA / "schema.sql").read_text(encoding="utf-8"), "run `make schema`"
    dump.load(empty_database)
    assert dump.schema(empty_database, pg_dump) == migrated


@pytest.mark.slow
@pytest.mark.parametrize("server", servers.OTHER_SERVERS)
def test_migrations_run_on(server):
    with servers.start(server) as url:
        name = f"watchkeep_other_{os.getpid()}"
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            conn.execute(f"CREATE DATABASE {name}")
        target = make_conninfo(url, dbname=name)
        try:
            assert migrate(target)
            assert migrate(target) == []
            assert ("timescaledb" in storage(target)) == server.startswith("timescale")
            with psycopg.connect(target) as conn:
                conn.execute("SELECT make_reading_partitions(ARRAY[date '2026-01-01', '2026-01-02'])")
                conn.execute(
                    "INSERT INTO readings VALUES (1, '2026-01-01 12:00Z', 1.5, 0), (1, '2026-01-02 12:00Z', 2, 0)"
                )
                conn.execute("SELECT dropped FROM drop_expired('raw', '2026-01-02', 9)")
                assert conn.execute("SELECT value FROM readings").fetchall() == [(2.0,)]
        finally:
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_files_are_named_by_utc_timestamp():
    for path in Path(str(SCHEMA / "migrations")).glob("*.sql"):
        assert re.fullmatch(r"\d{14}_[a-z_]+\.sql", path.name)


def test_every_table_names_its_writer(database):
    with psycopg.connect(database.admin_url) as conn:
        rows = conn.execute(
            "SELECT relname, obj_description(oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND NOT relispartition AND relname !~ '^_?yoyo'"
        ).fetchall()
    assert len(rows) > 40
    assert [name for name, comment in rows if "Writer:" not in (comment or "") and name not in ("people",)] == []


def test_partitions_are_made_once_and_dropped_by_day(database):
    with psycopg.connect(database.url("watchkeep_ingest")) as conn:
        made = "SELECT make_reading_partitions(ARRAY[date '2026-03-01', '2026-03-02'])"
        assert conn.execute(made).fetchone() == (2,)
        assert conn.execute(made).fetchone() == (0,)
        conn.execute("INSERT INTO readings VALUES (1, '2026-03-01 23:59:59.999Z', 1, 0), (1, '2026-03-02Z', 2, 0)")
        assert conn.execute("SELECT dropped, kept FROM drop_expired('raw', '2026-03-02', 9)").fetchone() == (1, 0)
        assert conn.execute("SELECT value FROM readings").fetchall() == [(2.0,)]


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [("{}", -1), ("{[1,5)}", -1), ("{[0,1)}", 0), ("{[0,5),[7,9)}", 4)],
)
def test_contiguous_seq(database, ranges, expected):
    with psycopg.connect(database.admin_url) as conn:
        assert conn.execute("SELECT contiguous_seq(%s::int8multirange)", [ranges]).fetchone() == (expected,)


def test_the_gap_ledger_is_exact(database):
    with psycopg.connect(database.admin_url) as conn:
        conn.execute(
            "INSERT INTO progress (community_id, gateway_id, lane, epoch, received, lost)"
            " VALUES ('c', 'g', 'data', 'e', '{[3,5),[7,9)}', '{[0,2)}')"
        )
        rows = conn.execute("SELECT state, first_seq, last_seq FROM gaps ORDER BY first_seq").fetchall()
    assert rows == [("lost", 0, 1), ("missing", 2, 2), ("missing", 5, 6)]


def test_the_data_dictionary_is_that_of_the_schema(database, pg_dump):
    del pg_dump  # another server than the embedded one may have functions and types of its own
    with connect(database.admin_url, "dictionary") as conn:
        written = dictionary.page(conn)
    assert (ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8") == written, "run `make schema`"
