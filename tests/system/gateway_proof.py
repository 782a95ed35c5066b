"""What the proof of the gateway stands on: real processes, devices that keep a ledger, and what the database says."""

import json
import os
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.conftest import Database
from tests.gateway.modbus_peer import Peer
from tests.sample import sample_estate
from tests.system.demo import until
from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import RunningBroker, start_broker
from watchkeep_cli.ports import free_port
from watchkeep_core import estate, topics
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.database import OWNER, connect
from watchkeep_core.mqtt import connect as connect_broker
from watchkeep_core.topics import GatewayRef
from watchkeep_gateway.spool_reader import status

LONG = bool(os.environ.get("WATCHKEEP_TEST_LONG"))
"""The long form: ten kills among much traffic, five minutes without a broker."""

SEED = int(os.environ.get("WATCHKEEP_TEST_SEED", "20261122"))

REF = GatewayRef("c1", "g1")
PARTITION = topics.partition_of(REF.community)
PASSWORD = "only-in-tests-and-long-enough"
BATCH_S = 0.2

Row = tuple[str, str, int, float]
"""Equipment, metric, time in ms since 1970 UTC, value."""

Told = tuple[str, str, int, bool]
"""Equipment, condition, time in ms, active."""


class House:
    """A broker on one port, PostgreSQL, ingest and the gateway; each can be taken away and brought back."""

    def __init__(self, folder: Path, database: Database, config: str, spool: Path | None = None) -> None:
        self.database = database
        self.spool = spool or folder / "spool"
        self.log_file = folder / "gateway.log"
        self.gateway: subprocess.Popen[bytes]
        self.ingest: subprocess.Popen[bytes]
        self.broker: RunningBroker
        self._folder = folder
        self._broker_port, self._health_port = free_port("127.0.0.1"), free_port("127.0.0.1")
        self._stack = ExitStack()
        (folder / "gateway.toml").write_text(config, encoding="utf-8")
        with connect(database.admin_url, "test", role=OWNER) as conn:
            estate.save(conn, sample_estate())
        self.start_broker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def address(self) -> BrokerAddress:
        return self.broker.address

    def start_broker(self) -> None:
        users = [REF.user, *(f"ingest-{lane}-{PARTITION}" for lane in topics.LANES), "sim"]
        self.broker = self._stack.enter_context(
            start_broker(
                self._folder / "broker",
                dict.fromkeys(users, PASSWORD),
                default_acl(),
                port=self._broker_port,
                prefer="mosquitto",
            )
        )

    def start_ingest(self) -> None:
        given = {
            "DATABASE_URL": self.database.url("watchkeep_ingest"),
            "MQTT_URL": str(self.address),
            "MQTT_PASSWORD": PASSWORD,
            "PARTITIONS": str(PARTITION),
        }
        self.ingest = self._spawn("ingest", ["ingest", "run"], given)

    def start_gateway(self) -> None:
        given = {
            "CONFIG_FILE": str(self._folder / "gateway.toml"),
            "SPOOL_DIR": str(self.spool),
            "MQTT_URL": str(self.address),
            "MQTT_PASSWORD": PASSWORD,
            "HEALTH_PORT": str(self._health_port),
            "BATCH_S": str(BATCH_S),
            "RESEND_AFTER_S": "2",
            "RECONNECT_JITTER_S": "0.3",
        }
        self.gateway = self._spawn("gateway", ["gateway", "run"], given)

    def _spawn(self, part: str, arguments: Sequence[str], given: dict[str, str]) -> "subprocess.Popen[bytes]":
        environment = os.environ | {f"WATCHKEEP_{part.upper()}_{name}": value for name, value in given.items()}
        with (self._folder / f"{part}.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "watchkeep_cli", *arguments], env=environment, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        return process

    def await_announced(self) -> None:
        """From here on no device publishes to nobody."""
        until(lambda: "announced" not in (self._missing() or ["announced"]), 120, 0.02)

    def _missing(self) -> list[str] | None:
        """What the gateway's /health says is missing; None when it does not answer."""
        url = f"http://127.0.0.1:{self._health_port}/health"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return list(json.loads(answer.read())["missing"]) or [""]
        except urllib.error.HTTPError as error:
            with error:
                return list(json.loads(error.read())["missing"])
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def metric(self, name: str) -> float:
        """A series of the gateway's /metrics without labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._health_port}/metrics", timeout=60) as answer:
            lines = answer.read().decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def held(self) -> int:
        """Messages on the spool."""
        return sum(lane["messages"] for lane in status(self.spool)["lanes"].values())

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database.admin_url) as conn:
            return conn.execute(statement).fetchall()

    def readings(self) -> Counter[Row]:
        rows = self.query(
            "SELECT equipment_id, metric, (extract(epoch FROM ts) * 1000)::bigint, value"
            " FROM readings JOIN points USING (series_id) WHERE community_id = 'c1'"
        )
        return Counter(rows)

    def events(self) -> Counter[Told]:
        """Without what the gateway says of itself."""
        rows = self.query(
            "SELECT equipment_id, condition, (extract(epoch FROM ts) * 1000)::bigint, active FROM events"
            " WHERE condition <> 'telemetry_lost'"
        )
        return Counter(rows)

    def lost(self) -> list[tuple[int, int]]:
        """The gaps that ingest shows: first and last seq of telemetry that is lost."""
        return self.query("SELECT first_seq, last_seq FROM gaps WHERE lane = 'data' AND state = 'lost' ORDER BY 1")

    def assert_nothing_odd(self) -> None:
        """No dead letter, nothing in quarantine, nothing parked, nothing missing."""
        for table in ("dead_letters", "quarantine", "parked"):
            assert self.query(f"SELECT count(*) FROM {table}") == [(0,)], table
        assert self.query("SELECT count(*) FROM gaps WHERE state = 'missing'") == [(0,)]


class Field:
    """Devices that speak MQTT: each reading has a value and a time of its own, and all of them stand in the ledger."""

    def __init__(self, address: BrokerAddress) -> None:
        self.readings: list[Row] = []
        self.events: list[Told] = []
        self._told: list[Future[None]] = []
        self._number = 0
        self._t_ms = time.time_ns() // 1_000_000
        self._connection = connect_broker(
            address,
            client_id="sim",
            user="sim",
            password=PASSWORD,
            on_message=lambda _: None,
            session_expiry_s=3600,
            max_outstanding=10_000,
            reconnect_jitter_s=0.2,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def tell_readings(self, equipment: str, count: int) -> None:
        rows: list[Row] = []
        for _ in range(count):
            self._number += 1
            rows.append((equipment, "machine_temperature", self._fresh_ms(), self._number / 8))
        self.readings += rows
        self._publish(equipment, {"readings": [[t_ms, metric, value] for _, metric, t_ms, value in rows]})

    def tell_event(self, equipment: str, active: bool) -> None:
        t_ms = self._fresh_ms()
        self.events.append((equipment, "alarm_button", t_ms, active))
        self._publish(equipment, {"t": t_ms, "event": {"condition": "alarm_button", "active": active}})

    def settle(self) -> None:
        """Until the broker has all of it; from here on it is the gateway's."""
        for future in self._told:
            future.result(60)

    def _publish(self, equipment: str, document: dict[str, Any]) -> None:
        payload = json.dumps(document).encode()
        self._told.append(self._connection.publish(f"field/{REF.user}/{equipment}", payload))

    def _fresh_ms(self) -> int:
        """The wall clock, but no time twice."""
        self._t_ms = max(self._t_ms + 1, time.time_ns() // 1_000_000)
        return self._t_ms


@dataclass(frozen=True)
class Answer:
    """A reading as the Modbus device gave it away; its time is that of the answer, as Modbus carries none."""

    equipment: str
    value: float
    at_ms: int


class CountingPeer(Peer):
    """Units 1, 2 …, each a lift; no two answers are the same. The last register's bit 0 is an alarm button."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Answer] = []
        self.pressed = False

    def await_polls(self, turns: int, units: int) -> int:
        """Until so many more turns are answered, and one that was under way; how many answers there were before."""
        before = len(self.answers)
        until(lambda: len(self.answers) > before + turns * units, 120, 0.01)
        return before

    def _answer(self, code: int, address: int, count: int) -> bytes:
        unit, _, _ = self.asked[-1]
        number = len(self.answers) + 1
        self.answers.append(Answer(lift(unit), float(number), time.time_ns() // 1_000_000))
        self.registers = [*struct.unpack(">HH", struct.pack(">I", number)), int(self.pressed)]
        return super()._answer(code, address, count)


def lift(unit: int) -> str:
    return f"modbus-lift-{unit}"


def modbus_tables(port: int, units: int, period_s: float) -> str:
    """For a CountingPeer; the long timeout, as what is answered too late is not taken."""
    lines: list[str] = []
    for unit in range(1, units + 1):
        lines += [
            "[[device]]",
            f'equipment = "{lift(unit)}"',
            'kind = "elevator"',
            "[[modbus_tcp]]",
            f'name = "{lift(unit)}"',
            f'equipment = "{lift(unit)}"',
            'host = "127.0.0.1"',
            f"port = {port}",
            f"unit = {unit}",
            f"period_s = {period_s}",
            "timeout_s = 10",
            'registers = [{ metric = "ride_count", address = 0, type = "uint32" }]',
            'events = [{ condition = "alarm_button", address = 2, type = "bit", bit = 0 }]',
        ]
    return "\n".join(lines)


HEAD = f"""
[gateway]
community = "{REF.community}"
id = "{REF.gateway}"

[spool]
min_free_bytes = 0

[[mqtt_bridge]]

[[device]]
equipment = "lift-1"
kind = "elevator"

[[device]]
equipment = "lift-2"
kind = "elevator"
"""


def of_field(rows: Counter[Row]) -> Counter[Row]:
    return Counter({row: count for row, count in rows.items() if row[1] == "machine_temperature"})


def of_modbus(rows: Counter[Row]) -> dict[tuple[str, float], list[int]]:
    """Equipment and value → the times it is stored with."""
    found: dict[tuple[str, float], list[int]] = {}
    for (equipment, metric, t_ms, value), count in rows.items():
        if metric == "ride_count":
            found.setdefault((equipment, value), []).extend([t_ms] * count)
    return found


def assert_as_answered(answers: Iterable[Answer], stored: dict[tuple[str, float], list[int]]) -> list[Answer]:
    """Nothing that no device said, nothing twice, each with the time it was read; returns the answers not stored."""
    given = {(answer.equipment, answer.value): answer for answer in answers}
    assert set(stored) <= set(given)
    for key, times in stored.items():
        assert len(times) == 1, f"{key} is stored {len(times)} times"
        late_ms = times[0] - given[key].at_ms
        assert -5_000 < late_ms < 60_000, f"{key} is stored {late_ms} ms off"
    for equipment in {equipment for equipment, _ in stored}:
        times = [stored[key][0] for key in sorted(stored) if key[0] == equipment]
        assert times == sorted(times), f"readings of {equipment} changed places"
    return [answer for key, answer in given.items() if key not in stored]


def lives(answers: Iterable[Answer], kills_ms: Sequence[int]) -> list[list[Answer]]:
    """The answers by the process that got them."""
    found: list[list[Answer]] = [[] for _ in range(len(kills_ms) + 1)]
    for answer in answers:
        found[sum(kill < answer.at_ms for kill in kills_ms)].append(answer)
    return found


class Chatter:
    """Devices that go on talking in a thread, whatever happens to the gateway."""

    def __init__(self, field: Field, every_s: float = 0.02) -> None:
        self._field = field
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._talk)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _talk(self) -> None:
        number = 0
        while not self._over.wait(self._every_s):
            number += 1
            self._field.tell_readings("lift-1", 5)
            if number % 10 == 0:
                self._field.tell_event("lift-2", number % 20 == 0)
