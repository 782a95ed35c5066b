"""Whatever arrives: good rows 100 %, duplicates 0, each poison accounted for, the same process, bounded memory."""

import time

import pytest

from tests.brokers import until
from tests.conftest import Database
from tests.ingest.fleet import FLEET, GIANT, PASSWORD, Fleet, broker_at, register, running, shares
from watchkeep_cli.broker import RunningBroker
from watchkeep_core import topics
from watchkeep_core.database import connect
from watchkeep_ingest.accounts import audit
from watchkeep_ingest.bench.lab import memory_mb
from watchkeep_ingest.bench.load import LoadFailed, loading, publish_packet

DAY_MS = 86_400_000

MESSAGES = 15
"""Of each of twelve gateways; with 21 of poison that is a little more than 1 : 9."""


def poisons() -> list[tuple[bytes, str]]:
    """Payload of a data message → where it must end: `dead` letter, `quarantine` or `parked`."""
    now = time.time_ns() // 1_000_000

    def columns(alias: str = "[0]", dt: str = "[0]", value: str = "[1]", t0: int = now) -> bytes:
        return f'{{"floor":0,"t0":{t0},"alias":{alias},"dt_ms":{dt},"value":{value}}}'.encode("utf-8", "surrogatepass")

    return [
        (columns(value="[NaN]"), "dead"),
        (columns(value="[1e999]"), "dead"),
        (columns(value='["1"]'), "dead"),
        (columns(value="[true]"), "dead"),
        (columns(value="[null]"), "dead"),
        (columns(value="[1,2]"), "dead"),
        (columns(alias="[-1]"), "dead"),
        (columns(alias='["\\u0000"]'), "dead"),
        (columns(dt="[1e30]"), "dead"),
        (b'{"floor":0,"t0":0,"alias":[0],"dt_ms":[0],"value":[1],"quality":["\\ud800"]}', "dead"),
        (b"\x00", "dead"),
        (b"\xff\xfe", "dead"),
        (b"[" * 100_000, "dead"),
        (b'{"a":' * 40_000, "dead"),
        (b"", "dead"),
        (b"x" * 250_000, "dead"),
        (columns(t0=0), "quarantine"),
        (columns(t0=4_291_747_200_000), "quarantine"),
        (columns(t0=now - 31 * DAY_MS), "quarantine"),
        (columns(value="[1e300]"), "quarantine"),
        (columns(alias="[77]"), "parked"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mosquitto", "amqtt"])
def test_poison_one_to_nine(estate: Database, tmp_path, kind: str):
    """On MQTT 5 and on 3.1.1 the results are the same; 10 MB ends at Mosquitto's packet size, or as a dead letter."""
    register(estate)
    bad = poisons()
    with broker_at(tmp_path, prefer=kind) as broker, running(estate, broker.url) as process:
        shares(estate, [16])
        fleet = Fleet(broker, MESSAGES)
        try:
            fleet.ready()
            for number, (payload, _) in enumerate(bad):  # behind the seqs of the good ones
                turn, which = divmod(number, len(FLEET))
                fleet.publish(topics.message(FLEET[which], "data", "e1", MESSAGES + turn), payload)
            passed = _send_giant(broker)
            fleet.send()
            fleet.insist()
            ends = [where for _, where in bad]
            dead = ends.count("dead") + passed
            wanted = {"dead_lettered": dead, "quarantined": ends.count("quarantine"), "parked": 1}
            until(lambda: _tables(estate) == {**wanted, "ok": True})
            assert process.poll() is None
            assert memory_mb(process.pid) < 300
        finally:
            fleet.close()
        assert process.poll() is None
    fleet.check(estate)


def _send_giant(broker: RunningBroker) -> bool:
    """10 MB as one message; whether the broker took it."""
    packet = publish_packet(topics.message(FLEET[0], "data", "giant", 0), b'{"a":"' + b"x" * 10_000_000 + b'"}', 1)
    try:
        with loading(broker.address, GIANT, PASSWORD) as load:
            load.send([packet])
    except (LoadFailed, ConnectionError):
        return False
    return True


def _tables(database: Database) -> dict[str, object]:
    with connect(database.url("watchkeep_ingest"), "test") as conn:
        found = audit(conn)
    assert found["ok"], found
    return found["tables"]  # type: ignore[return-value]
