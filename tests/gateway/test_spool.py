"""The spool: what is on it stays until the database has it."""

import dataclasses
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gateway.conftest import REF, UNITS, make_spool, wait_until
from watchkeep_core.errors import SettingsError
from watchkeep_core.messages import Data, Event, decode
from watchkeep_core.topics import GatewayRef, Lane
from watchkeep_gateway.batching import with_floor
from watchkeep_gateway.config import SpoolTable
from watchkeep_gateway.errors import SpoolClosed
from watchkeep_gateway.spool import Spool
from watchkeep_gateway.spool_reader import SpoolReader, rejected, status
from watchkeep_gateway.values import Delivery, DeviceEvent, Reading, Readings

T = 1_700_000_000_000


def reading(number: int, metric: str = "machine_temperature", value: float | None = None) -> Reading:
    return Reading("lift-1", metric, T + number, float(number) if value is None else value)


def put(spool: Spool, *numbers: int) -> None:
    for number in numbers:
        spool.put(Delivery(Readings.of([reading(number)]))).result(60)


def event(number: int, **more: object) -> DeviceEvent:
    return DeviceEvent(T + number, "lift-1", "ucm", True, **more)  # type: ignore[arg-type]  # test convenience


def stored(folder: Path, lane: Lane, from_seq: int = 0) -> list[tuple[int, Data | Event]]:
    reader = SpoolReader(folder)
    floor, rows = reader.read(lane, from_seq, 10_000)
    reader.close()
    whole = [(row.seq, with_floor(row.body, floor or 0)) for row in rows]
    if lane == "data":
        return [(seq, decode(Data, payload)) for seq, payload in whole]
    return [(seq, decode(Event, payload)) for seq, payload in whole]


def values(folder: Path) -> list[float]:
    return [value for _, body in stored(folder, "data") if isinstance(body, Data) for value in body.value]


def test_seq_rises_by_one_and_is_not_reused_after_ack_and_restart(folder: Path) -> None:
    spool = make_spool(folder)
    put(spool, 0, 1, 2)
    epoch = spool.lanes["data"].epoch
    spool.ack("data", epoch, 2)
    wait_until(lambda: spool.lanes["data"].messages == 0)
    spool.close()

    spool = make_spool(folder)
    put(spool, 3)
    spool.close()

    assert [seq for seq, _ in stored(folder, "data")] == [3]
    assert spool.lanes["data"].epoch == epoch


def test_lanes_have_their_own_epoch_and_seq(folder: Path) -> None:
    spool = make_spool(folder)
    put(spool, 0)
    spool.put(Delivery(events=(event(0), event(1)))).result(60)
    spool.close()
    lanes = spool.lanes
    assert lanes["data"].epoch != lanes["event"].epoch
    assert (lanes["data"].next_seq, lanes["event"].next_seq) == (1, 2)


def test_ack_deletes_the_prefix_only_and_knows_its_epoch(folder: Path) -> None:
    spool = make_spool(folder)
    put(spool, *range(5))
    spool.ack("data", "another", 4)
    spool.ack("data", spool.lanes["data"].epoch, 2)
    wait_until(lambda: spool.lanes["data"].floor == 3)
    spool.close()
    assert [seq for seq, _ in stored(folder, "data")] == [3, 4]
    state = spool.lanes["data"]
    assert (state.messages, state.readings, state.next_seq) == (2, 2, 5)
    assert state.bytes == sum(len(row.body) for row in SpoolReader(folder).read("data", 0, 9)[1])


def test_ack_of_one_lane_leaves_the_other(folder: Path) -> None:
    spool = make_spool(folder)
    put(spool, 0)
    spool.put(Delivery(events=(event(0),))).result(60)
    spool.ack("event", spool.lanes["event"].epoch, 0)
    wait_until(lambda: spool.lanes["event"].messages == 0)
    spool.close()
    assert spool.lanes["data"].messages == 1


