"""What ingest does not let happen: floods, other gateways' equipment, silent gaps, clocks nobody knows are off."""

from dataclasses import replace

import numpy as np
import psycopg
import pytest

from tests.ingest.world import LIVE, POINTS, SECOND, TAPE, World, birth, data, event, now_ms
from watchkeep_core import rows, topics
from watchkeep_core.database import connect
from watchkeep_core.messages import Cmd, decode
from watchkeep_ingest.clocks import DeviceClocks
from watchkeep_ingest.flood import BURST_S, FloodGuard
from watchkeep_ingest.incoming import decode as decode_message
from watchkeep_ingest.overview import status
from watchkeep_ingest.transaction import write


def test_a_gateway_floods_beyond_a_minutes_worth_and_is_let_in_again_when_half_is_free():
    guard = FloodGuard(10)
    assert all(guard.lets_pass(LIVE, 10, 100.0) for _ in range(int(BURST_S)))
    assert not guard.lets_pass(LIVE, 1, 100.0)
    assert guard.lets_pass(SECOND, 1, 100.0)
    assert guard.flooding == {LIVE}
    assert guard.over(110.0) == []
    assert not guard.lets_pass(LIVE, 200, 120.0)  # it goes on: no recovery meanwhile
    assert guard.over(149.0) == []
    assert guard.over(151.0) == [LIVE]
    assert guard.lets_pass(LIVE, 1, 151.0)
    assert all(FloodGuard(0).lets_pass(LIVE, 10**9, now_s) for now_s in (0.0, 1.0))


def test_who_has_been_quiet_for_long_is_forgotten_and_begins_anew():
    guard = FloodGuard(10)
    assert guard.lets_pass(LIVE, 1, 100.0)
    assert guard.lets_pass(SECOND, 600, 100.0)
    assert not guard.lets_pass(SECOND, 600, 100.0)
    guard.over(100.0 + BURST_S)
    assert guard.flooding == frozenset()
    guard.over(101.0 + 2 * BURST_S)
    assert not guard._of
    assert guard.lets_all_pass(SECOND, 600, 0, 101.0 + 2 * BURST_S)


def test_a_flood_is_parked_shown_and_replayed_when_it_is_over_and_events_pass(world: World):
    world.restart(FloodGuard(1))  # 60 readings at once
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0] * 60), 0))
    world.feed(*(world.message(LIVE, data([2.0] * 10), seq) for seq in range(1, 4)), world.message(SECOND, birth([])))
    world.feed(world.message(LIVE, event(), 0))
    assert world.rows("SELECT count(*) FROM events") == [(1,)]
    assert world.counts() == {"received": 6, "processed": 6, "decoded": 90, "stored": 60, "parked": 30}
    assert world.last_ack() == 3
    with connect(world.ingest_url, "test") as conn:
        [first, _] = status(conn, community="alpha", at_most=10)["gateways"]
    assert (first["flooding"], first["parked"]) == (True, {"rate_limit": 30})
    guard = world.guard
    guard._of[LIVE].fresh.tokens = 30.0  # half a minute later
    guard._looked_s = 0.0
    world.feed(world.message(LIVE, data([3.0]), 4))
    assert {**world.counts(), "late": 0} == {"received": 7, "processed": 7, "decoded": 91, "stored": 91, "late": 0}
    assert world.rows("SELECT count(*) FROM parked") == [(0,)]


def test_a_flood_whose_commit_was_not_heard_of_is_replayed_all_the_same(world: World):
    world.restart(FloodGuard(1))
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0] * 60), 0))
    with connect(world.ingest_url, "test") as conn:
        write(conn, world.works["data"], [decode_message(world.message(LIVE, data([2.0] * 10), 1))])
    world.works["data"].rolled_back()
    world.guard._of[LIVE].fresh.tokens = 30.0
    world.guard._looked_s = 0.0
    world.feed(world.message(LIVE, data([3.0]), 2))
    assert world.counts()["stored"] == 71


