"""What Sparkplug B messages mean: decoded, counted, mapped; without a broker."""

import gzip
import struct
import zlib
from pathlib import Path

import pytest

from tests.gateway import sparkplug_bytes as sp
from watchkeep_core.errors import MessageError
from watchkeep_gateway.config_file import read
from watchkeep_gateway.drivers.mapping import Edges
from watchkeep_gateway.drivers.sparkplug.memory import recall, to_remember
from watchkeep_gateway.drivers.sparkplug.nodes import Kind, Nodes
from watchkeep_gateway.drivers.sparkplug.payload import decode, value_of
from watchkeep_gateway.drivers.sparkplug.rebirths import FIRST_WAIT_S, MAX_PER_S, Rebirths
from watchkeep_gateway.drivers.sparkplug.tables import PointRow, SparkplugTable
from watchkeep_gateway.drivers.sparkplug.targets import Source, Targets
from watchkeep_gateway.drivers.sparkplug.values import Outcome
from watchkeep_gateway.errors import ConfigError
from watchkeep_gateway.values import Reading

T = 1_800_000_000_000
NODE, DEVICE = Source("harbour", "edge-1"), Source("harbour", "edge-1", "lift-1")
POINTS = (
    PointRow(name="Motor/Temperature", metric="machine_temperature"),
    PointRow(name="Motor/Current", metric="motor_current_percent", scale=0.1),
    PointRow(name="Door", metric="door_status", map={"SHUT": "closed", "OPEN": 2}),
    PointRow(name="Trapped", condition="entrapment"),
    PointRow(
        name="Pumps/{pump}/Bearing", source="{group}/{edge}", equipment="pump-{pump}", metric="bearing_temperature"
    ),
    PointRow(name="Axes", metric="car_vibration_vertical", element=1),
)
KINDS = {"lift-1": "elevator", "pump-a": "supply_pump"}


class Bench:
    """A few nodes and what is remembered of them."""

    def __init__(self, points: tuple[PointRow, ...] = POINTS, raised: frozenset[tuple[str, str]] = frozenset()) -> None:
        self.table = SparkplugTable(name="x", points=points)
        self.nodes = Nodes(Targets(self.table, KINDS), Edges(raised))
        self.memory: dict[str, str] = {}
        self.order = 0

    def say(
        self, kind: Kind, data: bytes, source: Source | None = None, *, t: int = T + 99, duplicate: bool = False
    ) -> Outcome:
        default = NODE if kind.startswith("N") else DEVICE
        outcome = self.nodes.take(kind, source or default, data, t, duplicate)
        self.order += 1
        urgent = bool(outcome.events) and kind.endswith("DATA")
        for key, value in to_remember("sparkplug-x", NODE, outcome, self.order, urgent=urgent).items():
            self.memory.pop(key, None) if value is None else self.memory.update({key: value})
        return outcome

    def born(self, *device_metrics: bytes, t: int = T) -> Outcome:
        """Node with seq 0, device with seq 1."""
        self.say("NBIRTH", sp.payload([sp.bd_seq(7)], 0, t))
        return self.say("DBIRTH", sp.payload(device_metrics or BORN, 1, t))

    def restarted(self) -> "Bench":
        again = Bench(self.table.points)
        known = recall("sparkplug-x", self.memory)
        again.nodes.restore(known.births, known.counts)
        again.memory, again.order = dict(self.memory), known.order
        return again


BORN = (
    sp.metric("Motor/Temperature", 40.5, sp.DOUBLE, alias=1, t=T),
    sp.metric("Motor/Current", 500, sp.INT16, alias=2, t=T),
    sp.metric("Door", "SHUT", sp.STRING, alias=3, t=T),
    sp.metric("Trapped", False, sp.BOOLEAN, alias=4, t=T),
    sp.metric("Serial number", "A-1", sp.STRING, alias=5, t=T),
)


def by_alias(alias: int, value: object, datatype: int = sp.DOUBLE, t: int | None = T + 5, **more: bool) -> bytes:
    return sp.metric("", value, datatype, alias=alias, t=t, typed=False, **more)


