"""The receive path under paho: reads the broker's stream in large pieces and takes the PUBLISH packets out of it.

paho reads every header byte by a system call of its own, gives the interpreter lock away at each of them, and spends
about 40 µs on a message. What is not a PUBLISH of QoS 0 or 1 is passed on to paho byte by byte, as it came.
"""

import time
from collections.abc import Callable
from typing import Any

READ_BYTES = 262_144
"""Most bytes of one read: about 150 messages of 100 readings. The write side has its turn after each."""

_PUBLISH = 0x30
_KIND = 0xF0
_RETAIN, _DUP = 0x01, 0x08
_MAX_LENGTH_BYTES = 4

Deliver = Callable[[str, bytes, int, int, bool, bool], None]
"""Topic, payload, message id (0 for QoS 0), wall clock in ns, retain, duplicate. Must not raise."""


class PublishReader:
    """Stands where paho expects its socket; `pending` tells paho's loop not to wait, as for TLS."""

    def __init__(self, sock: Any, deliver: Deliver, *, five: bool) -> None:
        """`five`: packets carry properties (MQTT 5)."""
        self._sock = sock
        self._deliver = deliver
        self._five = five
        # Kept, not taken anew for each read as `recv` does to fill a little of it: that tore the heap to pieces, and a
        # gateway grew by 12 MB in its first hour (measured: 0.3 kB for each message).
        self._room = memoryview(bytearray(READ_BYTES))
        self._buffer = b""
        self._at = 0
        self._passing = 0  # bytes of the packet at hand that paho has not read yet
        self._starved = True  # what is left of the buffer, if anything, is the beginning of a packet
        self.last_read = time.monotonic()
        """time.monotonic() of the last bytes from the broker."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def pending(self) -> int:
        waiting = 0 if self._starved else len(self._buffer) - self._at
        return waiting + (self._sock.pending() if hasattr(self._sock, "pending") else 0)

    def recv(self, size: int) -> bytes:
        """Bytes of packets that are paho's; b"" at the end of the stream. Raises what the socket raises."""
        if not self._passing:
            self._deliver_publishes()
        if not self._passing or self._at == len(self._buffer):
            if not self._read():
                return b""
            if not self._passing:
                self._deliver_publishes()
            if not self._passing:
                raise BlockingIOError
        piece = self._buffer[self._at : self._at + min(size, self._passing)]
        self._at += len(piece)
        self._passing -= len(piece)
        return piece

    def _read(self) -> bool:
        size: int = self._sock.recv_into(self._room)
        self._buffer, self._at = self._buffer[self._at :] + self._room[:size], 0
        self.last_read = time.monotonic()
        return size > 0

    def _deliver_publishes(self) -> None:
        """Deliver whole PUBLISH packets until the bytes run out or a packet of paho's begins."""
        buffer, at, end = self._buffer, self._at, len(self._buffer)
        now_ns = time.time_ns()
        self._starved = True
        while end - at >= 2:
            first = buffer[at]
            length, body = buffer[at + 1], at + 2
            if length & 0x80:
                length, body = _length(buffer, at + 1)
                if not body:
                    break
            if first & _KIND != _PUBLISH or first & 0x06 > 0x02:
                self._passing = body - at + length
                self._starved = False
                break
            if end - body < length:
                break
            self._publish(first, body, body + length, now_ns)
            at = body + length
            self._at = at  # at once: what was delivered must not come again when a later packet is malformed

    def _publish(self, first: int, at: int, end: int, now_ns: int) -> None:
        buffer = self._buffer
        if end - at < 2:
            raise ConnectionError("malformed PUBLISH")
        topic_end = at + 2 + (buffer[at] << 8 | buffer[at + 1])
        payload, mid = topic_end, 0
        if first & 0x06:
            if end < topic_end + 2:
                raise ConnectionError("malformed PUBLISH")
            mid = buffer[topic_end] << 8 | buffer[topic_end + 1]
            payload += 2
        if self._five:
            if payload >= end:
                raise ConnectionError("malformed PUBLISH")
            size, payload = _length(buffer, payload)
            payload += size
        if payload > end:
            raise ConnectionError("malformed PUBLISH")
        topic = buffer[at + 2 : topic_end].decode("utf-8", "replace")
        self._deliver(topic, buffer[payload:end], mid, now_ns, bool(first & _RETAIN), bool(first & _DUP))


def _length(buffer: bytes, at: int) -> tuple[int, int]:
    """MQTT's variable byte integer and where it ends; (0, 0) when it is not all there. Raises ConnectionError."""
    value = 0
    for number in range(_MAX_LENGTH_BYTES):
        if at + number >= len(buffer):
            return 0, 0
        byte = buffer[at + number]
        value |= (byte & 0x7F) << 7 * number
        if byte < 0x80:
            return value, at + number + 1
    raise ConnectionError("malformed packet length")


def pubacks(mids: list[int]) -> bytes:
    """PUBACK packets (success) of these message ids, in order: one write instead of one each."""
    return b"".join([b"\x40\x02" + mid.to_bytes(2) for mid in mids])
