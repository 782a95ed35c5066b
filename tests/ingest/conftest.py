"""Fixtures of ingest's tests: one database for all of them, emptied between."""

import os
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.conftest import Database
from tests.ingest.world import World

_EMPTY = """TRUNCATE readings, events, progress, aliases, gateway_status, batches, parked, quarantine, dead_letters,
    ingest_accounts, replay_watermarks, device_clocks, gap_recoveries, rows_outbox, areas,
    organisations RESTART IDENTITY CASCADE"""


@pytest.fixture(scope="session")
def shared_database(postgres_url: str, template: str) -> Iterator[Database]:
    """Cloned once: cloning costs several times what emptying does."""
    name = f"watchkeep_ingest_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        yield Database(make_conninfo(postgres_url, dbname=name))
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def estate(shared_database: Database) -> Database:
    """A database that holds the small estate and nothing else."""
    with psycopg.connect(shared_database.admin_url, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")  # append-only tables refuse even this otherwise
        conn.execute(_EMPTY)
    return shared_database


@pytest.fixture
def world(estate: Database) -> Iterator[World]:
    """Two writers, fed by hand."""
    made = World(estate.url("watchkeep_ingest"), estate.admin_url)
    yield made
    made.close()