def test_a_birth_tells_values_and_data_by_alias_follow() -> None:
    bench = Bench()
    born = bench.born()
    assert born.readings == [
        Reading("lift-1", "machine_temperature", T, 40.5),
        Reading("lift-1", "motor_current_percent", T, 50.0),
        Reading("lift-1", "door_status", T, 1.0),
    ]
    assert born.unmapped == ("Serial number",)
    assert (born.events, born.problems, born.rebirth) == ([], {}, "")
    data = bench.say(
        "DDATA", sp.payload([by_alias(1, 41.0), by_alias(2, -3, sp.INT16), by_alias(3, "OPEN", sp.STRING)], 2, T)
    )
    assert [(reading.metric, reading.value, reading.t_ms) for reading in data.readings] == [
        ("machine_temperature", 41.0, T + 5),
        ("motor_current_percent", pytest.approx(-0.3), T + 5),
        ("door_status", 2.0, T + 5),
    ]
    assert not data.rebirth


def test_time_is_the_metric_s_else_the_payload_s_else_the_receive_time() -> None:
    bench = Bench()
    bench.born()
    said = [
        bench.say("DDATA", sp.payload([by_alias(1, 1.0, t=T + 5)], 2, T + 6)),
        bench.say("DDATA", sp.payload([by_alias(1, 1.0, t=None)], 3, T + 6)),
        bench.say("DDATA", sp.payload([by_alias(1, 1.0, t=None)], 4), t=T + 7),
    ]
    assert [outcome.readings[0].t_ms for outcome in said] == [T + 5, T + 6, T + 7]
    assert [outcome.own_time for outcome in said] == [True, True, False]


def test_null_says_nothing_and_history_keeps_its_own_time() -> None:
    bench = Bench()
    bench.born()
    bench.say("DDATA", sp.payload([by_alias(4, True, sp.BOOLEAN, T + 500)], 2, T + 500))
    outcome = bench.say(
        "DDATA",
        sp.payload(
            [
                by_alias(1, None),
                by_alias(1, 33.0, t=T - 60_000, historical=True),
                by_alias(4, False, sp.BOOLEAN, t=T - 60_000, historical=True),
            ],
            3,
            T + 600,
        ),
    )
    assert outcome.readings == [Reading("lift-1", "machine_temperature", T - 60_000, 33.0)]
    assert outcome.events == [], "how it was a minute ago does not end what holds now"


def test_quality() -> None:
    bench = Bench()
    birth = [sp.metric("Motor/Temperature", 1.0, alias=1, t=T, quality=number) for number in (192, 0, 500, 64)]
    assert [bench.born(one, t=T).readings[0].quality if bench else 0 for one in birth[:1]] == [0]
    for seq, (number, quality) in enumerate([(192, 0), (0, 2), (500, 1), (80, 1), (216, 0)], 2):
        one = sp.metric("", 1.0, alias=1, t=T + seq, typed=False, quality=number)
        assert bench.say("DDATA", sp.payload([one], seq, T)).readings[0].quality == quality, number


def test_a_condition_is_told_when_it_changes_only() -> None:
    bench = Bench()
    bench.born()
    events = []
    for seq, state in enumerate([False, True, True, False, False], 2):
        events += bench.say("DDATA", sp.payload([by_alias(4, state, sp.BOOLEAN, T + seq)], seq, T)).events
    assert [(event.condition, event.active, event.t_ms, event.raw_code) for event in events] == [
        ("entrapment", True, T + 3, "true"),
        ("entrapment", False, T + 5, "false"),
    ]
    assert events[0].attributes == {"source": "harbour/edge-1/lift-1 Trapped"}


def test_a_condition_raised_before_a_restart_is_cleared_after_it() -> None:
    bench = Bench(raised=frozenset({("lift-1", "entrapment")}))
    assert [(event.condition, event.active) for event in bench.born().events] == [("entrapment", False)]


@pytest.mark.parametrize(
    ("datatype", "raw", "value"),
    [
        (sp.INT8, -5, -5.0),
        (sp.INT16, -30_000, -30_000.0),
        (sp.INT32, -(2**31), -(2.0**31)),
        (sp.INT64, -7, -7.0),
        (sp.UINT8, 255, 255.0),
        (sp.UINT16, 65_535, 65_535.0),
        (sp.UINT32, 2**32 - 1, 2.0**32 - 1),
        (sp.UINT64, 2**53, 2.0**53),
        (sp.FLOAT, 1.5, 1.5),
        (sp.DOUBLE, -1e300, -1e300),
        (sp.BOOLEAN, True, True),
        (sp.DATETIME, T, float(T)),
        (sp.STRING, "电梯", "电梯"),
        (sp.TEXT, "x", "x"),
        (sp.UUID, "2f1c", "2f1c"),
    ],
)
def test_data_types(datatype: int, raw: object, value: object) -> None:
    (metric,) = decode(sp.payload([sp.metric("a", raw, datatype)])).metrics
    assert value_of(metric, datatype) == value


