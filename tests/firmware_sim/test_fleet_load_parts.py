"""The parts of a load run, without broker: plan, spool, checksums, poison, faults, options, ledger file."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import psycopg
import pytest

from tests.conftest import Database
from watchkeep_core import topics, vocabulary
from watchkeep_core.database import queries
from watchkeep_core.errors import MessageError, SettingsError
from watchkeep_core.messages import MAX_PAYLOAD_BYTES, Data, Event, decode, encode
from watchkeep_core.mqtt_connection import MAX_PACKET_BYTES
from watchkeep_firmware_sim.errors import FleetError, LedgerError, ScenarioError
from watchkeep_firmware_sim.faults import Fault
from watchkeep_firmware_sim.fleet import PlannedFault
from watchkeep_firmware_sim.fleet_load import records
from watchkeep_firmware_sim.fleet_load.commands import seconds
from watchkeep_firmware_sim.fleet_load.disorder import Disorder
from watchkeep_firmware_sim.fleet_load.lanes import WINDOW, LoadLane
from watchkeep_firmware_sim.fleet_load.options import FleetOptions
from watchkeep_firmware_sim.fleet_load.plan import Plan, plan
from watchkeep_firmware_sim.fleet_load.poison import POISONS
from watchkeep_firmware_sim.fleet_load.seqs import Seqs
from watchkeep_firmware_sim.fleet_load.sick import Infirmary, Said
from watchkeep_firmware_sim.fleet_load.sums import Sums, mixed
from watchkeep_firmware_sim.fleet_load.values import Values

WORDS = vocabulary.load()
SMALL = FleetOptions(points=1237, gateways=7, communities=3, rate=100, readings_per_message=30)
T = 1_800_000_000.0


def test_every_point_has_one_place_and_every_message_at_most_so_many_readings():
    made = plan(SMALL)
    places = [made.position(gateway, np.arange(made.points_of(gateway))) for gateway in range(7)]
    assert sorted(np.concatenate(places).tolist()) == list(range(1237))
    assert np.diff(made.group_start).max() == 30
    assert (np.diff(made.group_start) > 0).all()
    for gateway in range(7):
        declared = made.birth(gateway, "e1", WORDS).points
        assert sorted(point.alias for point in declared) == list(range(made.points_of(gateway)))
    names = {f"{ref.community}/{device.equipment}" for g, ref in enumerate(made.gateways) for device in made.devices(g)}
    assert len(names) == sum(made.device_count(gateway) for gateway in range(7))
    for gateway, number in ((0, 0), (3, 20), (6, made.device_count(6) - 1)):
        name = f"{made.gateways[gateway].community}/{made.device(gateway, number).equipment}"
        assert made.find(name) == (gateway, number)


def test_the_largest_birth_fits_a_message():
    made = plan(FleetOptions(points=1_000_000, gateways=200))
    assert len(encode(made.birth(199, "L6b02dc95-1e7313", WORDS))) < MAX_PAYLOAD_BYTES


def test_the_same_device_reads_the_same_however_the_fleet_is_cut_into_messages():
    found = []
    for per_message in (1237, 10):
        made = plan(replace(SMALL, readings_per_message=per_message))
        values = Values(made, WORDS, T)
        alias = np.arange(made.points_of(2))
        found.append(values.read(0, 1237, T)[made.position(2, alias)])
    assert np.array_equal(found[0], found[1], equal_nan=True)
    assert np.isfinite(found[0]).mean() > 0.9


def test_the_checksum_in_sql_is_the_same(database: Database):
    rng = np.random.default_rng(5)
    time_us = 1_795_000_000_000_000 + rng.integers(0, 10**9, 500) * 1000
    time_us[:4] = [0, 1000, 4_294_967_296_000_000, 2_082_758_400_000_000]
    thousandths = rng.integers(-(10**6), 10**9, 500)
    thousandths[:6] = [0, -1, 1, -(10**12), 10**12, 2**31 - 1]
    statement = queries("watchkeep_firmware_sim.fleet_load", "compare.sql")["sums"]
    with psycopg.connect(database.admin_url) as conn:
        days = "SELECT DISTINCT (to_timestamp(us / 1e6) AT TIME ZONE 'UTC')::date FROM unnest(%s::bigint[]) us"
        conn.execute(f"SELECT make_reading_partitions(ARRAY({days}))", [time_us.tolist()])
        rows = "unnest(%s::bigint[], %s::bigint[]) AS k (us, v)"
        conn.execute(
            f"""INSERT INTO readings SELECT 7, '1970-01-01Z'::timestamptz + make_interval(secs => us / 1000000.0),
                v / 1000.0::float8, 0 FROM {rows}""",
            [time_us.tolist(), thousandths.tolist()],
        )
        span = {"since": "1969-01-01Z", "until": "2110-01-01Z", "started": "1969-01-01Z", "series": None}
        ((_, count, check, bent),) = conn.execute(statement, span).fetchall()
    assert (count, check, bent) == (500, int(mixed(time_us, thousandths).sum()), 0)


def test_the_checksum_sees_what_counts_and_sums_do_not():
    times = np.array([0, 10, 20, 30]) * 1_000_000
    same = np.zeros(4, np.int64)
    outer = mixed(times[[0, 3]], same[:2]).sum()
    assert outer != mixed(times[[1, 2]], same[:2]).sum()
    assert mixed(times[:2], np.array([5, 9])).sum() != mixed(times[:2], np.array([9, 5])).sum()
    assert mixed(times[:1], same[:1], 1) != mixed(times[:1], same[:1])


def test_sums_give_back_what_they_took():
    sums, places, mixes = Sums(10), np.array([2, 2, 5]), np.array([7, 8, 9])
    sums.add(0, 10, np.arange(10))
    sums.add_at(places, mixes)
    assert sums.count[2] == 3
    sums.add_at(places, mixes, -1)
    assert sums.count.tolist() == [1] * 10
    assert sums.check.tolist() == list(range(10))


def lane_with(count: int) -> LoadLane:
    lane = LoadLane(0, "data", 60.0)
    for _ in range(count):
        lane.put(b'"t0":1}', 1, 0.0)
    return lane


def publish(lane: LoadLane, count: int, now_s: float = 0.0) -> list[bytes]:
    sent = []
    for _ in range(count):
        held = lane.take(now_s)
        held.published = True
        sent.append(lane.payload(held))
    return sent


def test_a_message_is_held_until_its_ack_and_sent_again_after_a_silence():
    lane = lane_with(3)
    publish(lane, 3)
    assert [held.seq for held in lane.ack(0, 1.0)] == [0]
    assert lane.waiting == 0
    assert not lane.rewind_if_stalled(60.9)
    assert lane.rewind_if_stalled(61.1)
    assert lane.waiting == 2
    assert publish(lane, 1, 62.0) == [b'{"floor":1,"t0":1}']
    assert not lane.rewind_if_stalled(150.0), "it waits twice as long the second time"


def test_no_more_than_the_window_is_under_way():
    lane = lane_with(WINDOW + 5)
    publish(lane, WINDOW)
    assert lane.waiting == 0
    lane.ack(1, 0.0)
    assert lane.waiting == 2


def test_what_is_evicted_is_lost_or_open_and_the_floor_tells_it():
    lane = lane_with(3)
    publish(lane, 1)
    assert lane.evict().gone
    lane.evict()
    assert ([held.seq for held in lane.opened], str(lane.lost)) == ([0], "{[1,2)}")
    assert lane.untold is False, "one message waits, and will tell it"
    assert publish(lane, 1) == [b'{"floor":2,"t0":1}']
    assert not lane.untold


def test_a_loss_above_all_messages_is_told_by_sending_again():
    lane = lane_with(1)
    lane.lose()
    lane.put(b'"t0":1}', 1, 0.0)
    assert publish(lane, 2)[1] == b'{"floor":0,"t0":1}'
    lane.ack(0, 0.0)
    assert lane.untold
    lane.rewind()
    assert publish(lane, 1) == [b'{"floor":2,"t0":1}']
    assert not lane.untold


def test_a_late_copy_tells_no_floor_above_its_own_seq():
    lane = lane_with(2)
    held = lane.take(0.0)
    lane.ack(1, 0.0)
    payload = lane.payload(held)
    assert payload == b'{"floor":0,"t0":1}'


def test_seqs_are_a_multirange():
    seqs = Seqs()
    for seq in (5, 6, 9, 2):
        seqs.add(seq)
    assert (str(seqs), len(seqs)) == ("{[2,3),[5,7),[9,10)}", 4)


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.name)
def test_poison_becomes_what_the_ledger_says(poison):
    payload = poison.make(17, 1_795_000_000_000)
    if poison.outcome == "refused":
        assert len(payload) > MAX_PACKET_BYTES
        return
    topic = topics.message(plan(SMALL).gateways[0], poison.lane, "L6b02dc95-1e7313", 2**40)
    assert len(payload) + len(topic) + 10 <= MAX_PACKET_BYTES
    kind = Data if poison.lane == "data" else Event
    if poison.outcome == "quarantined":
        assert decode(kind, payload)
        return
    with pytest.raises(MessageError):
        decode(kind, payload)


def test_disorder_loses_nothing_and_doubles_about_as_many_as_it_should():
    disorder: Disorder[int] = Disorder(Random(1), 0.25, 10)
    out = [message for number in range(400) for message in disorder.pass_on(number, 0.0)]
    out += disorder.due(1.0)
    assert set(out) == set(range(400))
    assert len(out) == 400 + disorder.duplicates
    assert 60 < disorder.duplicates < 140
    assert any(a > b for a, b in pairwise(out))


def test_faults_are_the_same_for_the_same_seed_and_one_power_loss_takes_the_building():
    made = plan(FleetOptions(points=2000, gateways=4, communities=2, rate=100, faults=12, skew=0.02, seed=9))
    told = [
        [
            out.event if isinstance(out, Said) else (out.device.name, out.fault.scenario.id, out.begins, out.t)
            for out in Infirmary(made, WORDS, T).step(T + 600)
        ]
        for _ in range(2)
    ]
    assert told[0] == told[1]
    assert len(told[0]) >= 12
    well = plan(FleetOptions(points=2000, gateways=4, communities=2))
    wish = PlannedFault(equipment="load-01/power-0000-1", scenario="building_power_loss", at_s=1)
    causes = [fault.cause for fault in begun(well, [wish])]
    assert causes[0] is None
    assert set(causes[1:]) == {1}


def begun(made: Plan, faults: list[PlannedFault]) -> list[Fault]:
    """Faults that begin within a minute."""
    infirmary = Infirmary(made, WORDS, T)
    for each in faults:
        infirmary.enter(each, T)
    return [out.fault for out in infirmary.step(T + 60) if not isinstance(out, Said) and out.begins]


@pytest.mark.parametrize(
    ("text", "error", "names"),
    [
        ('[[fault]]\nequipment = "load-01/nothing-0000-1"\nscenario = "fire_alarm"\nat_s = 1', FleetError, "nothing"),
        ('[[fault]]\nequipment = "load-01/sump-0000-1"\nscenario = "fire_alarm"\nat_s = 1', ScenarioError, "sump"),
        ('[[fault]]\nequipment = "load-01/sump-0000-1"\nat_s = 1', FleetError, "scenario"),
    ],
)
def test_a_wrong_fault_file_is_told_by_field(tmp_path: Path, text: str, error: type[Exception], names: str):
    file = tmp_path / "faults.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(error, match=names):
        Infirmary(plan(FleetOptions(points=500, gateways=1, communities=1, fault_file=file)), WORDS, T)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"points": 0}, "--points"),
        ({"points": 2_000_000}, "--points"),
        ({"points": 100_000, "gateways": 10}, "--gateways"),
        ({"communities": 500}, "--gateways"),
        ({"points": 10, "gateways": 1, "communities": 1, "rate": 10_000}, "--rate"),
        ({"gateways": 400, "own_connections": True}, "--own-connections"),
        ({"lose": 0.9}, "--lose"),
        ({"for_s": 0}, "--for"),
    ],
)
def test_wrong_options_are_told_by_name(wrong, field):
    with pytest.raises(SettingsError, match=field):
        FleetOptions(**wrong)


def test_lengths_of_time():
    assert [seconds("for", text) for text in ("90", "90s", "1.5m", "2h")] == [90, 90, 90, 7200]
    with pytest.raises(SettingsError, match="--for"):
        seconds("for", "soon")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no load run"),
        ('{"what":"run","mode":"fleet","epoch":"e","started_ms":1,"options":{}}\n', "no load run"),
        ('{"what":"run"}\nnonsense\n', "line 2"),
        ('{"what":"run","mode":"fleet","epoch":"e","started_ms":1,"options":{"points":-1}}\n', "line 1.*--points"),
    ],
)
def test_a_ledger_that_is_none_is_told_by_line(tmp_path: Path, text: str, why: str):
    file = tmp_path / "ledger.jsonl"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(LedgerError, match=why):
        records.read(file)


OPTIONS = '{"points":10,"gateways":1,"communities":1,"rate":1}'
RUN = f'{{"what":"run","mode":"fleet","epoch":"e","started_ms":1,"options":{OPTIONS}}}\n'
WINDOW_ROW = '{"what":"window","from_ms":0,"until_ms":9,"places":null}\n'


@pytest.mark.parametrize(
    ("end", "rows", "points", "why"),
    [
        ("", WINDOW_ROW, 10, "no load run that has ended"),
        ('[1]\n{"what":"end"}\n', WINDOW_ROW, 10, "line 2"),
        ('{"what":"end"}\n', "", 10, "cut off"),
        ('{"what":"end"}\n', '{"what":"lane","gateway":0}\n', 10, "line 1"),
        ('{"what":"end"}\n', '{"what":"nonsense"}\n', 10, "line 1"),
        ('{"what":"end"}\n', WINDOW_ROW, 9, "10 points"),
        ('{"what":"end"}\n', WINDOW_ROW, 0, "cannot be read"),
        ('{"what":"end"}\n', None, 10, "cannot be read"),
    ],
)
def test_a_ledger_that_was_damaged_is_told_and_never_compared(
    tmp_path: Path, end: str, rows: str | None, points: int, why: str
):
    file = tmp_path / "ledger.jsonl"
    file.write_text(RUN + end, encoding="utf-8")
    if rows is not None:
        records.beside(file, "e", "sent.jsonl").write_text(rows, encoding="utf-8")
    if points:
        records.save_sums(file, "e", Sums(points))
    else:
        records.beside(file, "e", "npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(LedgerError, match=why):
        records.read(file)


def test_a_ledger_on_a_disk_that_refuses_is_told(tmp_path: Path):
    with pytest.raises(LedgerError, match="cannot be written"):
        records.save_sums(tmp_path / "nowhere" / "ledger.jsonl", "e", Sums(1))
