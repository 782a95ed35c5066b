"""Births: what aliases mean, what is refused, and readings that wait for their meaning."""

import msgspec
import psycopg
import pytest

from tests.ingest.world import CAP, LIVE, POINTS, SECOND, SECOND_POINTS, TAPE, World, birth, data, now_ms
from watchkeep_core import estate, topics
from watchkeep_core.messages import Cmd, Data, State, decode
from watchkeep_ingest import parking
from watchkeep_ingest.incoming import decode as decode_message

UNKNOWN = [("pump-9", f"unheard_of_{n}", "x") for n in range(CAP + 2)]


def rebirths(world: World) -> list[bytes]:
    return world.outbox.of(topics.cmd(LIVE))


def test_readings_before_their_birth_are_parked_and_replayed(world: World):
    world.feed(world.message(LIVE, data([1.0, 2.0]), 0))
    assert world.values() == []
    assert world.last_ack() == 0
    assert world.counts() == {"received": 1, "processed": 1, "decoded": 2, "parked": 2}
    assert [decode(Cmd, payload).action for payload in rebirths(world)] == ["rebirth"]
    world.feed(world.message(LIVE, data([3.0]), 1))
    assert len(rebirths(world)) == 1
    world.feed(world.message(LIVE, birth()))
    assert world.values() == [1.0, 2.0, 3.0]
    assert world.counts() == {"received": 3, "processed": 3, "decoded": 3, "stored": 3}
    assert world.rows("SELECT count(*) FROM parked") == [(0,)]


