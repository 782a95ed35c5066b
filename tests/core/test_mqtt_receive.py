"""The receive path takes PUBLISH packets out of any stream, however it is cut, and passes the rest on untouched."""

import socket
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_core.mqtt_receive import PublishReader, pubacks


def length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (0x80 if size else 0))
        if not size:
            return bytes(out)


def publish(topic: str, payload: bytes, mid: int, retain: bool, five: bool) -> bytes:
    body = len(topic.encode()).to_bytes(2) + topic.encode()
    body += mid.to_bytes(2) if mid else b""
    body += length(3) + b"\x01\x01\x01" if five else b""
    body += payload
    return bytes([0x30 | (0x02 if mid else 0) | retain]) + length(len(body)) + body


Delivered = tuple[str, bytes, int, bool]
messages = st.tuples(
    st.text(alphabet="a/ü泵", min_size=1, max_size=20),
    st.binary(max_size=300),
    st.integers(0, 65_535),
    st.booleans(),
)
others = st.sampled_from([b"\xd0\x00", b"\x40\x02\x00\x07", b"\x90\x03\x00\x01\x01", b"\x20\x80\x01" + b"x" * 128])


class Line:
    """A socket that gives the stream in the pieces it was cut into."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def recv_into(self, room: memoryview) -> int:
        if not self._pieces:
            return 0
        piece = self._pieces.pop(0)
        if not piece:
            raise BlockingIOError
        room[: len(piece)] = piece
        return len(piece)


def read_as_paho(reader: PublishReader) -> bytes:
    """All bytes until the end of the stream: one by one for the header, then the rest, as `Client._packet_read`."""
    passed = b""
    while True:
        for size in (1, 1, 1000):
            try:
                found = reader.recv(size)
            except BlockingIOError:
                continue
            if not found:
                return passed
            passed += found


@given(st.lists(st.one_of(messages, others), max_size=12), st.booleans(), st.data())
def test_any_stream_in_any_pieces(packets: list[Delivered | bytes], five: bool, data):
    stream = b"".join(each if isinstance(each, bytes) else publish(*each, five) for each in packets)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]  # empty: nothing there yet
    delivered: list[Delivered] = []
    reader = PublishReader(
        Line(pieces), lambda topic, payload, mid, _at, retain, _dup: delivered.append((topic, payload, mid, retain)),
        five=five,
    )  # fmt: skip
    assert read_as_paho(reader) == b"".join(each for each in packets if isinstance(each, bytes))
    assert delivered == [each for each in packets if not isinstance(each, bytes)]
    assert reader.pending() == 0


def test_what_waits_for_paho_shows_as_pending():
    reader = PublishReader(
        Line([b"\xd0\x00\xd0\x00" + publish("t", b"x", 1, False, False)]), lambda *_: None, five=False
    )
    assert reader.pending() == 0
    assert (reader.recv(1), reader.recv(1)) == (b"\xd0", b"\x00")
    assert reader.pending() > 0


@pytest.mark.parametrize(
    "stream",
    [
        b"\x32\x03\x00\x09a",
        b"\x32\x01\x00",
        b"\x32\x04\x00\x01a\x00",
        b"\x32\xff\xff\xff\xff\x01",
        b"\xd0\xff\xff\xff\xff",
    ],
)
def test_a_malformed_packet_ends_the_connection(stream: bytes):
    reader = PublishReader(Line([stream]), lambda *_: None, five=False)
    with pytest.raises(ConnectionError):
        reader.recv(1)


def test_reading_takes_as_much_memory_as_came_not_as_could_have_come():
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        reader = PublishReader(near, lambda *_: None, five=True)
        far.sendall(publish("t", b"x" * 1000, 1, False, True))
        tracemalloc.start()
        try:
            with pytest.raises(BlockingIOError):
                reader.recv(1)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 50_000


def test_pubacks_are_packets_of_four_bytes_in_order():
    assert pubacks([1, 258]) == b"\x40\x02\x00\x01\x40\x02\x01\x02"
