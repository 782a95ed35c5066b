"""The gateway's promise, with real processes: what devices sent is in the database, each once; what is lost is told.

Ledger of the devices = database, whatever is killed, away or full. WATCHKEEP_TEST_LONG=1 takes the long form;
WATCHKEEP_TEST_SEED another seed.
"""

import os
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Database
from tests.gateway.test_disk_full import fill
from tests.system.demo import until
from tests.system.gateway_proof import (
    BATCH_S,
    HEAD,
    LONG,
    REF,
    SEED,
    Chatter,
    CountingPeer,
    Field,
    House,
    assert_as_answered,
    lives,
    modbus_tables,
    of_field,
    of_modbus,
)
from watchkeep_cli.broker import mosquitto_installed
from watchkeep_cli.ports import free_port
from watchkeep_core import vocabulary
from watchkeep_firmware_sim.gbt26875 import BURST, TransmissionDevices
from watchkeep_firmware_sim.gbt26875_fleet import Component, FireAddress, Transmission

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900 if LONG else 400),
    pytest.mark.skipif(not mosquitto_installed(), reason="needs Mosquitto"),
]

KILLS = 10 if LONG else 5
MOST_S = 1.0 if LONG else 0.4
"""Between two kills the gateway works up to this long."""

YOUNG_MS = 1000 * (BATCH_S + 10)
"""A batch, and its sync to a disk that others keep busy."""

AWAY_S = 300.0 if LONG else 3.0
UNITS = 3
PUBLISHED = 'watchkeep_gateway_published_total{lane="data"}'
WAIT_S = 120.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not in pytest's own: names of its folders are long, and other runs clean it up."""
    with tempfile.TemporaryDirectory(prefix="watchkeep-proof-") as made:
        yield Path(made)


