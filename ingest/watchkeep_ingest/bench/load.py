"""The load: messages encoded beforehand, sent by a bare MQTT 3.1.1 client whose cost per message is a few µs."""

import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from watchkeep_core import topics
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.errors import TransientError
from watchkeep_core.messages import Data, encode
from watchkeep_core.topics import GatewayRef

WINDOW = 1_000
"""Publishes without PUBACK: as many gateways would have together."""

_CONNACK_BYTES = 4
_PUBACK_BYTES = 4


class LoadFailed(TransientError):
    """The broker did not take what the bench sends."""


def publish_packet(topic: str, payload: bytes, mid: int, *, retain: bool = False) -> bytes:
    name = topic.encode()
    body = len(name).to_bytes(2) + name + mid.to_bytes(2) + payload
    return bytes([0x33 if retain else 0x32]) + _length(len(body)) + body


def packets(
    gateways: Sequence[GatewayRef], epoch: str, rows: int, size: int, points: int, first: int = 0
) -> list[bytes]:
    """PUBLISH packets of `rows` readings, `size` in each: gateways in turn, their points in turn, one step = 1 ms.

    Values have three decimals. `first` = seq of each gateway's first message.
    """
    t0 = time.time_ns() // 1_000_000 - 60_000
    made: list[bytes] = []
    for number in range(-(-rows // size)):
        turn, which = divmod(number, len(gateways))
        count = min(size, rows - number * size)
        start = turn * size
        data = Data(
            floor=0,
            t0=t0 + start // points,
            alias=[(start + n) % points for n in range(count)],
            dt_ms=[(start % points + n) // points for n in range(count)],
            value=[round(20 + (start + n) % 977 / 31, 3) for n in range(count)],
        )
        topic = topics.message(gateways[which], "data", epoch, first + turn)
        made.append(publish_packet(topic, encode(data), number % 65_535 + 1))
    return made


class Load:
    """One connection; QoS 1, counting PUBACKs without reading their ids."""

    def __init__(self, address: BrokerAddress, user: str, password: str) -> None:
        """Raises LoadFailed, OSError."""
        self._socket = socket.create_connection((address.host, address.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        texts = b"".join(len(text).to_bytes(2) + text for text in (user.encode(), user.encode(), password.encode()))
        body = b"\x00\x04MQTT\x04\xc2\x00\x00" + texts  # clean session, user name, password, no keep-alive
        self._socket.sendall(b"\x10" + _length(len(body)) + body)
        answer = self._socket.recv(_CONNACK_BYTES)
        if answer != b"\x20\x02\x00\x00":
            raise LoadFailed(f"the broker refused {user}: {answer.hex()}")
        self.sent = 0
        self._acknowledged = 0
        self._odd = 0  # bytes of a PUBACK that is not all there

    def send(self, some: Sequence[bytes]) -> None:
        """As fast as the broker takes them."""
        at = 0
        while at < len(some):
            room = WINDOW - (self.sent - self._acknowledged)
            if room < WINDOW // 4:
                self._read(60.0)
                continue
            part = some[at : at + room]
            self._socket.sendall(b"".join(part))
            at += len(part)
            self.sent += len(part)
            self._read(0.0)

    def finish(self) -> None:
        """Until the last PUBACK."""
        while self._acknowledged < self.sent:
            self._read(60.0)

    def close(self) -> None:
        self._socket.close()

    def _read(self, timeout_s: float) -> None:
        if not select.select([self._socket], [], [], timeout_s)[0]:
            if timeout_s:
                raise LoadFailed("the broker takes nothing any more")
            return
        found = self._socket.recv(65_536)
        if not found:
            raise LoadFailed("the broker closed the connection")
        whole, self._odd = divmod(self._odd + len(found), _PUBACK_BYTES)
        self._acknowledged += whole


@contextmanager
def loading(address: BrokerAddress, user: str, password: str) -> Iterator[Load]:
    load = Load(address, user, password)
    try:
        yield load
        load.finish()
    finally:
        load.close()


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)