def test_parked_readings_that_cannot_be_stored_do_not_stop_live_ones(world: World, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise psycopg.DataError("as the database would")

    world.feed(world.message(LIVE, data([1.0]), 0))
    writer = world.writers["data"]
    with monkeypatch.context() as patch:
        patch.setattr(parking, "read", refuse)
        writer.commit([decode_message(world.message(LIVE, birth()))])
        writer.resume()
        writer.commit([decode_message(world.message(LIVE, data([2.0]), 1))])
        assert world.values() == [2.0]
    world.feed(world.message(LIVE, data([3.0]), 2))
    assert world.values() == [1.0, 2.0, 3.0]


def test_births_that_never_declare_an_alias_are_not_asked_for_without_end(world: World):
    world.feed(world.message(LIVE, data([1.0], alias=7), 0))
    for number in range(3):
        world.feed(
            world.message(LIVE, birth(software=str(number))), world.message(LIVE, data([1.0], alias=7), number + 1)
        )
    assert len(rebirths(world)) == 1
    assert world.counts()["parked"] == 4


def test_only_the_readings_of_unknown_aliases_are_parked(world: World):
    mixed = Data(floor=0, t0=now_ms(), alias=[0, 7, 1, 7], dt_ms=[0, 1, 2, 3], value=[1, 2, 3, 4], quality=[0, 1, 2, 2])
    world.feed(world.message(LIVE, birth()), world.message(LIVE, mixed, 0))
    assert world.values() == [1, 3]
    [(payload, readings)] = world.rows("SELECT payload, readings FROM parked")
    parked = decode(Data, payload)
    assert (readings, parked.alias, parked.dt_ms, parked.value, parked.quality) == (2, [7, 7], [1, 3], [2, 4], [1, 2])


def test_a_birth_behind_its_data_in_one_batch_is_in_time(world: World):
    world.feed(world.message(LIVE, data([1.0]), 0), world.message(LIVE, birth()))
    assert world.values() == [1.0]
    assert rebirths(world) == []


def test_many_parked_messages_are_replayed_in_several_transactions_and_survive_a_restart(world: World):
    world.feed(*(world.message(LIVE, data([seq]), seq) for seq in range(450)))
    world.restart()
    world.feed(world.message(LIVE, birth()))
    assert world.values() == list(range(450))
    assert world.counts() == {"received": 451, "processed": 451, "decoded": 450, "stored": 450}


def test_parked_readings_are_replayed_in_portions_of_memory(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parking, "_READINGS", 5)
    world.feed(*(world.message(LIVE, data([seq] * 3), seq) for seq in range(4)))
    writer = world.writers["data"]
    writer.commit([decode_message(world.message(LIVE, birth()))])
    stored = []
    while world.works["data"].waiting():
        writer.resume()
        stored.append(len(world.values()))
    assert stored == [6, 12, 12]


def test_an_alias_learnt_by_another_worker_is_found(world: World):
    world.feed(world.message(LIVE, birth(POINTS[:1])))
    series = estate_series(world)["pump-1", POINTS[1][1]]
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("INSERT INTO aliases VALUES ('alpha', 'g1', 'e1', 1, %s)", [series])
    world.feed(world.message(LIVE, data([1.0], alias=1), 0))
    assert world.rows("SELECT series_id, value FROM readings") == [(series, 1.0)]


def estate_series(world: World) -> dict[tuple[str, str], int]:
    with psycopg.connect(world.admin_url) as conn:
        return estate.series_of(conn, "alpha")


def test_unknown_points_are_registered_unclaimed_up_to_the_cap(world: World):
    world.feed(world.message(LIVE, birth([*POINTS, *UNKNOWN])))
    alias = len(POINTS)
    world.feed(*(world.message(LIVE, data([n], alias=alias + n), n) for n in range(len(UNKNOWN))))
    assert world.values() == list(range(CAP))
    assert world.rows("SELECT count(*) FROM points WHERE NOT claimed AND gateway_id = 'g1'") == [(CAP,)]
    assert world.rows("SELECT status, kind FROM equipment WHERE equipment_id = 'pump-9'") == [("unclaimed", "unknown")]
    assert world.rows("SELECT DISTINCT reason FROM parked") == [("over_cap",)]
    assert rebirths(world) == []
    assert world.counts()["parked"] == len(UNKNOWN) - CAP
    # A person claims them, the gateway is born again: what waited is stored.
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("UPDATE points SET claimed = true")
    world.feed(world.message(LIVE, birth([*POINTS, *UNKNOWN], software="test 2")))
    assert world.values() == list(range(len(UNKNOWN)))
    assert "parked" not in world.counts()


def test_births_of_one_batch_are_judged_in_their_order(world: World):
    """g1 is born twice, g2 names g1's new pump: what a later birth says is judged by what the earlier ones entered."""
    fresh = [("pump-9", "unheard_of", "x")]
    world.feed(
        world.message(LIVE, birth([*POINTS, *fresh])),
        world.message(SECOND, birth([*SECOND_POINTS, *fresh])),
        world.message(LIVE, birth(list(reversed(POINTS)))),
        world.message(TAPE, birth(fresh)),
        world.message(SECOND, data([2.0], alias=1), 0),
        world.message(SECOND, data([3.0], alias=2), 1),
    )
    assert world.dead() == ["foreign_equipment", "alias_redefined"]
    assert world.rows("SELECT community_id, gateway_id FROM points WHERE equipment_id = 'pump-9' ORDER BY 1") == [
        ("alpha", "g1"),
        ("tape", "g1"),
    ]
    assert world.values() == [2.0]
    assert world.rows("SELECT reason FROM parked") == [("foreign_equipment",)]


def test_a_redefining_birth_is_refused_as_a_whole(world: World):
    world.feed(world.message(LIVE, birth()), world.message(LIVE, data([1.0]), 0))
    world.feed(world.message(LIVE, birth(list(reversed(POINTS)))), world.message(LIVE, data([2.0]), 1))
    assert world.dead() == ["alias_redefined"]
    [(detail,)] = world.rows("SELECT detail FROM dead_letters")
    assert detail.startswith("alias 0 is now pump-1/")
    assert len(world.rows("SELECT DISTINCT series_id FROM readings")) == 1
    world.feed(world.message(LIVE, birth(list(reversed(POINTS)), epoch="e2")))
    assert world.dead() == ["alias_redefined"]


def test_a_unit_that_is_not_the_points_names_the_alias_and_stops_no_other(world: World):
    wrong = [("pump-1", POINTS[0][1], "bar"), POINTS[1]]
    world.feed(
        world.message(LIVE, birth(wrong)),
        world.message(LIVE, data([1.0]), 0),
        world.message(LIVE, data([2.0], alias=1), 1),
    )
    assert world.values() == [2.0]
    assert world.rows("SELECT reason, detail FROM dead_letters") == [
        ("unit_mismatch", "alias 0 (pump-1/discharge_pressure) is in kPa, not 'bar'")
    ]
    assert world.rows("SELECT reason FROM parked") == [("unit_mismatch",)]
    assert world.counts() == {"received": 3, "processed": 2, "dead_lettered": 1, "decoded": 2, "stored": 1, "parked": 1}


def test_a_metric_of_the_vocabulary_has_one_unit_even_unregistered(world: World):
    world.feed(world.message(LIVE, birth([("tank-1", "discharge_pressure", "MPa")])))
    assert world.dead() == ["unit_mismatch"]
    assert world.rows("SELECT count(*) FROM equipment WHERE equipment_id = 'tank-1'") == [(0,)]


def test_a_retained_birth_that_is_refused_is_one_dead_letter_however_often_it_comes(world: World):
    wrong = world.message(LIVE, birth([("pump-1", POINTS[0][1], "bar")]))
    world.feed(wrong)
    world.restart()
    world.feed(wrong)
    assert world.dead() == ["unit_mismatch"]
    assert world.counts() == {"received": 2, "dead_lettered": 1, "duplicate": 1}


def test_a_known_point_without_gateway_is_now_this_gateways(world: World):
    with psycopg.connect(world.admin_url) as conn:
        conn.execute("UPDATE points SET gateway_id = NULL WHERE community_id = 'alpha'")
    world.feed(world.message(SECOND, birth()))
    assert world.rows(
        "SELECT DISTINCT gateway_id FROM points WHERE equipment_id = 'pump-1' AND community_id = 'alpha'"
    ) == [("g2",)]


def test_an_emptied_retained_topic_says_nothing(world: World):
    world.feed(world.raw(topics.birth(LIVE), b"", "data", topics.partition_of("alpha")))
    assert world.counts() == {"received": 1, "processed": 1}


def test_the_event_lane_alone_writes_the_status(world: World):
    pp = topics.partition_of("alpha")
    at = now_ms()
    payload = msgspec.json.encode(birth())
    world.feed(
        world.raw(topics.birth(LIVE), payload, "event", pp),
        world.message(LIVE, State(online=True, t=at)),
    )
    world.feed(world.message(LIVE, State(online=True, t=at + 1)))
    [found] = world.rows(
        "SELECT online, software, points, clock->>'synchronised', (extract(epoch FROM online_since) * 1000)::bigint,"
        " offline_since FROM gateway_status"
    )
    assert found == (True, "test 1", 2, "true", at, None)
    world.feed(world.message(LIVE, State(online=False)))
    assert world.rows("SELECT online, offline_since > online_since FROM gateway_status") == [(False, True)]
    assert world.rows("SELECT count(*) FROM aliases") == [(0,)]


def test_a_broken_birth_is_buried_by_one_lane_only(world: World):
    for lane in ("data", "event"):
        world.feed(world.raw(topics.birth(LIVE), b"{}", lane, topics.partition_of("alpha")))
    assert world.dead() == ["bad_shape"]
    assert world.counts("event") == {"received": 1, "processed": 1}
