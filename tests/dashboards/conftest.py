"""A small city with something to show on every panel."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.sample import sample_estate
from watchkeep_core import estate
from watchkeep_core.database import queries

WARNING = """
INSERT INTO warnings (community_id, equipment_id, condition, tier, proposed_class, status, event_at, detected_at,
                      last_seen_at, cleared_at, replay, detector, version, evidence, sentence_zh, sentence_en)
VALUES (%(community)s, %(equipment)s, %(condition)s, 'warning', %(class)s, %(status)s, %(at)s, %(at)s, %(at)s,
        CASE WHEN %(status)s = 'cleared' THEN %(at)s END, %(replay)s, 'limit', '1', '{}', '温度过高', 'Too hot')"""
ORDER = """
WITH c AS (
    INSERT INTO cases (community_id, equipment_id, condition, source, class, state, title_zh, title_en, event_at,
                       filed_at)
    VALUES ('c1', %(equipment)s, %(condition)s, 'sensor', %(class)s, %(state)s, 'x', 'x', %(start)s, %(start)s)
    RETURNING case_id)
INSERT INTO orders (case_id, community_id, equipment_id, org_id, state, dispatched_at, responded_at, finished_at,
                    respond_due, finish_due, closed_at)
SELECT case_id, 'c1', %(equipment)s, 'lift-works', %(state)s, %(start)s, %(responded)s, %(finished)s, %(respond_due)s,
       %(finish_due)s, %(closed)s
FROM c RETURNING order_id"""


def ago(**span: float) -> datetime:
    """Walls ask the server's clock, so the seed is told relative to it."""
    return datetime.now(UTC) - timedelta(**span)


def add_warning(conn, community, equipment, condition, klass, at, *, status="open", replay=False):
    row = {"community": community, "equipment": equipment, "condition": condition, "class": klass, "at": at}
    conn.execute(WARNING, row | {"status": status, "replay": replay})


def add_order(conn, condition, state="dispatched", *, equipment="lift-1", respond_due=None, **other):
    times = {"start": ago(hours=3), "responded": None, "finished": None, "finish_due": ago(hours=-9), "closed": None}
    row = {"equipment": equipment, "condition": condition, "class": "B", "state": state, "respond_due": respond_due}
    return conn.execute(ORDER, row | times | other).fetchone()[0]


@pytest.fixture
def city(database):
    """Warnings, orders and accounts of two communities; returns the test's database."""
    with psycopg.connect(database.admin_url) as conn:
        estate.save(conn, sample_estate())
        _warnings(conn)
        _orders(conn)
        _ingest(conn)
    return database


def _warnings(conn):
    add_warning(conn, "c1", "lift-1", "entrapment", "A", ago(days=3))
    add_warning(conn, "c1", "pumps-1", "water_pressure_low", "B", ago(hours=2))
    add_warning(conn, "c1", "lift-1", "door_open_long", "C", ago(hours=1))
    add_warning(conn, "c1", "lift-1", "stop_outside_zone", "A", ago(hours=1), status="cleared")
    add_warning(conn, "c1", "lift-1", "overspeed", "A", ago(days=9), status="cleared")
    add_warning(conn, "c2", "unregistered", "stop_outside_zone", "B", ago(minutes=5))
    add_warning(conn, "c2", "lift-1", "entrapment", "A", ago(minutes=5), replay=True)


def _orders(conn):
    add_order(conn, "overdue", respond_due=ago(minutes=10))
    short = add_order(conn, "short", respond_due=ago(minutes=-10))
    conn.execute("INSERT INTO escalations VALUES (%s, 'respond', 0, 'responsible', now(), now())", [short])
    accepted = {"responded": ago(hours=1), "respond_due": ago(hours=2)}
    add_order(conn, "running", "accepted", **accepted)
    add_order(conn, "suspended", "suspended", **accepted | {"finish_due": ago(hours=1)})
    add_order(conn, "finished_in_time", "resolved", **accepted, finished=ago(hours=2))
    add_order(conn, "complaint_without_equipment", equipment=None)
    add_order(conn, "closed", "closed", respond_due=ago(hours=1), closed=ago(minutes=1))


def _ingest(conn):
    conn.execute("UPDATE gateways SET name = '东门网关' WHERE community_id = 'c1'")
    conn.execute("INSERT INTO gateways (community_id, gateway_id, revoked_at) VALUES ('c1', 'old', now())")
    conn.execute(
        "INSERT INTO gateway_status (community_id, gateway_id, online, last_message_at, skew_ms)"
        " VALUES ('c1', 'g1', true, now(), -301000)"
    )
    conn.execute(
        "INSERT INTO progress (community_id, gateway_id, lane, epoch, received, lost) VALUES"
        " ('c1', 'g1', 'data', 'e', '{[3,5),[7,9)}', '{[0,2)}'), ('c1', 'g1', 'event', 'e', '{[0,9)}', '{}')"
    )
    conn.execute(
        "INSERT INTO ingest_accounts VALUES ('data', 0, 10, 7, 2, 1, 90, 80, 4, 6, 3),"
        " ('data', 1, 5, 4, 0, 0, 9, 9, 0, 0, 0), ('event', 0, 2, 2, 0, 0, 2, 2, 0, 0, 0)"
    )
    for number, (lane, count, at) in enumerate(
        [("data", 600, ago(minutes=30)), ("data", 900, ago(minutes=60)), ("event", 3, ago(minutes=30))]
    ):
        conn.execute("INSERT INTO batches VALUES (%s, 0, %s, %s, %s, %s, NULL, %s)", [lane, number, count, at, at, at])
    sums = queries("watchkeep_ingest", "sql/ledger.sql")["sum_minutes"]
    conn.execute(sums, {"since": ago(days=1), "until": ago(minutes=2)})
    conn.execute(
        "INSERT INTO dead_letters (received_at, topic, payload, reason, detail, community_id, replayed_at) VALUES"
        " (%(new)s, 't', 'x', 'undecodable', 'x', 'c1', NULL), (%(old)s, 't', 'x', 'undecodable', 'x', NULL, NULL),"
        " (%(new)s, 't', 'x', 'too_large', 'x', 'c1', now())",
        {"new": ago(hours=1), "old": ago(days=2)},
    )
