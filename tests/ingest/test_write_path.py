"""The transaction against real PostgreSQL: exactly once, whatever comes in whatever order."""

import psycopg
import pytest

from tests.ingest.world import LIVE, SECOND, SECOND_POINTS, TAPE, World, birth, data, event, now_ms
from watchkeep_core import rows, topics
from watchkeep_core.messages import Data
from watchkeep_ingest import store
from watchkeep_ingest.incoming import decode
from watchkeep_ingest.transaction import write

DAY_MS = 86_400_000


def test_readings_are_stored_acknowledged_and_announced(world: World):
    world.feed(
        world.message(LIVE, birth()),
        world.message(LIVE, data([1.5, 2.5]), 0),
        world.message(LIVE, data([3.5], alias=1), 1),
    )
    assert world.values() == [1.5, 2.5, 3.5]
    assert world.acked[-2:] == [topics.message(LIVE, "data", "e1", 0), topics.message(LIVE, "data", "e1", 1)]
    assert world.last_ack() == 1
    [message] = world.outbox.of(topics.rows(topics.partition_of("alpha")))
    columns = rows.decode(message)
    assert isinstance(columns, rows.Columns)
    assert (columns.batch, columns.size, list(columns.value.cast("d"))) == (1, 3, [1.5, 2.5, 3.5])
    assert world.rows("SELECT batch, row_count, upper(series) - lower(series) FROM batches") == [(1, 3, 2)]
    assert world.counts() == {"received": 3, "processed": 3, "decoded": 3, "stored": 3}


def test_the_same_message_counts_once_within_a_batch_and_across_batches(world: World):
    message = world.message(LIVE, data([1.0]), 0)
    world.feed(world.message(LIVE, birth()), message, message)
    world.feed(message)
    world.restart()
    world.feed(message)
    assert world.values() == [1.0]
    assert world.counts() == {"received": 5, "processed": 2, "duplicate": 3, "decoded": 1, "stored": 1}
    assert world.last_ack() == 0


def test_commit_without_ack_is_absorbed_by_the_ledger(world: World):
    """The worker dies between COMMIT and ack: everything comes again, in any order, mixed with what is new."""
    world.feed(world.message(LIVE, birth()), *(world.message(LIVE, data([seq]), seq) for seq in range(5)))
    world.restart()
    world.feed(*(world.message(LIVE, data([seq]), seq) for seq in (4, 7, 0, 5, 6, 3, 2, 1)))
    assert world.values() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert world.last_ack() == 7


def test_out_of_order_messages_fill_the_gap_and_the_ack_follows(world: World):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([2.0]), 2), world.message(LIVE, data([0.0]), 0))
    assert world.last_ack() == 0
    assert world.rows("SELECT state, first_seq, last_seq FROM gaps") == [("missing", 1, 1)]
    world.feed(world.message(LIVE, data([1.0]), 1))
    assert world.last_ack() == 2
    assert world.rows("SELECT count(*) FROM gaps") == [(0,)]


def test_below_the_floor_is_lost_and_a_lost_message_that_comes_after_all_is_stored(world: World):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([5.0], floor=5), 5))
    assert world.last_ack() == 5
    assert world.rows("SELECT state, first_seq, last_seq FROM gaps") == [("lost", 0, 4)]
    world.feed(world.message(LIVE, data([3.0]), 3))
    assert sorted(world.values()) == [3.0, 5.0]
    assert world.rows("SELECT state, first_seq, last_seq FROM gaps ORDER BY first_seq") == [
        ("lost", 0, 2),
        ("lost", 4, 4),
    ]
    assert world.last_ack() == 5


def test_the_floor_of_a_duplicate_counts(world: World):
    """A spool of duplicates above a hole would wait for its ack for ever otherwise."""
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0]), 4))
    assert world.last_ack() == -1
    world.feed(world.message(LIVE, data([1.0], floor=4), 4))
    assert world.last_ack() == 4
    assert world.values() == [1.0]


@pytest.mark.parametrize("seq", [10**9 + 1, topics.MAX_SEQ])
def test_a_seq_jump_is_refused_and_not_recorded(world: World, seq: int):
    world.feed(
        world.message(LIVE, birth()),
        world.message(LIVE, data([1.0], floor=seq), seq),
        world.message(LIVE, data([0.0]), 0),
    )
    assert world.dead() == ["seq_jump"]
    assert world.rows("SELECT received::text, lost::text FROM progress") == [("{[0,1)}", "{}")]
    assert world.last_ack() == 0


def test_more_than_a_thousand_gaps_are_refused_until_they_fill(world: World):
    every_other = [world.message(LIVE, data([seq]), seq) for seq in range(0, 2002, 2)]
    world.feed(world.message(LIVE, birth()), *every_other)
    assert world.dead() == ["too_many_ranges"]
    world.feed(world.message(LIVE, data([1.0]), 1), world.message(LIVE, data([2000.0]), 2000))
    assert world.last_ack() == 2
    assert world.counts() == {"received": 1004, "processed": 1003, "dead_lettered": 1, "decoded": 1002, "stored": 1002}


