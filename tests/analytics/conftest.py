"""A migrated database with a small estate, emptied between tests."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from tests.conftest import Database
from watchkeep_core import estate as e
from watchkeep_core.database import OWNER, connect

_EMPTY = (
    "readings",
    "events",
    "batches",
    "gateway_status",
    "detector_states",
    "device_clocks",
    "quarantine",
    "detection_rules",
)
"""Deleted from, which is faster than TRUNCATE for a few rows; the estate stays."""


@dataclass(frozen=True)
class Home:
    """The database, its administrator's connection, and series by (community, equipment, metric)."""

    database: Database
    admin: Connection
    series: dict[tuple[str, str, str], int]

    @property
    def url(self) -> str:
        return self.database.url("watchkeep_analytics")

    def warnings(self) -> list[tuple[Any, ...]]:
        """(equipment, condition, tier, status, occurrences) of all."""
        return self.admin.execute(
            "SELECT equipment_id, condition, tier, status, occurrences FROM warnings ORDER BY warning_id"
        ).fetchall()

    def count(self, table: str) -> int:
        row = self.admin.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
        assert row is not None
        return int(row[0])


def small_estate() -> e.Estate:
    def community(name: str, mode) -> e.Community:
        lift = e.Equipment(
            equipment_id="lift-1",
            kind="elevator",
            name="1号梯",
            name_en="Lift 1",
            metrics=["machine_temperature", "service_mode"],
            gateway_id="g1",
        )
        return e.Community(
            community_id=name,
            name=name,
            area_id="city",
            mode=mode,
            gateways=[e.Gateway(gateway_id="g1")],
            equipment=[lift],
        )

    return e.Estate(
        areas=[e.Area(area_id="city", kind="city", name="荣成市")],
        communities=[community("alpha", "live"), community("tape", "replay")],
    )


@pytest.fixture(scope="session")
def analytics_database(postgres_url: str, template: str) -> Iterator[Database]:
    """With the small estate; cloned once, as cloning costs several times what emptying does."""
    name = f"watchkeep_analytics_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        made = Database(make_conninfo(postgres_url, dbname=name))
        with connect(made.admin_url, "test", role=OWNER) as owner:
            e.save(owner, small_estate())
            owner.execute("SELECT make_reading_partitions(ARRAY[current_date - 1, current_date, current_date + 1])")
        yield made
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def home(analytics_database: Database) -> Iterator[Home]:
    with psycopg.connect(analytics_database.admin_url, autocommit=True) as conn:
        for table in _EMPTY:
            conn.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        conn.execute("TRUNCATE signals, warnings RESTART IDENTITY CASCADE")  # with what other parts hang on them
        found = conn.execute("SELECT community_id, equipment_id, metric, series_id FROM points").fetchall()
        yield Home(analytics_database, conn, {(c, i, m): series for c, i, m, series in found})