def test_readings_of_a_window_become_one_message_and_an_event_does_not_wait(folder: Path) -> None:
    spool = make_spool(folder, batch_s=30)
    waiting = [spool.put(Delivery(Readings.of([reading(number)]))) for number in range(100)]
    spool.put(Delivery(events=(event(0),))).result(60)
    assert not any(future.done() for future in waiting)
    spool.close()
    assert all(future.result(0) is None for future in waiting)
    (message,) = stored(folder, "data")
    assert isinstance(message[1], Data)
    assert len(message[1].value) == 100


def test_a_full_batch_does_not_wait(folder: Path) -> None:
    spool = make_spool(folder, batch_s=30, batch_readings=10)
    waiting = [spool.put(Delivery(Readings.of([reading(number)]))) for number in range(10)]
    for future in waiting:
        future.result(60)
    spool.close()


def test_alias_means_one_point_for_ever(folder: Path) -> None:
    key = ("lift-9", "car_floor", "count")
    spool = make_spool(folder, declared={key: 60.0})
    assert spool.aliases == {key: 0}
    put(spool, 0)
    spool.close()
    spool = make_spool(folder)  # the declaration is gone, a message may still speak of it
    spool.put(Delivery(Readings.of([reading(1, "motor_current_percent")]))).result(60)
    spool.close()
    assert dict(spool.aliases) == {
        key: 0,
        ("lift-1", "machine_temperature", "celsius"): 1,
        ("lift-1", "motor_current_percent", "percent"): 2,
    }


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (reading(1, "no_such_metric"), "unknown_metric"),
        (reading(1, value=float("nan")), "not_finite"),
        (Reading("lift-1", "car_floor", -1, 1.0), "time_out_of_range"),
    ],
)
def test_a_reading_that_cannot_be_sent_is_kept_aside_and_stops_nothing(folder: Path, odd: Reading, reason: str) -> None:
    spool = make_spool(folder)
    spool.put(Delivery(Readings.of([reading(0), odd, reading(2)]))).result(60)
    spool.close()
    assert values(folder) == [0.0, 2.0]
    (kept,) = rejected(folder, 10)
    assert kept["reason"] == reason


def test_a_block_that_comes_again_means_the_same_points_whatever_was_wrong_with_it(folder: Path) -> None:
    block = Readings.of([reading(0), reading(1, "no_such_metric"), reading(2, "car_floor")])
    sick = dataclasses.replace(block, values=(3.0, 4.0, float("nan")))
    spool = make_spool(folder)
    for one in (block, sick, block):
        spool.put(Delivery(one)).result(60)
    good = Readings.of([reading(5), reading(6, "car_floor")])
    waiting = [spool.put(Delivery(one)) for one in (good, dataclasses.replace(good, t_ms=(T, T)), good)]
    for future in waiting:
        future.result(60)
    spool.close()
    names = {alias: metric for (_, metric, _), alias in spool.aliases.items()}
    found = [
        (names[alias], value)
        for _, body in stored(folder, "data")
        if isinstance(body, Data)
        for alias, value in zip(body.alias, body.value, strict=True)
    ]
    mine = reading(0).metric
    wanted = [(mine, 0.0), ("car_floor", 2.0), (mine, 3.0), (mine, 0.0), ("car_floor", 2.0)]
    assert sorted(found) == sorted(wanted + 3 * [(mine, 5.0), ("car_floor", 6.0)])
    assert [one["reason"] for one in rejected(folder, 10)].count("unknown_metric") == 3
    assert [one["reason"] for one in rejected(folder, 10)].count("not_finite") == 1


def test_the_same_message_again_is_rejected_even_after_a_restart(folder: Path) -> None:
    spool = make_spool(folder)
    once = Delivery(Readings.of([reading(0)]), digest=b"a", once=True)
    spool.put(once).result(60)
    spool.put(once).result(60)
    spool.close()
    spool = make_spool(folder)
    spool.put(once).result(60)
    spool.put(Delivery(Readings.of([reading(1)]), digest=b"a", once=False)).result(60)
    spool.close()
    assert values(folder) == [0.0, 1.0]