def test_a_small_integer_that_is_not_sign_extended() -> None:
    (metric,) = decode(sp.payload([sp.metric("a", 0xFB, sp.INT8)])).metrics
    assert value_of(metric, sp.INT8) == -5.0


@pytest.mark.parametrize(
    ("datatype", "raw", "element", "value"),
    [
        (sp.INT16_ARRAY, struct.pack("<3h", 1, -2, 3), 1, -2.0),
        (sp.DOUBLE_ARRAY, struct.pack("<2d", 1.5, 2.5), 1, 2.5),
        (sp.BOOLEAN_ARRAY, struct.pack("<I", 10) + bytes([0b0100_0000, 0b1100_0000]), 9, True),
        (sp.STRING_ARRAY, b"a\0b\0", 1, "b"),
    ],
)
def test_arrays(datatype: int, raw: bytes, element: int, value: object) -> None:
    (metric,) = decode(sp.payload([sp.metric("a", raw, datatype)])).metrics
    assert value_of(metric, datatype, element) == value
    for wrong in (None, 99):
        with pytest.raises(MessageError):
            value_of(metric, datatype, wrong)


@pytest.mark.parametrize("datatype", [sp.DATASET, sp.BYTES, sp.FILE])
def test_what_is_no_single_value_is_refused(datatype: int) -> None:
    (metric,) = decode(sp.payload([sp.metric("a", b"abc", datatype)])).metrics
    with pytest.raises(MessageError, match="bad_type"):
        value_of(metric, datatype)


def test_a_value_that_does_not_fit_its_type_spoils_no_other() -> None:
    bench = Bench()
    bench.born()
    outcome = bench.say("DDATA", sp.payload([by_alias(1, "hot", sp.STRING), by_alias(2, 7, sp.INT16)], 2, T))
    assert [reading.metric for reading in outcome.readings] == ["motor_current_percent"]
    assert set(outcome.problems) == {"bad_value"}
    assert "Motor/Temperature" in outcome.problems["bad_value"]


def test_members_of_a_template_by_name_and_by_alias() -> None:
    bench = Bench((PointRow(name="Motor/Temperature", metric="machine_temperature"),))
    member = sp.metric("Temperature", 40.0, sp.DOUBLE, t=T)
    assert len(bench.born(sp.metric("Motor", member, sp.TEMPLATE, alias=9)).readings) == 1
    member = sp.metric("Temperature", 41.0, sp.DOUBLE, t=T + 1)
    outcome = bench.say("DDATA", sp.payload([sp.metric("", member, sp.TEMPLATE, alias=9)], 2, T))
    assert outcome.readings == [Reading("lift-1", "machine_temperature", T + 1, 41.0)]


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress])
def test_a_packed_payload(pack: object) -> None:
    assert callable(pack)
    inner = sp.payload([sp.metric("a", 1.0)], 3, T)
    outer = sp.block(4, b"SPBV1.0_COMPRESSED") + sp.block(5, pack(inner))
    assert decode(outer).seq == 3
    with pytest.raises(MessageError, match="undecodable"):
        decode(sp.block(4, b"SPBV1.0_COMPRESSED") + sp.block(5, b"not packed"))
    with pytest.raises(MessageError, match="too_large"):
        decode(sp.block(4, b"SPBV1.0_COMPRESSED") + sp.block(5, pack(bytes(10_000_000))))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xff\xff", "undecodable"),
        (sp.block(2, sp.block(1, b"\xff\xfe")), "undecodable"),
        (bytes(2_000_001), "too_large"),
    ],
)
def test_garbage(data: bytes, reason: str) -> None:
    bench = Bench()
    with pytest.raises(MessageError) as caught:
        bench.say("NBIRTH", data)
    assert caught.value.reason == reason


