"""Gateways that keep what they send until it is acknowledged, and the ledger of what must be in the database."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.brokers import until
from tests.conftest import Database
from tests.ingest.world import POINTS, birth, now_ms, small_community
from watchkeep_cli.acl import AclRule, default_acl
from watchkeep_cli.broker import RunningBroker, start_broker
from watchkeep_core import estate, topics
from watchkeep_core.broker import BrokerUnreachable, Received, TooManyOutstanding
from watchkeep_core.database import OWNER, connect
from watchkeep_core.messages import Ack, Data, decode, encode
from watchkeep_core.mqtt import connect as connect_broker
from watchkeep_core.topics import GatewayRef
from watchkeep_ingest.keeper import LOCK_SPACE

PASSWORD = "only-in-tests"
COMMUNITIES = ("c0", "c1", "c2", "c3", "c4", "c5")
FLEET = [GatewayRef(community, gateway) for community in COMMUNITIES for gateway in ("g1", "g2")]
GIANT = "giant"
"""Who sends what is too large: a broker may close the connection for it."""
READINGS = 20
"""In each message."""


def users() -> dict[str, str]:
    names = [f"ingest-{lane}-{pp}" for lane in topics.LANES for pp in range(topics.PARTITIONS)]
    return dict.fromkeys(["boss", GIANT, *names], PASSWORD)


def broker_at(folder: Path, port: int = 0, prefer: str = "auto") -> RunningBroker:
    rules = [*default_acl(), AclRule("boss", "readwrite", "wk/1/#"), AclRule(GIANT, "write", "wk/1/#")]
    return start_broker(folder, users(), rules, port=port, prefer=prefer)  # type: ignore[arg-type]


def register(database: Database) -> None:
    areas = [estate.Area(area_id="city", kind="city", name="荣成市")]
    communities = [small_community(name, "live", ["g1", "g2"]) for name in COMMUNITIES]
    with connect(database.admin_url, "test", role=OWNER) as conn:
        estate.save(conn, estate.Estate(areas=areas, communities=communities))


class Fleet:
    """Message n of every gateway holds `READINGS` readings whose values tell n and the place."""

    def __init__(self, broker: RunningBroker, messages: int) -> None:
        self._messages = messages
        self._t0 = now_ms() - 100_000
        self._acked: dict[str, int] = {}
        self._line = connect_broker(
            broker.address,
            client_id="boss",
            user="boss",
            password=PASSWORD,
            on_message=self._heard,
            reconnect_jitter_s=0.1,
        )
        self._line.subscribe(["wk/1/+/+/+/ack/data"])

    def close(self) -> None:
        self._line.close()

    def _heard(self, received: Received) -> None:
        self._acked[received.topic] = decode(Ack, received.payload).seq

    def acked(self, source: GatewayRef) -> int:
        return self._acked.get(topics.ack(source, "data"), -1)

    def born(self) -> None:
        for number, source in enumerate(FLEET):
            self.publish(topics.birth(source), encode(birth(_points(number))), retain=True)

    def message(self, source: GatewayRef, seq: int) -> tuple[str, bytes]:
        content = Data(
            floor=0,
            t0=self._t0 + seq * READINGS,
            alias=[n % 2 for n in range(READINGS)],
            dt_ms=list(range(READINGS)),
            value=[float(seq * READINGS + n) for n in range(READINGS)],
        )
        return topics.message(source, "data", "e1", seq), encode(content)

    def send(self, *, times: int = 1, shuffled: bool = False, pause_s: float = 0.0) -> None:
        """Everything, whether acknowledged or not."""
        everything = [(source, seq) for seq in range(self._messages) for source in FLEET] * times
        if shuffled:
            random.shuffle(everything)
        for number, (source, seq) in enumerate(everything):
            self.publish(*self.message(source, seq))
            if pause_s and number % 20 == 0:
                time.sleep(pause_s)

    def ready(self) -> None:
        """Births and first messages are in: ingest's sessions have subscribed."""
        self.insist(up_to=1)

    def insist(self, timeout_s: float = 60.0, up_to: int = 0) -> None:
        """As gateways do: what is not acknowledged goes out again, until all is."""
        deadline = time.monotonic() + timeout_s
        last = (up_to or self._messages) - 1
        while waiting := [source for source in FLEET if self.acked(source) < last]:
            assert time.monotonic() < deadline, {source.user: self.acked(source) for source in waiting}
            self.born()
            for source in waiting:
                for seq in range(self.acked(source) + 1, last + 1):
                    self.publish(*self.message(source, seq))
            before = dict(self._acked)
            patience = time.monotonic() + 2.0
            while time.monotonic() < patience and (self._acked == before or self._is_moving(before)):
                if all(self.acked(source) >= last for source in FLEET):
                    break
                time.sleep(0.05)

    def _is_moving(self, before: dict[str, int]) -> bool:
        moved = self._acked != before
        before.update(self._acked)
        return moved

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self._line.publish(topic, payload, retain=retain)
            except (TooManyOutstanding, BrokerUnreachable):
                time.sleep(0.01)
            else:
                return
        raise AssertionError("the broker takes nothing")

    def check(self, database: Database) -> None:
        """Every reading is there once, with its own stamp and value; both identities hold."""
        wanted = sorted(
            (source.community, source.gateway, self._t0 + seq * READINGS + n, float(seq * READINGS + n))
            for source in FLEET
            for seq in range(self._messages)
            for n in range(READINGS)
        )
        with psycopg.connect(database.admin_url) as conn:
            found = conn.execute(
                "SELECT community_id, gateway_id, (extract(epoch FROM ts) * 1000)::bigint, value"
                " FROM readings JOIN points USING (series_id) ORDER BY 1, 2, 3, 4"
            ).fetchall()
        assert len(found) == len(wanted)
        assert found == wanted


def _points(number: int) -> list[tuple[str, str, str]]:
    """g1 reports pump-1, g2 pump-2."""
    return [(f"pump-{number % 2 + 1}", metric, unit) for _, metric, unit in POINTS]


@contextmanager
def running(database: Database, broker_url: str, *arguments: str, **more: object) -> Iterator[subprocess.Popen[bytes]]:
    """`watchkeep ingest run` as a process of its own."""
    own = {"database_url": database.url("watchkeep_ingest"), "mqtt_url": broker_url, "mqtt_password": PASSWORD, **more}
    environment = os.environ | {f"WATCHKEEP_INGEST_{name.upper()}": str(value) for name, value in own.items()}
    process = subprocess.Popen([sys.executable, "-m", "watchkeep_ingest", "run", *arguments], env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def children(pid: int) -> list[int]:
    """Worker processes of a parent."""
    found = subprocess.run(["pgrep", "-P", str(pid), "-f", "spawn_main"], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def held(database: Database) -> dict[int, int]:
    """Database session of a worker → partitions it holds."""
    with psycopg.connect(database.admin_url) as conn:
        return dict(
            conn.execute(
                "SELECT pid, count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) GROUP BY pid",
                [LOCK_SPACE],
            ).fetchall()
        )


def shares(database: Database, wanted: list[int], timeout_s: float = 60.0) -> None:
    until(lambda: sorted(held(database).values()) == wanted, timeout_s)