def test_a_backlog_is_no_flood_and_has_a_rate_of_its_own():
    guard = FloodGuard(10, 100)
    assert guard.lets_all_pass(LIVE, 600, 6000, 0.0)
    assert not guard.lets_all_pass(LIVE, 0, 1, 0.0)
    assert not guard.lets_pass(LIVE, 1, 0.0, backlog=True)
    assert guard.lets_pass(LIVE, 10, 1.0)  # fresh readings go on meanwhile
    assert not guard.lets_pass(LIVE, 1, 1.0)
    assert guard.over(30.5) == []  # the fresh flood is not over, and what is parked comes back together
    assert guard.over(32.0) == [LIVE]
    assert FloodGuard(10).lets_pass(LIVE, 10**9, 0.0, backlog=True)
    only_backlog = FloodGuard(0, 1)
    assert only_backlog.lets_all_pass(LIVE, 10**9, 60, 0.0)
    assert not only_backlog.lets_pass(LIVE, 1, 0.0, backlog=True)


def test_what_was_kept_while_offline_passes_the_guard_up_to_its_own_limit(world: World):
    world.restart(FloodGuard(1, 10))  # 60 fresh readings at once, and 600 old ones
    hour_ago = now_ms() - 3_600_000
    world.feed(world.message(LIVE, birth()))
    world.feed(*(world.message(LIVE, data([1.0] * 100, t0=hour_ago + seq), seq) for seq in range(5)))
    world.feed(world.message(LIVE, data([2.0] * 60), 5))
    assert len(world.values()) == 560
    world.feed(*(world.message(LIVE, data([1.0] * 100, t0=hour_ago + seq), seq) for seq in (6, 7)))
    assert world.rows("SELECT readings, reason FROM parked") == [(100, "rate_limit")]
    assert len(world.values()) == 660


def test_another_gateways_equipment_is_refused_and_readings_of_it_wait(world: World):
    """pump-1 is g1's. The topic says that g2 speaks."""
    world.feed(world.message(SECOND, birth()), world.message(SECOND, data([1.0, 2.0]), 0))
    assert world.values() == []
    [(reason, detail)] = world.rows("SELECT reason, detail FROM dead_letters")
    assert (reason, detail.split(";")[0]) == (
        "foreign_equipment",
        "alias 0 (pump-1/discharge_pressure) is another gateway's",
    )
    assert world.rows("SELECT gateway_id, reason, readings FROM parked") == [("g2", "foreign_equipment", 2)]
    with psycopg.connect(world.admin_url) as conn:  # a person says that it has moved
        conn.execute("UPDATE points SET gateway_id = 'g2' WHERE community_id = 'alpha' AND equipment_id = 'pump-1'")
    world.feed(replace(world.message(SECOND, birth()), retained=True))  # tells nothing new
    assert world.values() == []
    world.feed(world.message(SECOND, birth()))
    assert world.values() == [1.0, 2.0]


def test_what_an_alias_meant_before_its_equipment_moved_away_does_not_count_any_more(world: World):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0]), 0))
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("UPDATE points SET gateway_id = 'g2' WHERE community_id = 'alpha' AND equipment_id = 'pump-1'")
    world.feed(world.message(LIVE, birth(software="2")), world.message(LIVE, data([2.0]), 1))
    world.feed(world.message(LIVE, data([3.0]), 2))
    world.works["data"].rolled_back()  # of another batch: what was read is read again, what was refused stays refused
    world.feed(world.message(LIVE, data([4.0]), 3))
    assert world.values() == [1.0]
    assert world.counts()["parked"] == 3


def test_another_communitys_equipment_cannot_be_named(world: World):
    """Names count within the community of the topic: what is unknown there is entered there, unclaimed."""
    with psycopg.connect(world.admin_url) as conn:
        conn.execute(
            "INSERT INTO equipment (community_id, equipment_id, kind, name) VALUES ('tape', 'only-there', 'lift', '')"
        )
    stolen = [("only-there", metric, unit) for _, metric, unit in POINTS]
    world.feed(world.message(TAPE, birth(stolen)), world.message(LIVE, birth(stolen)))
    world.feed(world.message(LIVE, data([1.0]), 0))
    assert world.rows("SELECT community_id, value FROM readings JOIN points USING (series_id)") == [("alpha", 1.0)]


def test_an_event_of_another_gateways_equipment_is_stored_and_says_so(world: World):
    world.feed(
        world.message(SECOND, event(equipment="pump-1", attributes={"a": 1.0}), 0),
        world.message(LIVE, event(equipment="pump-1"), 0),
    )
    found = world.rows("SELECT gateway_id, attributes FROM events ORDER BY gateway_id DESC")
    assert found == [("g2", {"a": 1.0, "foreign_equipment": True}), ("g1", {})]
    [message] = world.outbox.of(topics.rows(topics.partition_of("alpha")))
    said = rows.decode(message)
    assert isinstance(said, rows.Events)
    assert [each.attributes.get("foreign_equipment") for each in said.events] == [True, None]