def test_equipment_by_pattern_and_by_table() -> None:
    bench = Bench()
    pumps = [sp.metric("Pumps/a/Bearing", 50.0, t=T), sp.metric("Pumps/b c/Bearing", 50.0, t=T)]
    born = bench.say("NBIRTH", sp.payload([sp.bd_seq(1), *pumps], 0, T))
    assert [reading.equipment for reading in born.readings] == ["pump-a"]
    assert born.unmapped == ("Pumps/b c/Bearing",), "no id can be made of it"
    table = SparkplugTable(name="x", points=POINTS, devices={"harbour/edge-1/Lift A": "lift-1"})
    target = Targets(table, KINDS).find(Source("harbour", "edge-1", "Lift A"), "Trapped")
    assert target is not None
    assert target.equipment == "lift-1"
    strict = SparkplugTable(name="x", points=POINTS, undeclared="reject")
    assert Targets(strict, KINDS).find(Source("harbour", "edge-1", "lift-2"), "Trapped") is None


def test_a_row_is_for_equipment_of_a_kind_that_has_the_metric() -> None:
    rows = (
        PointRow(name="Temp", metric="bearing_temperature"),
        PointRow(name="Temp", metric="machine_temperature"),
    )
    targets = Targets(SparkplugTable(name="x", points=rows), KINDS)
    for equipment, metric in (("lift-1", "machine_temperature"), ("pump-a", "bearing_temperature")):
        target = targets.find(Source("harbour", "edge-1", equipment), "Temp")
        assert target is not None
        assert target.row.metric == metric


def test_units_are_converted() -> None:
    row = PointRow(name="P", metric="outlet_pressure", unit="bar", equipment="set-1")
    bench = Bench((row,))
    assert bench.born(sp.metric("P", 6.0, t=T)).readings == [Reading("set-1", "outlet_pressure", T, 600.0)]


def test_a_gap_voids_aliases_until_the_node_is_born_again() -> None:
    bench = Bench()
    bench.born()
    lost = bench.say("DDATA", sp.payload([by_alias(1, 41.0)], 5, T))
    assert (lost.readings, lost.rebirth, set(lost.problems)) == ([], "seq 5 instead of 2", {"no_birth"})
    named = bench.say("DDATA", sp.payload([sp.metric("Motor/Temperature", 42.0, t=T + 6)], 6, T))
    assert [reading.value for reading in named.readings] == [42.0], "a name means the same whatever was lost"
    assert named.rebirth, "asked for until it comes"
    assert bench.born().readings == [], "the same values of the same time were not read anew"
    good = bench.say("DDATA", sp.payload([by_alias(1, 43.0, t=T + 7)], 2, T))
    assert ([reading.value for reading in good.readings], good.rebirth) == ([43.0], "")


def test_seq_begins_again_after_255() -> None:
    bench = Bench()
    bench.born()
    for number in range(2, 600):
        outcome = bench.say("DDATA", sp.payload([by_alias(1, 1.0, t=T + number)], number % 256, T))
        assert not outcome.rebirth, number


def test_what_the_broker_delivers_again_is_no_gap() -> None:
    bench = Bench()
    bench.born()
    said = [
        sp.payload([by_alias(1, float(number), t=T + number)], number % 256, T + number) for number in range(2, 500)
    ]
    for data in said:
        bench.say("DDATA", data)
    for known in (bench, bench.restarted()):
        for first in (490, 400, 200, 0):
            for data in said[first:]:
                outcome = known.say("DDATA", data, duplicate=True)
                assert (outcome.rebirth, len(outcome.readings)) == ("", 1), "the spool knows it by its digest"
            assert not known.say("DDATA", sp.payload([by_alias(1, 5.0)], 500 % 256, T + 500), duplicate=True).rebirth
        assert not known.say("DDATA", sp.payload([by_alias(1, 5.0)], 501 % 256, T + 501)).rebirth


def test_an_alias_that_no_birth_told_of() -> None:
    bench = Bench()
    bench.born()
    outcome = bench.say("DDATA", sp.payload([by_alias(77, 1.0), by_alias(1, 41.0)], 2, T))
    assert [reading.value for reading in outcome.readings] == [41.0]
    assert set(outcome.problems) == {"unknown_alias"}
    assert outcome.rebirth


