"""Wrong clocks: of a device, of a whole gateway, and a backlog, which is neither."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.analytics.world import T0, batch, brief, moment, point, registry
from watchkeep_analytics import register
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.detectors.clocks import Clocks, Refused, Told
from watchkeep_analytics.registry import Registry
from watchkeep_core.database import connect

LIFT = ("c1", "E1")


def fleet(pieces: int = 4) -> Registry:
    return registry([point(10 + k, "machine_temperature", equipment=f"E{k + 1}") for k in range(pieces)])


def told(skew_s: float, *keys: tuple[str, str]) -> Told:
    return Told(devices=dict.fromkeys(keys, skew_s))


def test_a_device_ahead_is_told_at_once_and_over_when_it_is_right():
    made = fleet()
    clocks = Clocks(made)
    clocks.tell(told(-900.0, LIFT))
    (signal,) = clocks.tick(moment(made, 10))
    assert (signal.equipment, signal.condition, signal.tier) == ("E1", "sensor_clock_skew", "warning")
    assert signal.evidence["actual"] == 900.0
    assert clocks.tick(moment(made, 20)) == []
    clocks.tell(Told())
    assert brief(clocks.tick(moment(made, 30))) == [("sensor_clock_skew", False, 30.0)]


def test_a_device_behind_is_told_when_it_stays_so():
    made = fleet()
    clocks = Clocks(made)
    clocks.tell(told(28_800.0, LIFT))
    assert clocks.tick(moment(made, 0)) == []
    assert clocks.tick(moment(made, 179)) == []
    assert brief(clocks.tick(moment(made, 180))) == [("sensor_clock_skew", True, 0.0)]


def test_a_backlog_is_no_wrong_clock():
    made = fleet()
    clocks = Clocks(made)
    found = []
    for k in range(20):
        clocks.tell(told(3600.0 - 180 * k, LIFT))
        found += clocks.tick(moment(made, 60 * k))
    assert found == []


@pytest.mark.parametrize(("skew_s", "opens"), [(-301.0, True), (-299.0, False)])
def test_the_tolerance(skew_s, opens):
    made = fleet()
    clocks = Clocks(made)
    clocks.tell(told(skew_s, LIFT))
    assert bool(clocks.tick(moment(made, 0))) is opens


def test_most_devices_of_a_gateway_off_alike_are_its_clock():
    made = fleet()
    clocks = Clocks(made)
    clocks.tell(told(-600.0, *[("c1", f"E{k}") for k in (1, 2, 3)]))
    assert [(s.equipment, s.condition) for s in clocks.tick(moment(made, 0))] == [("G1", "gateway_clock_wrong")]


def test_a_gateway_that_says_so_takes_its_devices_with_it():
    made = fleet()
    clocks = Clocks(made)
    clocks.tell(Told({LIFT: -610.0, ("c1", "E2"): -5000.0}, {("c1", "g1"): -600.0}))
    found = {(s.equipment, s.condition) for s in clocks.tick(moment(made, 0))}
    assert found == {("G1", "gateway_clock_wrong"), ("E2", "sensor_clock_skew")}


def estate(gateways: int) -> Registry:
    """Two pieces of equipment behind each."""
    return registry(
        [
            point(
                10 + k, "machine_temperature", equipment=f"E{k}", gateway=f"g{k // 2}", gateway_equipment=f"G{k // 2}"
            )
            for k in range(2 * gateways)
        ]
    )


@pytest.mark.parametrize("skew_s", [600.0, -600.0])
def test_most_gateways_off_alike_are_one_warning_about_the_clock_of_the_server(skew_s):
    made = estate(20)
    clocks = Clocks(made)
    said = {("c1", f"g{k}"): skew_s + k for k in range(8)}  # the others do not measure; their devices show it
    seen = {("c1", f"E{k}"): skew_s for k in range(8, 30)}
    found = []
    for t in range(0, 400, 10):
        clocks.tell(Told(seen if t >= 20 else {}, said))  # what ingest reckons comes later
        found += clocks.tick(moment(made, t))
    assert [(s.equipment, s.condition, s.text, s.active) for s in found] == [
        ("G0", "gateway_clock_wrong", "server_clock", True)
    ]
    clocks.tell(Told({}, {("c1", "g3"): skew_s}))
    for t in range(400, 800, 10):
        found += clocks.tick(moment(made, t))
    assert [(s.equipment, s.text, s.active) for s in found[1:]] == [
        ("G0", "server_clock", False),
        ("G3", "clock", True),
    ]


def test_a_few_wrong_gateways_among_many_are_told_one_by_one():
    made = estate(20)
    clocks = Clocks(made)
    clocks.tell(Told({}, {("c1", f"g{k}"): -600.0 for k in range(5)}))
    found = [s for t in range(0, 100, 10) for s in clocks.tick(moment(made, t))]
    assert [(s.equipment, s.text) for s in found] == [(f"G{k}", "clock") for k in range(5)]


def test_refused_readings_count_until_believable_ones_come():
    made = fleet()
    clocks = Clocks(made)
    clocks.tell(Told(refused={LIFT: Refused(-3e8, T0)}))
    assert brief(clocks.tick(moment(made, 5))) == [("sensor_clock_skew", True, 5.0)]
    clocks.tell(Told())
    assert clocks.tick(moment(made, 900)) == []
    good = batch([(0, 901, 50.0)])
    made.advance(good.row, good.t_us)
    assert brief(clocks.tick(moment(made, 902))) == [("sensor_clock_skew", False, 902.0)]


def test_saved_and_restored():
    made = fleet()
    clocks, again = Clocks(made), Clocks(made)
    clocks.tell(Told({("c1", "E2"): 700.0}, refused={LIFT: Refused(-900.0, T0)}))
    clocks.tick(moment(made, 0))
    again.load(clocks.save())
    assert again.tick(moment(made, 10)) == []  # nothing is known yet, which says nothing
    again.tell(told(700.0, ("c1", "E2")))
    assert [s.equipment for s in again.tick(moment(made, 200))] == ["E2"]
    with pytest.raises(ValueError, match="truncated"):
        again.load(b"\x92")


def test_what_ingest_knows_reaches_the_detector(home):
    series = home.series["alpha", "lift-1", "machine_temperature"]
    now = datetime.now(UTC)
    home.admin.execute(
        "INSERT INTO device_clocks VALUES ('alpha', 'lift-2', 28800000, now()), ('alpha', 'x', 0, now())"
    )
    home.admin.execute(
        "INSERT INTO gateway_status (community_id, gateway_id, online, clock)"
        """ VALUES ('alpha', 'g1', true, '{"server_offset_ms": 400000}'), ('alpha', 'g2', true, '{}')"""
    )
    home.admin.execute(
        "INSERT INTO quarantine (community_id, gateway_id, series_id, ts, value, quality, reason, received_at)"
        " VALUES ('alpha', 'g1', %s, %s, 1, 0, 'in_future', %s),"
        " ('alpha', 'g1', %s, now() + interval '1 h', 1e200, 0, 'impossible_value', now())",  # says nothing of clocks
        [series, now + timedelta(seconds=900), now, series],
    )
    with connect(home.url, "test") as conn:
        found, last = register.clocks(conn, 0)
        assert found.devices == {("alpha", "lift-2"): 28800.0}
        assert found.gateways == {("alpha", "g1"): -400.0}
        assert found.refused["alpha", "lift-1"].skew_s == pytest.approx(-900)
        assert abs(found.refused["alpha", "lift-1"].received_us / SECOND - now.timestamp()) < 1
        assert register.clocks(conn, last) == (Told(found.devices, found.gateways, {}), last)
