"""Fixtures of the gateway's tests: spools in a folder, a real broker, and clients that play ingest and devices."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import RunningBroker, mosquitto_installed, start_broker
from watchkeep_core import messages, topics
from watchkeep_core.broker import BrokerAddress, Received
from watchkeep_core.mqtt import connect
from watchkeep_core.mqtt_connection import Connection
from watchkeep_core.service import Stop
from watchkeep_core.settings import load
from watchkeep_core.topics import GatewayRef, Lane
from watchkeep_gateway import service
from watchkeep_gateway.config import SpoolTable
from watchkeep_gateway.settings import GatewaySettings
from watchkeep_gateway.spool import Spool
from watchkeep_gateway.spool_file import open_spool
from watchkeep_gateway.transaction import Rules
from watchkeep_gateway.values import PointKey

REF = GatewayRef("c1", "g1")
PARTITION = topics.partition_of(REF.community)
PASSWORD = "only-in-tests"
UNITS = {"machine_temperature": "celsius", "motor_current_percent": "percent", "car_floor": "count"}


def wait_until(condition: Callable[[], object], timeout_s: float = 60.0, what: str = "") -> None:
    """Poll with a deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what or condition}"
        time.sleep(0.01)


def make_spool(
    folder: Path,
    *,
    ref: GatewayRef = REF,
    table: SpoolTable | None = None,
    batch_s: float = 0.0,
    batch_readings: int = 1000,
    declared: dict[PointKey, float | None] | None = None,
    clock_ms: Callable[[], int] | None = None,
    clock_trusted: Callable[[], bool] = lambda: True,
) -> Spool:
    rules = Rules("g1", UNITS, table or SpoolTable(min_free_bytes=0), batch_s, batch_readings)
    opened = open_spool(folder, ref)
    if clock_ms:
        return Spool(opened, rules, declared=declared, clock_ms=clock_ms, clock_trusted=clock_trusted)
    return Spool(opened, rules, declared=declared)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RunningBroker]:
    """Mosquitto: only it keeps messages over a restart and refuses publishes."""
    if not mosquitto_installed():
        pytest.skip("needs Mosquitto")
    with start_broker(tmp_path / "broker", USERS, default_acl(), prefer="mosquitto") as running:
        yield running


USERS = dict.fromkeys([REF.user, *(f"ingest-{lane}-{PARTITION}" for lane in topics.LANES), "sim", "site"], PASSWORD)


