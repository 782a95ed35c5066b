"""Real brokers for tests, a proxy whose line a test can cut, and waiting with a deadline."""

import contextlib
import itertools
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import topic_matches_sub

from watchkeep_cli.broker import AclRule, Kind, RunningBroker, mosquitto_installed, start_broker
from watchkeep_core.broker import BrokerAddress, Received
from watchkeep_core.mqtt import connect
from watchkeep_core.mqtt_connection import Connection

PASSWORD = "correct horse"
BOSS = "boss"
USERS = dict.fromkeys((BOSS, *(f"g/{number}" for number in range(200))), PASSWORD)
RULES = [AclRule("+/+", "readwrite", "x/%u/#"), AclRule(BOSS, "readwrite", "x/#")]

KINDS = [
    pytest.param("mosquitto", marks=pytest.mark.skipif(not mosquitto_installed(), reason="mosquitto is not installed")),
    "amqtt",
]


def until(there: Callable[[], Any], timeout_s: float = 60.0) -> None:
    """Poll until `there()` is true; fail when it is not within the time."""
    deadline = time.monotonic() + timeout_s
    while not there():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.01)


@contextlib.contextmanager
def running(kind: Kind, **arguments: Any) -> Iterator[RunningBroker]:
    with tempfile.TemporaryDirectory(prefix="watchkeep-broker-") as directory:
        users = arguments.pop("users", USERS)
        rules = arguments.pop("acl", RULES)
        with start_broker(Path(directory), users, rules, prefer=kind, **arguments) as broker:
            yield broker


@dataclass
class Client:
    """A connection and what came through it."""

    connection: Connection
    received: list[Received] = field(default_factory=list)

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.received]

    def expect(self, payload: bytes) -> None:
        until(lambda: payload in self.payloads)


class Lab:
    """Hands out users nobody else uses, connects them, closes everything at the end."""

    _numbers = itertools.count()

    def __init__(self, broker: RunningBroker) -> None:
        self.broker = broker
        self._stack = contextlib.ExitStack()

    def name(self) -> str:
        return f"g/{next(self._numbers)}"

    def proxy(self) -> "Proxy":
        return self._stack.enter_context(Proxy(self.broker.address))

    def join(self, user: str = BOSS, *topics: str, **options: Any) -> Client:
        received: list[Received] = []
        arguments: dict[str, Any] = {
            "address": self.broker.address,
            "client_id": user,
            "user": user,
            "password": PASSWORD,
            "on_message": received.append,
            "reconnect_jitter_s": 0.0,
        } | options
        client = Client(connect(arguments.pop("address"), **arguments), received)
        self._stack.callback(client.connection.close)
        client.connection.subscribe(topics)
        if topics:
            self._await_subscription(client, user, topics)
        return client

    def _await_subscription(self, client: Client, user: str, topics: tuple[str, ...]) -> None:
        """Subscribed for certain once a message comes back."""
        topic = "x/probe" if user == BOSS else f"x/{user}/probe"
        if not any(topic_matches_sub(wanted, topic) for wanted in topics):  # else it would come twice
            client.connection.subscribe([topic])
        client.connection.publish(topic, b"probe").result(60)
        until(lambda: any(message.topic == topic for message in client.received))
        for probe in [message for message in client.received if message.topic == topic]:
            client.connection.ack(probe)
            client.received.remove(probe)

    def close(self) -> None:
        self._stack.close()


class Proxy:
    """TCP in front of a broker. `cut` ends all lines; `closed`: new ones end at once; `deaf`: bytes vanish.

    `delay_s`: each piece of up to 64 KiB waits so long, in each direction.
    """

    def __init__(self, target: BrokerAddress) -> None:
        self._target = (target.host, target.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = BrokerAddress("127.0.0.1", self._listener.getsockname()[1])
        self.closed = False
        self.deaf = False
        self.delay_s = 0.0
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def cut(self, *, closed: bool = False) -> None:
        self.closed = closed
        lines, self._sockets = self._sockets, []
        for line in lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.closed:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(self._target)
                except OSError:  # the broker is away
                    near.close()
                    continue
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._pump, args=(source, sink), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError), source:
            while data := source.recv(65_536):
                time.sleep(self.delay_s)
                if not self.deaf:
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