def test_size_bound_drops_oldest_telemetry_never_events_and_tells(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchkeep_gateway.bounds.REPORT_EVERY_S", 1e9)  # however slow the disk is
    spool = make_spool(folder, table=SpoolTable(max_bytes=1_000_000, min_free_bytes=0))
    spool.put(Delivery(events=(event(0),))).result(60)
    for block in range(30):
        spool.put(Delivery(Readings.of(reading(block * 5000 + n, value=n / 7) for n in range(5000)))).result(60)
    spool.close()
    state = spool.lanes["data"]
    assert state.floor > 0
    assert state.next_seq - state.floor == state.messages
    assert state.bytes < 1_400_000  # the bound, and what came in at last
    (_, first), (_, told) = stored(folder, "event")
    assert isinstance(first, Event)
    assert isinstance(told, Event)
    assert first.condition == "ucm"
    assert (told.condition, told.equipment, told.active) == ("telemetry_lost", "g1", True)
    assert told.attributes["first_seq"] == 0
    reader = SpoolReader(folder)
    floor, rows = reader.read("data", 0, 1)
    reader.close()
    assert floor == rows[0].seq == state.floor


def test_a_loss_that_was_told_is_cleared_by_the_next_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = make_spool(folder, table=SpoolTable(min_free_bytes=2**62))
    put(spool, 0, 1)
    spool.close()
    assert status(folder)["telemetry_lost"]
    monkeypatch.setattr("watchkeep_gateway.bounds.QUIET_S", 0.0)
    spool = make_spool(folder)
    put(spool, 2)
    spool.close()
    events = [body for _, body in stored(folder, "event") if isinstance(body, Event)]
    assert [(body.condition, body.active) for body in events] == [("telemetry_lost", True), ("telemetry_lost", False)]
    assert not status(folder)["telemetry_lost"]


def test_age_bound(folder: Path) -> None:
    now = [T]
    table = SpoolTable(max_age_days=1, min_free_bytes=0)
    spool = make_spool(folder, table=table, clock_ms=lambda: now[0])
    put(spool, 0)
    now[0] += 43_200_000
    put(spool, 1)
    now[0] += 43_200_001
    put(spool, 2)
    spool.close()
    assert values(folder) == [1.0, 2.0]


def test_free_disk_bound_makes_room_by_telemetry_only(folder: Path) -> None:
    table = SpoolTable(min_free_bytes=2**62)
    spool = make_spool(folder, table=table)
    spool.put(Delivery(events=(event(0),))).result(60)
    put(spool, 0, 1, 2)
    spool.close()
    assert values(folder) == [2.0]
    assert spool.lanes["event"].floor == 0


def test_a_damaged_file_is_set_aside_with_a_new_epoch_and_an_event(folder: Path) -> None:
    spool = make_spool(folder)
    put(spool, 0)
    spool.close()
    epoch = spool.lanes["data"].epoch
    file = folder / "spool.db"
    file.write_bytes(b"x" * 4096 + file.read_bytes()[4096:])

    spool = make_spool(folder)
    put(spool, 1)
    spool.close()

    assert spool.lanes["data"].epoch != epoch
    assert values(folder) == [1.0]
    (aside,) = folder.glob("spool.db.2*")
    assert aside.read_bytes().startswith(b"xxxx")
    ((_, told),) = stored(folder, "event")
    assert isinstance(told, Event)
    assert told.condition == "telemetry_lost"


def test_damage_met_while_running_ends_the_writer_and_the_next_start_heals(folder: Path) -> None:
    spool = make_spool(folder)
    put(spool, 0)
    other = sqlite3.connect(folder / "spool.db")
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    other.close()
    size = (folder / "spool.db").stat().st_size
    with (folder / "spool.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(SpoolClosed):
        put(spool, *range(1, 200))
    wait_until(lambda: spool.failure)
    spool.close()
    assert (folder / "spool.db.damaged").exists()
    spool = make_spool(folder)
    put(spool, 5)
    spool.close()
    assert values(folder) == [5.0]
    assert not (folder / "spool.db.damaged").exists()


def test_an_ack_ahead_of_a_copied_spool_begins_a_new_epoch_and_keeps_what_is_held(folder: Path, tmp_path: Path) -> None:
    spool = make_spool(folder)
    put(spool, *range(4))
    spool.ack("data", spool.lanes["data"].epoch, 1)
    wait_until(lambda: spool.lanes["data"].floor == 2)
    spool.close()
    shutil.copytree(folder, tmp_path / "copy")
    old = spool.lanes["data"].epoch

    spool = make_spool(tmp_path / "copy")
    put(spool, 4)
    spool.ack_ahead("data", old, 4).result(60)  # ours is 5: nothing new
    assert spool.lanes["data"].epoch == old
    put(spool, 5, 6)
    spool.ack_ahead("data", old, 90).result(60)
    put(spool, 7)
    spool.close()
    lanes = spool.lanes
    assert lanes["data"].epoch != old
    assert [seq for seq, _ in stored(tmp_path / "copy", "data")] == [0, 1, 2]
    assert values(tmp_path / "copy") == [5.0, 6.0, 7.0]


def test_active_codes_are_remembered(folder: Path) -> None:
    spool = make_spool(folder)
    spool.put(Delivery(events=(event(0, raw_code="05"), event(1)))).result(60)
    spool.close()
    spool = make_spool(folder)
    assert spool.active_codes == {("lift-1", "ucm")}
    spool.put(Delivery(events=(DeviceEvent(T, "lift-1", "ucm", False, "05"),))).result(60)
    spool.close()
    spool = make_spool(folder)
    assert spool.active_codes == frozenset()
    spool.close()


def test_one_gateway_per_spool(folder: Path) -> None:
    spool = make_spool(folder)
    with pytest.raises(SettingsError, match="another gateway runs"):
        make_spool(folder)
    spool.close()
    with pytest.raises(SettingsError, match="belongs to gateway c1/g1, not c2/g9"):
        make_spool(folder, ref=GatewayRef("c2", "g9"))


def test_a_closed_spool_refuses(folder: Path) -> None:
    spool = make_spool(folder)
    spool.close()
    with pytest.raises(SpoolClosed):
        put(spool, 1)


def test_a_locked_file_is_waited_for_and_nothing_is_lost(folder: Path) -> None:
    spool = make_spool(folder)
    spool._opened.connection.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(folder / "spool.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    future = spool.put(Delivery(Readings.of([reading(1)])))
    wait_until(lambda: not spool.writing)
    assert not future.done()
    other.execute("ROLLBACK")
    other.close()
    future.result(60)
    assert spool.writing
    spool.close()
    assert values(folder) == [1.0]


def test_status(folder: Path) -> None:
    spool = make_spool(folder)
    put(spool, 0, 1)
    spool.note_link("pump-room", False, "no answer")
    spool.note_link("uplink", True)
    wait_until(lambda: len(status(folder)["links"]) == 2)
    spool.close()
    found = status(folder)
    assert (found["community"], found["gateway"], found["connected_once"]) == (REF.community, REF.gateway, True)
    assert found["lanes"]["data"] | {"oldest_s": None, "bytes": None, "epoch": None} == {
        "epoch": None,
        "next_seq": 2,
        "floor": 0,
        "messages": 2,
        "readings": 2,
        "bytes": None,
        "oldest_s": None,
    }
    assert [(link["name"], link["up"], link["detail"]) for link in found["links"]] == [
        ("pump-room", False, "no answer"),
        ("uplink", True, ""),
    ]


CHILD = """
import sys
from pathlib import Path
from tests.gateway.test_spool import UNITS, Delivery, Readings, make_spool, reading
spool = make_spool(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    spool.put(Delivery(Readings.of([reading(number)]))).result()
    print(number, flush=True)
    number += 1
"""


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_said_to_be_on_disk(folder: Path) -> None:
    assert UNITS
    said: list[int] = []
    for _ in range(3):
        start = str(said[-1] + 1 if said else 0)
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(folder), start], stdout=subprocess.PIPE, text=True)
        assert child.stdout
        for _ in range(60):
            said.append(int(child.stdout.readline()))
        os.kill(child.pid, signal.SIGKILL)
        said += [int(line) for line in child.stdout.read().split("\n") if line.strip()]
        child.wait()
        child.stdout.close()
    spool = make_spool(folder)
    spool.close()
    found = values(folder)
    assert set(said) <= set(found)
    seqs = [seq for seq, _ in stored(folder, "data")]
    assert seqs == list(range(len(seqs)))