def test_gaps_that_close_are_remembered_with_their_exact_ranges(world: World):
    world.feed(world.message(LIVE, birth()), *(world.message(LIVE, data([1.0]), seq) for seq in (0, 4, 9)))
    world.feed(world.message(LIVE, data([1.0], floor=3), 10))  # 1 and 2 are lost
    world.feed(*(world.message(LIVE, data([1.0]), seq) for seq in (2, 5, 6, 11)))
    found = world.rows("SELECT state, first_seq, last_seq FROM gap_recoveries ORDER BY first_seq")
    assert found == [("lost", 2, 2), ("missing", 5, 6)]
    assert world.rows("SELECT state, first_seq, last_seq FROM gaps ORDER BY first_seq") == [
        ("lost", 1, 1),
        ("missing", 3, 3),
        ("missing", 7, 8),
    ]


def test_an_unknown_alias_asks_for_one_rebirth_however_many_gateways_and_messages(world: World):
    world.feed(*(world.message(source, data([1.0]), seq) for seq in range(3) for source in (LIVE, SECOND)))
    asked = [decode(Cmd, world.outbox.of(topics.cmd(source))[0]).action for source in (LIVE, SECOND)]
    assert asked == ["rebirth", "rebirth"]
    assert len(world.outbox.of(topics.cmd(LIVE))) == 1


def test_the_clock_of_a_device_is_the_median_of_the_least_delays():
    clocks = DeviceClocks()
    series = np.array([1, 2, 3], np.int32)
    for minute in range(5):
        for second in (0, 30):
            received = (minute * 60 + second) * 1_000_000
            delays = np.array([200_000, 3_600_000_000 + second * 1000, -90_000_000])
            clocks.note(series, received - delays, received)
        news = clocks.close_window()
        clocks.tell(*news)
        found = dict(zip(*(column.tolist() for column in news), strict=True))
        assert found == ({2: pytest.approx(3_600_000, abs=1), 3: pytest.approx(-90_000, abs=1)} if minute == 0 else {})
    clocks.note(series[:1], np.array([-7_200_000_000]), 0)  # one minute of backlog is no skew
    assert clocks.close_window()[0].tolist() == []
    for _ in range(5):
        clocks.note(series[1:2], np.array([0]), 0)
        news = clocks.close_window()
    assert [column.tolist() for column in news] == [[2], [0.0]]  # set right, and told for as long as nobody has heard


def test_clocks_that_are_off_are_written_and_right_again(world: World):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0], t0=now_ms() - 7_200_000), 0))
    world.flush_notes()
    [(equipment, skew)] = world.rows("SELECT equipment_id, skew_ms FROM device_clocks")
    assert (equipment, round(skew / 60_000)) == ("pump-1", 120)
    with connect(world.ingest_url, "test") as conn:
        found = status(conn, community=None, at_most=10)
    assert [each["equipment_id"] for each in found["device_clocks"]] == ["pump-1"]
    for seq in range(1, 7):
        world.feed(world.message(LIVE, data([1.0], t0=now_ms()), seq))
        world.flush_notes()
    assert world.rows("SELECT skew_ms FROM device_clocks") == [(0.0,)]


def test_a_clock_that_could_not_be_written_is_written_later(world: World):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0], t0=now_ms() - 7_200_000), 0))
    with connect(world.ingest_url, "test") as gone:
        pass
    with pytest.raises(psycopg.OperationalError):
        world.notes.flush(gone, 61.0)
    world.feed(world.message(LIVE, data([1.0], t0=now_ms() - 7_200_000), 1))
    world.notes.clocks.flush(gone, 62.0)  # its window is not over
    world.flush_notes()
    world.flush_notes()
    assert world.rows("SELECT round(skew_ms / 60000) FROM device_clocks") == [(120.0,)]


def test_a_good_clock_leaves_no_row(world: World):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0], t0=now_ms()), 0))
    world.flush_notes()
    assert world.rows("SELECT count(*) FROM device_clocks") == [(0,)]