def test_killed_at_random_nothing_is_lost_but_what_had_not_reached_the_disk(folder: Path, database: Database) -> None:
    """A device on MQTT is told when its message is on disk, so nothing of it may be missing.

    A register has no such word: what was read in the last moment before a kill, and only that, may be gone.
    """
    rng = random.Random(SEED)
    peer, kills_ms = CountingPeer(), list[int]()
    with peer.listen() as port, House(folder, database, HEAD + modbus_tables(port, UNITS, 0.05)) as house:
        house.start_ingest()
        house.start_gateway()
        house.await_announced()
        with Field(house.address) as field:
            with Chatter(field):
                for number in range(KILLS):
                    if number % 3 < 2:  # every third dies somewhere on its way up
                        peer.await_polls(1, UNITS)
                    time.sleep(rng.uniform(0, MOST_S))  # the moment is what is tried here
                    house.gateway.kill()
                    house.gateway.wait(60)
                    until(lambda: peer.lines == 0, WAIT_S, 0.01)  # all that it had asked for is answered
                    kills_ms.append(time.time_ns() // 1_000_000)
                    house.start_gateway()
            asked = peer.await_polls(5, UNITS)
            peer.deaf = set(range(1, UNITS + 1))
            field.settle()
            last = [(answer.equipment, answer.value) for answer in peer.answers[asked:]]
            until(lambda: house.held() == 0 and all(key in of_modbus(house.readings()) for key in last), WAIT_S)
            until(lambda: house.events() >= Counter(field.events), WAIT_S)
            stored = house.readings()
            assert of_field(stored) == Counter(field.readings), f"seed {SEED}"
            assert house.events() == Counter(field.events), f"seed {SEED}"
        gone = set(assert_as_answered(peer.answers, of_modbus(stored)))
        for life in lives(peer.answers, kills_ms):
            kept = [answer not in gone for answer in life]
            assert kept == sorted(kept, reverse=True), f"seed {SEED}: a hole, not the end of a life"
            late = [answer for answer in life if answer in gone and life[-1].at_ms - answer.at_ms > YOUNG_MS]
            assert late == [], f"seed {SEED}: these had time to reach the disk"
        assert house.lost() == []
        house.assert_nothing_odd()
        assert len(house.query("SELECT DISTINCT epoch FROM progress WHERE lane = 'data'")) == 1


def test_the_broker_dies_and_is_away(folder: Path, database: Database) -> None:
    """By kill -9, while it holds for an ingest that is away what it has confirmed to the gateway: it forgets all of it.

    What is polled meanwhile waits on disk.
    """
    peer = CountingPeer()
    with peer.listen() as port, House(folder, database, HEAD + modbus_tables(port, UNITS, 0.02)) as house:
        house.start_ingest()
        house.start_gateway()
        until(lambda: len(of_modbus(house.readings())) > 50, 120)
        house.ingest.kill()
        house.ingest.wait(60)
        confirmed = house.metric(PUBLISHED)
        until(lambda: house.metric(PUBLISHED) > confirmed + 5, WAIT_S, 0.05)
        os.kill(house.broker.pid, 9)
        house.broker.stop()
        away_until, presses = time.monotonic() + AWAY_S, 0
        while time.monotonic() < away_until or presses < 6:
            peer.pressed, presses = not peer.pressed, presses + 1
            peer.await_polls(2, UNITS)
        assert house.held() > 0
        house.start_broker()
        house.start_ingest()
        peer.await_polls(2, UNITS)
        peer.deaf = set(range(1, UNITS + 1))
        until(lambda: len(of_modbus(house.readings())) == len(peer.answers), WAIT_S)
        assert assert_as_answered(peer.answers, of_modbus(house.readings())) == []
        until(lambda: house.held() == 0, WAIT_S)
        told = Counter((equipment, active) for equipment, _, _, active in house.events().elements())
        once = {f"modbus-lift-{unit}": presses for unit in range(1, UNITS + 1)}
        assert Counter(equipment for equipment, _ in told.elements()) == once, "each press and release, once"
        assert all(abs(told[name, True] - told[name, False]) <= 1 for name in once)
        assert house.lost() == []
        house.assert_nothing_odd()


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    place = folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24000000", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_the_disk_is_full_and_the_gap_is_exact(folder: Path, small_disk: Path, database: Database) -> None:
    """Ingest is away, somebody else fills the disk: telemetry makes room, no event is lost, and each loss is told."""
    with House(folder, database, HEAD, small_disk / "spool") as house:
        house.start_gateway()
        house.await_announced()
        with Field(house.address) as field:
            for number in range(300):
                field.tell_readings("lift-1", 50)
                if number % 10 == 0:
                    field.tell_event("lift-2", number % 20 == 0)
            field.settle()
            until(lambda: house.metric("watchkeep_gateway_readings_total") == 15_000, 120)
            ballast = fill(small_disk)
            for number in range(100):
                field.tell_readings("lift-1", 50)
                field.tell_event("lift-2", number % 2 == 0)
            until(lambda: house.metric("watchkeep_gateway_lost_readings_total") > 0, 120)
            ballast.unlink()
            field.settle()
            for _ in range(50):
                field.tell_readings("lift-1", 50)
            field.settle()
            until(lambda: house.metric("watchkeep_gateway_readings_total") == 22_500, 120)
            house.start_ingest()
            until(lambda: house.held() == 0, WAIT_S)
            lost_messages = house.metric("watchkeep_gateway_lost_messages_total")
            lost_readings = house.metric("watchkeep_gateway_lost_readings_total")
            stored = of_field(house.readings())
            assert house.events() == Counter(field.events)
        sent = field.readings
        kept = [row in stored for row in sent]
        assert set(stored) <= set(sent)
        assert all(count == 1 for count in stored.values())
        assert kept == sorted(kept), "what is gone is the oldest, without a hole"
        assert kept.count(False) == lost_readings > 0
        ((first, last),) = house.lost()
        assert (first, last - first + 1) == (0, lost_messages)
        told = house.query("SELECT attributes FROM events WHERE condition = 'telemetry_lost' AND active")
        assert told[0][0]["first_seq"] == 0
        assert told[0][0]["last_seq"] <= last
        house.assert_nothing_odd()


FIRE = """
[[gbt26875]]
name = "fire"
host = "127.0.0.1"
port = {port}

[[gbt26875.devices]]
address = 889
equipment = "utd-1"
components = [
{components}
]

[[device]]
equipment = "utd-1"
kind = "fire_transmission_device"
"""

DETECTORS = BURST // 2


def test_a_panel_burst_and_a_kill_in_the_middle_of_it(folder: Path, database: Database) -> None:
    """200 events at once: an alarm and its end of 100 detectors. The panel keeps what is not confirmed."""
    rng, port = random.Random(SEED), free_port("127.0.0.1")
    rows = ",\n".join(f'  {{ equipment = "smoke-{n}", place = "1-{n}" }}' for n in range(DETECTORS))
    detectors = "\n".join(f'[[device]]\nequipment = "smoke-{n}"\nkind = "smoke_detector"' for n in range(DETECTORS))
    config = HEAD + FIRE.format(port=port, components=rows) + detectors
    with House(folder, database, config) as house:
        house.start_ingest()
        house.start_gateway()
        house.await_announced()
        panel = _panel(port)
        (client,) = panel.clients.values()
        try:
            until(lambda: client.confirmed > 0, WAIT_S, 0.01)
            now_ms, enough = time.time_ns() // 1_000_000, rng.randrange(5, 50)
            panel.fault("c1/utd-1", "burst", 0, True, now_ms)
            until(lambda: client.confirmed > enough, WAIT_S, 0.001)
            house.gateway.kill()
            house.gateway.wait(60)
            assert client.kept > 0, "the kill came too late"
            house.start_gateway()
            until(lambda: client.kept == 0, WAIT_S)
        finally:
            panel.close()
        wanted = Counter((f"smoke-{n}", "fire_alarm", active) for n in range(DETECTORS) for active in (True, False))

        def told() -> Counter[tuple[str, str, bool]]:
            found = house.events().elements()
            return Counter((row[0], row[1], row[3]) for row in found if row[0].startswith("smoke-"))

        until(lambda: told() >= wanted, WAIT_S)
        until(lambda: house.held() == 0, WAIT_S)
        assert told() == wanted, f"seed {SEED}"
        assert all(abs(t_ms - now_ms) < 60_000 for name, _, t_ms, _ in house.events() if name.startswith("smoke-"))
        house.assert_nothing_odd()


def _panel(port: int) -> TransmissionDevices:
    words = vocabulary.load()
    spec = Transmission(
        community=REF.community, gateway=REF.gateway, equipment="utd-1", address=889, to=f"127.0.0.1:{port}", answer_s=0
    )
    components = {"c1/utd-1": Component("fire_transmission_device", None, words)}
    for number in range(DETECTORS):
        components[f"c1/smoke-{number}"] = Component("smoke_detector", FireAddress(type=40, place=f"1-{number}"), words)
    return TransmissionDevices([spec], components, dict.fromkeys(components, "c1/utd-1"), words)
