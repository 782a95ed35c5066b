"""A lift over Modbus, from registers to what ingest receives: states, faults over a restart, report by exception."""

from itertools import pairwise

import pytest

from tests.gateway.conftest import Site, wait_until
from tests.gateway.modbus_peer import Peer

LIFT = """
[gateway]
community = "c1"
id = "g1"

[spool]
min_free_bytes = 0

[[device]]
equipment = "lift-1"
kind = "elevator"
vendor_profile = "java_gateway"

[[modbus_tcp]]
name = "lift-1"
equipment = "lift-1"
host = "127.0.0.1"
port = {port}
period_s = 0.1
registers = [
  {{ metric = "car_status", address = 0, type = "bit", bit = 0 }},
  {{ metric = "door_status", address = 0, type = "bit", bit = 1, map = {{ 0 = 2, 1 = "closed" }}, heartbeat_s = 3600 }},
  {{ metric = "machine_temperature", address = 1, type = "int16", scale = 0.1, deadband = 0.5, heartbeat_s = 1 }},
]
events = [
  {{ address = 2 }},
  {{ condition = "alarm_button", address = 0, type = "bit", bit = 7 }},
]
"""


@pytest.mark.slow
def test_a_lift(site: Site) -> None:
    peer = Peer([0b11, 413, 0])
    with peer.listen() as port:
        site.config_file.write_text(LIFT.format(port=port), encoding="utf-8")
        ingest = site.ingest()
        site.start()
        wait_until(lambda: len(ingest.readings()) > 30)
        peer.registers = [0b1000_0001, 415, 11]  # the door opens, the alarm button is pressed, overspeed
        wait_until(lambda: len(ingest.events()) == 2)
        site.stop()

        peer.registers = [0b0000_0001, 415, 12]  # while the gateway is away: the button is let go, and another fault
        site.start()
        wait_until(lambda: len(ingest.events()) >= 5)
        asked = len(peer.asked)
        wait_until(lambda: len(peer.asked) >= asked + 3)
        site.stop()

    told = sorted((event.condition, not event.active, event.raw_code, event.profile) for event in ingest.events())
    assert told == [
        ("alarm_button", False, "holding 0.7", ""),
        ("alarm_button", True, "holding 0.7", ""),
        ("overspeed", False, "11", "java_gateway"),
        ("overspeed", True, "11", "java_gateway"),
        ("ucm", False, "12", "java_gateway"),
    ]
    by_metric = {
        metric: sorted((t_ms, value) for _, name, t_ms, value in ingest.readings() if name == metric)
        for metric in ("car_status", "door_status", "machine_temperature")
    }
    assert len(by_metric["car_status"]) > len(by_metric["machine_temperature"]) >= 2
    doors = [value for _, value in by_metric["door_status"]]
    assert doors == [1, 2, 2]  # each change, and once more after the restart
    temperatures = by_metric["machine_temperature"]
    assert {value for _, value in temperatures} <= {41.3, 41.5}
    too_early = [a for (a, _), (b, _) in pairwise(temperatures) if b - a < 1000]
    assert len(too_early) <= 1  # after the restart the first is sent whatever it is
    periods = {point.metric: point.period_s for birth in ingest.births for point in birth.points}
    assert periods == {"car_status": 0.1, "door_status": 3600.0, "machine_temperature": 1.0}