@pytest.mark.parametrize("kind", ["NDATA", "DDATA", "DBIRTH", "DDEATH"])
def test_nothing_counts_before_the_birth_of_the_node(kind: Kind) -> None:
    outcome = Bench().say(kind, sp.payload([sp.metric("Motor/Temperature", 1.0)], 3, T))
    assert (outcome.readings, outcome.rebirth) == ([], "it was not born")


def test_an_unknown_device_of_a_known_node() -> None:
    bench = Bench()
    bench.born()
    outcome = bench.say("DDATA", sp.payload([by_alias(1, 1.0)], 2, T), Source("harbour", "edge-1", "other"))
    assert set(outcome.problems) == {"no_birth"}
    assert outcome.rebirth


def test_death_of_a_node_silences_all_its_equipment_until_the_next_birth() -> None:
    bench = Bench()
    bench.say("NBIRTH", sp.payload([sp.bd_seq(7), sp.metric("Pumps/a/Bearing", 50.0, t=T)], 0, T))
    bench.say("DBIRTH", sp.payload(BORN, 1, T))
    dead = bench.say("NDEATH", sp.payload([sp.bd_seq(7)], None, 1), t=T + 1000)
    assert dead.readings == [], "what it said last is not said anew"
    told = sorted((event.equipment, event.condition, event.active, event.t_ms) for event in dead.events)
    assert told == [("lift-1", "sensor_silent", True, T + 1000), ("pump-a", "sensor_silent", True, T + 1000)]
    assert dead.link is False
    assert bench.say("DDATA", sp.payload([by_alias(1, 1.0)], 2, T)).rebirth == "it was not born"
    bench.say("NBIRTH", sp.payload([sp.bd_seq(8)], 0, T + 2000))
    born = bench.say("DBIRTH", sp.payload(BORN, 1, T + 2000))
    assert [(event.equipment, event.active) for event in born.events] == [("lift-1", False)]
    assert born.readings == []


def test_a_will_of_an_earlier_connection_ends_nothing() -> None:
    bench = Bench()
    bench.born()
    late = bench.say("NDEATH", sp.payload([sp.bd_seq(6)]))
    assert (late.events, late.link, set(late.problems)) == ([], None, {"stale_death"})
    assert bench.say("DDATA", sp.payload([by_alias(1, 1.0)], 2, T)).readings


def test_death_of_a_device() -> None:
    bench = Bench()
    bench.born()
    dead = bench.say("DDEATH", sp.payload([], 2, T + 50))
    assert [(event.equipment, event.condition, event.t_ms) for event in dead.events] == [
        ("lift-1", "sensor_silent", T + 50)
    ]
    assert bench.say("DDATA", sp.payload([by_alias(1, 1.0)], 3, T)).problems.keys() == {"no_birth"}


def test_a_restarted_gateway_knows_aliases_and_counts() -> None:
    bench = Bench()
    bench.born()
    bench.say("DDATA", sp.payload([by_alias(1, 41.0)], 2, T + 5))
    again = bench.restarted()
    redelivered = again.say("DDATA", sp.payload([by_alias(1, 41.0)], 2, T + 5), duplicate=True)
    assert (len(redelivered.readings), redelivered.rebirth) == (1, ""), "the spool drops it"
    after = again.say("DDATA", sp.payload([by_alias(1, 42.0, t=T + 9)], 3, T + 9))
    assert ([reading.value for reading in after.readings], after.rebirth) == ([42.0], "")
    assert again.restarted().born().readings == [], "values as old as those already told"


def test_a_restarted_gateway_does_not_trust_aliases_after_a_gap() -> None:
    bench = Bench()
    bench.born()
    after = bench.restarted().say("DDATA", sp.payload([by_alias(1, 42.0)], 9, T + 9))
    assert (after.readings, after.rebirth) == ([], "seq 9 instead of 2")


def test_events_overtake_readings_on_their_way_to_disk_and_the_later_count_holds() -> None:
    bench = Bench()
    bench.born()
    for number, state in enumerate([True, None, False, None], 2):
        said = by_alias(1, 41.0, t=T + number) if state is None else by_alias(4, state, sp.BOOLEAN, T + number)
        bench.say("DDATA", sp.payload([said], number, T + number))
        assert {key.split()[1] for key in bench.memory} == {"birth", "count", "urgent"}
        next_one = sp.payload([by_alias(2, 7, sp.INT16, T + 50)], number + 1, T + 50)
        assert not bench.restarted().say("DDATA", next_one).rebirth