class FakeIngest:
    """Takes what gateways send, and acks when told to, as ingest does after COMMIT: contiguous seqs only."""

    def __init__(self, address: BrokerAddress, acking: bool = True) -> None:
        self.acking = acking
        self.received: list[tuple[Lane, str, int, messages.Data | messages.Event]] = []
        self.births: list[messages.Birth] = []
        self.states: list[messages.State] = []
        self._lock = threading.Lock()
        self._connections = {
            lane: connect(
                address,
                client_id=f"ingest-{lane}-{PARTITION}",
                user=f"ingest-{lane}-{PARTITION}",
                password=PASSWORD,
                on_message=self._take,
                session_expiry_s=3600,
                reconnect_jitter_s=0,
            )
            for lane in topics.LANES
        }
        for lane, connection in self._connections.items():
            connection.subscribe(topics.ingest_filters(lane, PARTITION))

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def seqs(self, lane: Lane, epoch: str | None = None) -> list[int]:
        """Each once, in order of first arrival; of `epoch`, by default of the latest."""
        with self._lock:
            epochs = [found for kind, found, _, _ in self.received if kind == lane]
            wanted = epoch or (epochs[-1] if epochs else "")
            return list(dict.fromkeys(seq for kind, found, seq, _ in self.received if (kind, found) == (lane, wanted)))

    def readings(self) -> list[tuple[str, str, int, float]]:
        """(equipment, metric, t_ms, value) of all data messages, each message once."""
        points = {point.alias: point for birth in self.births for point in birth.points}
        with self._lock:
            unique = {(epoch, seq): body for lane, epoch, seq, body in self.received if lane == "data"}
        found = []
        for body in unique.values():
            assert isinstance(body, messages.Data)
            for alias, dt_ms, value in zip(body.alias, body.dt_ms, body.value, strict=True):
                found.append((points[alias].equipment, points[alias].metric, body.t0 + dt_ms, value))
        return found

    def events(self) -> list[messages.Event]:
        with self._lock:
            unique = {(epoch, seq): body for lane, epoch, seq, body in self.received if lane == "event"}
        return [body for body in unique.values() if isinstance(body, messages.Event)]

    def ack(self, lane: Lane, epoch: str, seq: int) -> None:
        payload = messages.encode(messages.Ack(epoch=epoch, seq=seq))
        self._connections[lane].publish(topics.ack(REF, lane), payload, retain=True).result(60)

    def ack_all(self) -> None:
        """From now on, and all that came."""
        self.acking = True
        for lane in topics.LANES:
            self._ack_contiguous(lane)

    def command(self, command: messages.Cmd) -> None:
        self.publish("event", topics.cmd(REF), messages.encode(command))

    def publish(self, lane: Lane, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """As ingest's session of that lane."""
        self._connections[lane].publish(topic, payload, retain=retain).result(60)

    def _take(self, received: Received) -> None:
        topic = topics.parse_up(received.topic)
        if topic.kind == "birth":
            self.births.append(messages.decode(messages.Birth, received.payload))
        elif topic.kind == "state":
            self.states.append(messages.decode(messages.State, received.payload))
        else:
            assert topic.lane
            kind = messages.Data if topic.lane == "data" else messages.Event
            body = messages.decode(kind, received.payload)
            assert isinstance(body, messages.Data | messages.Event)
            with self._lock:
                self.received.append((topic.lane, topic.epoch, topic.seq, body))
            if self.acking:
                self._ack_contiguous(topic.lane)

    def _ack_contiguous(self, lane: Lane) -> None:
        with self._lock:
            mine = [(epoch, seq, body) for kind, epoch, seq, body in self.received if kind == lane]
        if not mine:
            return
        epoch = mine[-1][0]
        have = {seq for found, seq, _ in mine if found == epoch}
        seq = max(body.floor for found, _, body in mine if found == epoch) - 1
        while seq + 1 in have:
            seq += 1
        payload = messages.encode(messages.Ack(epoch=epoch, seq=seq))
        self._connections[lane].publish(topics.ack(REF, lane), payload, retain=True)


class Devices:
    """Plays the field side: publishes below field/c1/g1/."""

    def __init__(self, address: BrokerAddress) -> None:
        self._connection: Connection = connect(
            address, client_id="sim", user="sim", password=PASSWORD, on_message=lambda _: None, reconnect_jitter_s=0
        )

    def say(self, equipment: str, document: object, *, retain: bool = False, root: str = f"field/{REF.user}") -> None:
        payload = document if isinstance(document, bytes) else json.dumps(document).encode()
        self._connection.publish(f"{root}/{equipment}", payload, retain=retain).result(60)

    def close(self) -> None:
        self._connection.close()


BRIDGE = """
version = "test-1"

[gateway]
community = "c1"
id = "g1"

[spool]
min_free_bytes = 0

[[mqtt_bridge]]

[[device]]
equipment = "lift-1"
kind = "elevator"
vendor_profile = "java_gateway"
metrics = ["machine_temperature"]

[[device]]
equipment = "lift-2"
kind = "elevator"
vendor_profile = "provincial"
"""


class Site:
    """A gateway in this process, a broker, ingest and devices."""

    def __init__(self, tmp_path: Path, broker: RunningBroker) -> None:
        self.broker = broker
        self.folder = tmp_path / "spool"
        self.config_file = tmp_path / "gateway.toml"
        self.config_file.write_text(BRIDGE, encoding="utf-8")
        self._stack = ExitStack()
        self.gateway: service.Gateway | None = None

    def settings(self, **more: object) -> GatewaySettings:
        values = {
            "config_file": self.config_file,
            "spool_dir": self.folder,
            "mqtt_url": self.broker.url,
            "mqtt_password": PASSWORD,
            "batch_s": 0.05,
            "resend_after_s": 1.0,
            "reconnect_jitter_s": 0.1,
        }
        return load(GatewaySettings, environ={}, **(values | more))

    def ingest(self, acking: bool = True) -> FakeIngest:
        ingest = FakeIngest(self.broker.address, acking)
        for lane in topics.LANES:  # else the gateway waits a second for the retained acks of earlier days
            ingest.ack(lane, "of-earlier-days", 0)
        self._stack.callback(ingest.close)
        return ingest

    def devices(self) -> Devices:
        devices = Devices(self.broker.address)
        self._stack.callback(devices.close)
        return devices

    def start(self, *, announced: bool = True, **more: object) -> service.Gateway:
        """Returns when the gateway says of itself that it is there (`announced`), or only runs."""
        stop, there = Stop(), threading.Event()
        failures: list[BaseException] = []

        def ready(gateway: service.Gateway) -> None:
            self.gateway = gateway
            there.set()

        def body() -> None:
            try:
                service.run(self.settings(**more), stop, ready)
            except BaseException as error:
                failures.append(error)
                there.set()

        thread = threading.Thread(target=body)
        thread.start()

        def end() -> None:
            stop.set()
            thread.join(60)
            assert not thread.is_alive()
            if failures:
                raise failures[0]

        self.stop = end
        self._stack.callback(end)
        assert there.wait(60)
        if failures:
            raise failures[0]
        gateway = self.gateway
        assert gateway
        if announced:
            wait_until(lambda: gateway.uplink.announced)
        return gateway

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def site(tmp_path: Path, broker: RunningBroker) -> Iterator[Site]:
    made = Site(tmp_path, broker)
    yield made
    made.close()