def test_a_floor_above_its_own_seq_is_a_lie(world: World):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0], floor=3), 2))
    assert world.dead() == ["bad_floor"]
    assert world.rows("SELECT received::text, lost::text FROM progress") == [("{[2,3)}", "{}")]


POISON = {
    b"": "undecodable",
    b"\xff\xfe": "undecodable",
    b"[" * 100_000: "too_deep",
    b'{"floor":0,"t0":0,"alias":[0],"dt_ms":[0],"value":[NaN]}': "undecodable",
    b'{"floor":0,"t0":0,"alias":[0],"dt_ms":[0],"value":[1e999]}': "bad_shape",
    b'{"floor":0,"t0":0,"alias":[0],"dt_ms":[0],"value":["1"]}': "bad_shape",
    b'{"floor":0,"t0":0,"alias":[0,1],"dt_ms":[0],"value":[1]}': "bad_shape",
    b'{"floor":0,"t0":9e30,"alias":[0],"dt_ms":[0],"value":[1]}': "bad_shape",
    b"x" * 300_000: "too_large",
}


def test_poison_among_good_readings_is_accounted_for_and_harms_nothing(world: World):
    batch = [world.message(LIVE, birth())]
    for seq, payload in enumerate(POISON):
        batch += [world.message(LIVE, payload, 2 * seq), world.message(LIVE, data([seq]), 2 * seq + 1)]
    world.feed(*batch)
    assert world.values() == list(range(len(POISON)))
    assert len(world.dead()) == len(POISON)
    for (payload, wanted), reason in zip(POISON.items(), world.dead(), strict=True):
        assert reason in {wanted, "undecodable", "bad_shape"}, payload[:40]
    assert world.last_ack() == 2 * len(POISON) - 1
    assert [bytes(p) for (p,) in world.rows("SELECT payload FROM dead_letters ORDER BY dead_letter_id")] == list(POISON)


@pytest.mark.parametrize(
    "topic", ["wk/1/0/alpha/g1/data/e1/0", "wk/1/10/alpha/g1/data/e1/007", "wk/1/10/a b/g1/birth", "x"]
)
def test_an_unparsable_topic_is_a_dead_letter(world: World, topic: str):
    world.feed(world.raw(topic, b"{}"))
    assert len(world.dead()) == 1
    assert world.acked == [topic]
    assert world.counts() == {"received": 1, "dead_lettered": 1}


def test_nul_and_surrogates_in_a_topic_do_not_stop_the_dead_letter(world: World):
    world.feed(world.raw("wk/1/0/\x00/\ud800", b"\x00"))
    assert world.rows("SELECT topic FROM dead_letters") == [("wk/1/0/\ufffd/?",)]


def test_an_unknown_gateway_is_a_dead_letter_and_its_ack_moves_on(world: World):
    stranger = topics.GatewayRef("nowhere", "g9")
    world.feed(world.message(stranger, birth()), world.message(stranger, data([1.0]), 0))
    assert world.dead() == ["unknown_gateway", "unknown_gateway"]
    assert world.last_ack(stranger) == 0
    assert world.counts() == {"received": 2, "dead_lettered": 2}


