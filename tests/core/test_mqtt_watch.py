"""A broker that answers pings and forgets the rest, or refuses for a moment: we do not wait for it for ever."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

import pytest
from paho.mqtt.client import Client

from tests.brokers import until
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.mqtt import connect
from watchkeep_core.mqtt_connection import Connection
from watchkeep_core.mqtt_watch import AnswerWatch

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ = 1, 3, 8, 12


class Moody:
    """A broker (3.1.1) that does not answer the packets of its first connection that are in `ignores`."""

    def __init__(self, ignores: set[int], refusals: int = 0) -> None:
        self.refusals = refusals
        """Subscriptions that it still refuses."""
        self.subscribed = self.pings = self.connections = 0
        self._ignores = ignores
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = BrokerAddress("127.0.0.1", self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(60)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                with line, line.makefile("rb") as stream, suppress(OSError, IndexError):
                    while True:
                        self._answer(line, *_packet(stream))

    def _answer(self, line: socket.socket, kind: int, body: bytes) -> None:
        if kind == CONNECT and body[6] == 5:
            line.sendall(b"\x20\x03\x00\x84\x00")  # wants 3.1.1
            line.shutdown(socket.SHUT_RDWR)
        elif kind == CONNECT:
            self.connections += 1
            line.sendall(b"\x20\x02\x00\x00")
        elif kind == PINGREQ:
            self.pings += 1
            line.sendall(b"\xd0\x00")
        elif self.connections == 1 and kind in self._ignores:
            return
        elif kind == PUBLISH:
            end = 2 + int.from_bytes(body[:2])
            line.sendall(b"\x40\x02" + body[end : end + 2])
        elif kind == SUBSCRIBE:
            self.refusals -= 1
            self.subscribed += self.refusals < 0
            line.sendall(b"\x90\x03" + body[:2] + (b"\x80" if self.refusals >= 0 else b"\x01"))


def _packet(stream) -> tuple[int, bytes]:
    first, length, shift = stream.read(1)[0], 0, 0
    while True:
        byte = stream.read(1)[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return first >> 4, stream.read(length)


@contextmanager
def talking_to(broker: Moody) -> Iterator[Connection]:
    try:
        with connect(
            broker.address,
            client_id="a",
            user="a",
            password="b",
            on_message=print,
            keepalive_s=1,
            reconnect_jitter_s=0.0,
        ) as connection:
            yield connection
    finally:
        broker.close()


@pytest.mark.slow
def test_a_broker_that_takes_no_publish_is_left_and_the_next_one_gets_it():
    broker = Moody({PUBLISH})
    with talking_to(broker) as connection:
        connection.publish("x", b"y").result(60)
        assert connection.epoch == 2
        assert broker.pings


@pytest.mark.slow
def test_a_broker_that_does_not_answer_a_subscription_is_left():
    broker = Moody({SUBSCRIBE})
    with talking_to(broker) as connection:
        connection.subscribe(["x"])
        until(lambda: broker.subscribed and connection.subscribed, 60)
        assert connection.epoch == 2


@pytest.mark.slow
def test_a_refused_subscription_is_asked_for_again():
    broker = Moody(set(), refusals=2)
    with talking_to(broker) as connection:
        connection.subscribe(["x"])
        until(lambda: connection.refused_topics)
        assert not connection.subscribed
        until(lambda: connection.subscribed, 60)
        assert broker.subscribed == 1
        assert connection.epoch == 1


class Line:
    """What is asked of paho."""

    def __init__(self, unsent: bool) -> None:
        self._unsent = unsent

    def socket(self) -> object:
        return self

    def want_write(self) -> bool:
        return self._unsent

    def fileno(self) -> int:
        return -1


@pytest.mark.parametrize(
    ("unsent", "outstanding", "asked_s", "in_vain"),
    [(False, 1, 0, True), (True, 1, 0, False), (False, 0, 0, False), (False, 0, 61, True), (True, 0, 61, False)],
)
def test_what_is_still_on_its_way_is_nobodys_fault(unsent: bool, outstanding: int, asked_s: float, in_vain: bool):
    watch = AnswerWatch(60)
    watch.progress(100)
    assert not watch.in_vain(160, cast(Client, Line(False)), outstanding, 0)
    assert watch.in_vain(161, cast(Client, Line(unsent)), outstanding, asked_s) == in_vain
