"""The verbs beside the service: audit, gaps, dead letters and their replay."""

import json
import logging
from typing import Any

import psycopg
import pytest
import structlog
from prometheus_client import REGISTRY
from typer.testing import CliRunner

from tests.ingest.world import LIVE, POINTS, World, birth, data
from watchkeep_core import rows, topics
from watchkeep_core.messages import encode
from watchkeep_ingest import accounts, metrics
from watchkeep_ingest.commands import app


@pytest.fixture
def ingest(world: World, monkeypatch: pytest.MonkeyPatch):
    """Runs a verb; returns its exit code and what it printed as JSON."""
    monkeypatch.setenv("WATCHKEEP_INGEST_DATABASE_URL", world.ingest_url)

    def run(*arguments: str) -> tuple[int, Any]:
        result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
        return result.exit_code, json.loads(result.stdout) if result.stdout.startswith(("{", "[")) else result.output

    handlers = logging.getLogger().handlers[:]
    yield run
    logging.getLogger().handlers[:] = handlers  # `replay` logs to the runner's stderr, which is closed by now
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_audit_is_ok_until_somebody_takes_a_row_away(world: World, ingest):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0, 2.0]), 1), world.message(LIVE, b"{}", 2))
    code, found = ingest("audit")
    assert code == 0
    assert found["ok"]
    assert found["lanes"]["data"]["stored"] == 2
    assert found["gaps"]["data"] == {"missing_ranges": 1, "missing_messages": 1, "lost_ranges": 0, "lost_messages": 0}
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("DELETE FROM dead_letters")
    code, found = ingest("audit")
    assert (code, found["ok"], found["tables"]["ok"]) == (1, False, False)
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("UPDATE ingest_accounts SET stored = stored + 1, dead_lettered = 0")
    code, found = ingest("audit")
    assert code == 1
    assert not found["lanes"]["data"]["messages_ok"]
    assert not found["lanes"]["data"]["readings_ok"]
    with psycopg.connect(world.ingest_url) as conn:
        metrics.show_accounts(accounts.imbalances(conn))
    for kind, missing in (("messages", 1), ("readings", -1)):
        shown = REGISTRY.get_sample_value("watchkeep_ingest_unaccounted", {"lane": "data", "kind": kind})
        assert shown == missing


def test_gaps(world: World, ingest):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0], floor=2), 5))
    _, found = ingest("gaps", "--community", "alpha")
    assert [(gap["state"], gap["first_seq"], gap["last_seq"]) for gap in found] == [("lost", 0, 1), ("missing", 2, 4)]


def test_a_dead_letter_is_shown_and_replayed_once_its_reason_is_gone(world: World, ingest):
    stranger = topics.GatewayRef("alpha", "g7")
    own = [("pump-7", metric, unit) for _, metric, unit in POINTS]
    world.feed(world.message(stranger, birth(own)), world.message(stranger, data([1.0, 2.0]), 0))
    _, listed = ingest("deadletter", "list", "--reason", "unknown_gateway")
    assert len(listed) == 2
    number = listed[0]["dead_letter_id"]
    _, shown = ingest("deadletter", "show", str(number))
    assert json.loads(shown["payload"])["value"] == [1.0, 2.0]
    _, results = ingest("deadletter", "replay", "--all")
    assert {each["result"].split(":")[0] for each in results} == {"unknown_gateway"}
    assert world.counts() == {"received": 2, "dead_lettered": 2}
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("INSERT INTO gateways (community_id, gateway_id) VALUES ('alpha', 'g7')")
    _, results = ingest("deadletter", "replay", "--reason", "unknown_gateway")
    assert [each["result"] for each in results] == ["processed", "processed"]
    assert world.values() == [1.0, 2.0]
    assert world.counts() == {"received": 2, "processed": 2, "decoded": 2, "stored": 2}
    [(lane, payload)] = world.rows("SELECT lane, payload FROM rows_outbox")  # the service says it to analytics
    columns = rows.decode(payload)
    assert isinstance(columns, rows.Columns)
    assert (lane, columns.batch, columns.size) == ("data", 1, 2)
    assert ingest("deadletter", "list")[1] == []
    _, kept = ingest("deadletter", "list", "--replayed")
    assert [each["replay_result"] for each in kept] == ["processed", "processed"]
    with pytest.raises(Exception, match="was replayed at"):
        ingest("deadletter", "replay", str(number))


def test_a_refused_seq_that_came_again_later_is_not_stored_twice(world: World, ingest):
    world.feed(world.message(LIVE, birth()), *(world.message(LIVE, data([n]), n) for n in range(0, 2002, 2)))
    assert world.dead() == ["too_many_ranges"]
    world.feed(world.message(LIVE, data([1.0]), 1), world.message(LIVE, data([2000.0]), 2000))
    _, results = ingest("deadletter", "replay", "--all")
    assert [each["result"] for each in results] == ["duplicate"]
    assert world.values().count(2000.0) == 1
    assert world.counts()["duplicate"] == 1


def test_a_replayed_birth_frees_what_was_parked(world: World, ingest):
    wrong = [("pump-1", POINTS[0][1], "bar")]
    world.feed(world.message(LIVE, birth(wrong)), world.message(LIVE, data([1.0]), 0))
    assert world.counts()["parked"] == 1
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("UPDATE points SET unit = 'bar' WHERE metric = %s", [POINTS[0][1]])
    ingest("deadletter", "replay", "--all")
    assert world.values() == [1.0]
    assert world.counts() == {"received": 2, "processed": 2, "decoded": 1, "stored": 1}
    world.feed(world.message(LIVE, data([2.0]), 1))  # the service hears of it with the next reading
    assert world.values() == [1.0, 2.0]


def test_what_is_still_broken_stays_open_with_its_reason(world: World, ingest):
    world.feed(world.message(LIVE, b"\xff\x00", 0), world.raw("nonsense", encode(birth())))
    _, results = ingest("deadletter", "replay", "--all")
    assert [each["result"].split(":")[0] for each in results] == ["undecodable", "bad_topic"]
    _, listed = ingest("deadletter", "list")
    assert [each["replay_result"].split(":")[0] for each in listed] == ["bad_topic", "undecodable"]
    _, shown = ingest("deadletter", "show", str(listed[1]["dead_letter_id"]))
    assert shown["payload_hex"] == "ff00"
    with pytest.raises(Exception, match="no dead letter 99"):
        ingest("deadletter", "show", "99")