def test_a_message_the_database_refuses_goes_alone_to_the_dead_letter(world: World):
    """Validation lets none through, so the database is made to refuse one value."""
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([0.0]), 0))
    with psycopg.connect(world.admin_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE readings ADD CONSTRAINT unlucky CHECK (value <> 13)")
        world.feed(*(world.message(LIVE, data([seq]), seq) for seq in range(1, 30)))
        conn.execute("ALTER TABLE readings DROP CONSTRAINT unlucky")
    assert sorted(world.values()) == [float(seq) for seq in range(30) if seq != 13]
    assert world.dead() == ["refused_by_database"]
    assert world.last_ack() == 29
    assert len(world.acked) == 31
    assert world.counts() == {"received": 31, "processed": 30, "dead_lettered": 1, "decoded": 29, "stored": 29}


def test_impossible_stamps_go_to_quarantine(world: World):
    now = now_ms()
    old, ahead = data([1.0], t0=now - 31 * DAY_MS), data([2.0], t0=now + 400_000)
    world.feed(
        world.message(LIVE, birth()), *(world.message(LIVE, d, n) for n, d in enumerate([old, ahead, data([3.0])]))
    )
    assert world.values() == [3.0]
    assert world.rows("SELECT value, reason FROM quarantine ORDER BY value") == [(1.0, "too_old"), (2.0, "in_future")]
    assert world.counts() == {"received": 4, "processed": 4, "decoded": 3, "stored": 1, "quarantined": 2}


def test_recorded_data_has_no_bounds_and_moves_the_watermark(world: World):
    jan_2014, y_1999, y_2106 = 1_388_534_400_000, 946_684_799_000, 4_291_747_200_000
    world.feed(
        world.message(TAPE, birth()),
        world.message(TAPE, data([1.0, 2.0], t0=jan_2014), 0),
        world.message(TAPE, data([8.0], t0=y_1999), 1),
        world.message(TAPE, data([9.0], t0=y_2106), 2),
    )
    assert world.values() == [1.0, 2.0]
    assert world.rows("SELECT reason FROM quarantine ORDER BY value") == [("too_old",), ("in_future",)]
    [(community, mark)] = world.rows(
        "SELECT community_id, (extract(epoch FROM ts) * 1000)::bigint FROM replay_watermarks"
    )
    assert (community, mark) == ("tape", jan_2014 + 10)


def days(first: int, count: int) -> Data:
    """One reading on each day from day `first` of 2010 on."""
    last = 1_262_304_000_000 + (first + count) * DAY_MS
    return Data(floor=0, t0=last, alias=[0] * 20, dt_ms=[-DAY_MS * n for n in range(20)], value=[1.0] * 20)


def test_more_days_than_one_transaction_can_hold_are_split(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "MAX_DAYS", 30)
    world.feed(world.message(TAPE, birth()), *(world.message(TAPE, days(100 * n, 20), n) for n in range(3)))
    assert world.dead() == []
    assert world.counts()["stored"] == 60


def test_two_gateways_of_one_batch_keep_their_own_ledger(world: World):
    world.feed(
        world.message(LIVE, birth()),
        world.message(SECOND, birth(SECOND_POINTS)),
        world.message(LIVE, data([1.0]), 0),
        world.message(SECOND, data([2.0]), 0),
        world.message(SECOND, data([3.0]), 1),
    )
    assert (world.last_ack(LIVE), world.last_ack(SECOND)) == (0, 1)
    assert world.rows("SELECT gateway_id, received::text FROM progress ORDER BY 1") == [
        ("g1", "{[0,1)}"),
        ("g2", "{[0,2)}"),
    ]


def test_batches_are_numbered_without_holes_and_no_larger_than_a_rows_message(world: World):
    world.feed(world.message(LIVE, birth()), *(world.message(LIVE, data([1.0] * 5000), seq) for seq in range(5)))
    world.restart()
    world.feed(
        world.message(LIVE, data([2.0]), 5),
        world.message(TAPE, birth()),
        world.message(TAPE, data([1.0], t0=10**12), 0),
    )
    found = world.rows("SELECT partition, batch, row_count FROM batches ORDER BY partition, batch")
    pp, tape = topics.partition_of("alpha"), topics.partition_of("tape")
    assert found == sorted([(pp, 1, 10_000), (pp, 2, 10_000), (pp, 3, 5_000), (pp, 4, 1), (tape, 1, 1)])
    assert [rows.decode(m).batch for m in world.outbox.of(topics.rows(pp))] == [1, 2, 3, 4]


def test_late_is_behind_the_series_own_newest(world: World):
    now = now_ms()
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0], t0=now), 0))
    world.feed(
        world.message(LIVE, data([1.0], t0=now - 5000), 1), world.message(LIVE, data([1.0], alias=1, t0=now - 5000), 2)
    )
    assert world.counts()["late"] == 1


def test_events_are_stored_whatever_their_stamp_and_announced(world: World):
    now = now_ms()
    far = event(
        "fire_alarm", t=now + 10**9, equipment="nobody-knows", raw_code="E 7", attributes={"floor": 3.0, "门": "开"}
    )
    world.feed(world.message(LIVE, event(t=now), 0), world.message(LIVE, far, 1))
    found = world.rows("SELECT equipment_id, condition, trusted, raw_code, attributes FROM events ORDER BY seq")
    assert found == [
        ("lift-1", "entrapment", True, "", {}),
        ("nobody-knows", "fire_alarm", False, "E 7", {"floor": 3.0, "门": "开"}),
    ]
    [message] = world.outbox.of(topics.rows(topics.partition_of("alpha")))
    said = rows.decode(message)
    assert isinstance(said, rows.Events)
    assert [(each.condition, each.trusted, each.t_us) for each in said.events] == [
        ("entrapment", True, now * 1000),
        ("fire_alarm", False, (now + 10**9) * 1000),
    ]
    assert world.last_ack(LIVE, "event") == 1
    assert world.counts("event") == {"received": 2, "processed": 2, "decoded": 2, "stored": 2}


def test_the_event_lane_does_not_wait_for_the_data_lane(world: World):
    """A data transaction of the same gateway and partition is open, with all its locks, while an event commits."""
    data_work = world.works["data"]
    world.feed(world.message(LIVE, birth()))
    with psycopg.connect(world.ingest_url) as conn:
        conn.execute("SET TIME ZONE 'UTC'")
        write(conn, data_work, [decode(world.message(LIVE, data([1.0]), 0))])
        world.feed(world.message(LIVE, event(), 0))
        assert world.rows("SELECT count(*) FROM events") == [(1,)]
        assert world.values() == []
        conn.rollback()
    data_work.rolled_back()


def test_the_line_breaks_during_a_batch_nothing_is_acknowledged_and_all_is_stored_in_the_end(world: World):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([0.0]), 0))
    with psycopg.connect(world.admin_url, autocommit=True) as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'watchkeep-test'")
    world.feed(world.message(LIVE, data([1.0]), 1))
    assert world.values() == [0.0, 1.0]
    assert world.acked.count(topics.message(LIVE, "data", "e1", 1)) == 1