def test_a_gap_is_not_forgotten_by_a_restart() -> None:
    bench = Bench()
    bench.born()
    bench.say("DDATA", sp.payload([by_alias(1, 41.0)], 5, T))
    after = bench.restarted().say("DDATA", sp.payload([by_alias(1, 42.0)], 6, T + 9))
    assert (after.readings, after.rebirth) == ([], "births may be missing")


def test_a_restarted_gateway_knows_nothing_of_the_dead() -> None:
    bench = Bench()
    bench.born()
    bench.say("NDEATH", sp.payload([sp.bd_seq(7)]))
    assert bench.memory == {}


def test_memory_that_cannot_be_read_costs_a_rebirth_and_no_more() -> None:
    bench = Bench()
    bench.born()
    for key in bench.memory:
        bench.memory[key] = "!"
    assert bench.restarted().say("DDATA", sp.payload([by_alias(1, 42.0)], 2, T)).rebirth == "it was not born"


def test_rebirth_is_asked_at_once_then_ever_more_rarely() -> None:
    rebirths = Rebirths()
    asked = [second for second in range(1000) if rebirths.ask(NODE, float(second))]
    assert asked[:4] == [0, FIRST_WAIT_S, 3 * FIRST_WAIT_S, 7 * FIRST_WAIT_S]
    rebirths.born(NODE)
    assert not rebirths.ask(NODE, 1000.0), "two births must not chase each other"
    storm = Rebirths()
    assert sum(storm.ask(Source("g", f"edge-{number}"), 0.0) for number in range(500)) == MAX_PER_S


HEAD = """[gateway]
community = "c1"
id = "g1"
[[device]]
equipment = "lift-1"
kind = "elevator"
[[sparkplug]]
name = "s"
"""
ROW = 'points = [{ name = "a", metric = "machine_temperature" }]\n'


@pytest.mark.parametrize(
    ("text", "line", "field", "problem"),
    [
        ('points = [{ name = "a" }]', 9, "points[0].metric", "metric or condition is needed"),
        ('points = [{ name = "a", metric = "machine_temperatur" }]', 9, "points[0].metric", "did you mean"),
        ('points = [{ name = "a", condition = "no_such" }]', 9, "points[0].condition", "no condition"),
        ('points = [{ name = "{A}", metric = "car_floor" }]', 9, "points[0].name", "lower_case"),
        ('points = [{ name = "a", metric = "car_floor", equipment = "x-{y}" }]', 9, "points[0].equipment", "neither"),
        ('points = [{ name = "a", metric = "car_floor", equipment = "no id" }]', 9, "points[0].equipment", "no id"),
        ('points = [{ name = "a", metric = "ph", equipment = "lift-1" }]', 9, "points[0].metric", "of a elevator"),
        ('points = [{ name = "a", metric = "car_floor", source = "x" }]', 9, "points[0].source", "GROUP/EDGE"),
        ('points = [{ name = "a", metric = "outlet_pressure", unit = "m" }]', 9, "points[0].unit", "bar"),
        ('points = [{ name = "a", metric = "door_status", map = { x = "ajar" } }]', 9, "points[0].map.x", "no state"),
        (ROW + 'groups = ["a/b"]', 10, "groups[0]", "no group id"),
        (ROW + 'host_id = "h"', 10, "host_id", "url of its own"),
        (ROW + 'url = "mqtt://h"', 7, "user", "needed"),
        (ROW + 'devices = { "x" = "lift-1" }', 10, "devices.x", "GROUP/EDGE"),
        (ROW + '[[sparkplug]]\nname = "s"\n' + ROW, 11, "", "there twice"),
        (ROW + '[[sparkplug]]\nname = "t"\n' + ROW, 10, "url", "hears this broker already"),
        ("", 7, "points", "missing"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, line: int, field: str, problem: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read(file)
    assert any(mistake.field.endswith(field) and problem in mistake.text for mistake in caught.value.mistakes), (
        caught.value
    )
    assert any(abs(mistake.line - line) <= 1 for mistake in caught.value.mistakes), caught.value
