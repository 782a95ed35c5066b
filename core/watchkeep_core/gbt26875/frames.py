"""Frames (6.6): two start bytes, 25 bytes of control unit, the application data unit, checksum, two end bytes."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from watchkeep_core.gbt26875.dialect import Dialect
from watchkeep_core.gbt26875.errors import FrameError

START, END = b"@@", b"##"
CONTROL, SEND, ACK, REQUEST, RESPONSE, REFUSE = 1, 2, 3, 4, 5, 6
COMMANDS = frozenset({CONTROL, SEND, ACK, REQUEST, RESPONSE, REFUSE})

MAX_UNIT = 1024
"""Bytes of an application data unit (6.6)."""

MAX_FRAME = len(START) + 25 + MAX_UNIT + 1 + len(END)

_CONTROL = struct.Struct("<HBB6s6s6sHB")  # serial, version, user version, time, source, destination, length, command
_HEAD = len(START) + _CONTROL.size
_TAIL = 1 + len(END)
_LENGTH_AT = len(START) + 22


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet between device and centre."""

    serial: int
    """业务流水号, 0 to 65535: an answer repeats that of its question."""
    command: int
    source: int
    """Six bytes, low byte first; 0 = not given."""
    destination: int
    unit: bytes = b""
    """The application data unit; empty in heartbeats and answers."""
    at: datetime | None = None
    """When it was sent, UTC; None = the label is no date."""
    version: tuple[int, int] = (1, 1)
    """Protocol and user version."""

    def encode(self, dialect: Dialect) -> bytes:
        """Raises FrameError `too_large`, ValueError for numbers that do not fit their field."""
        if len(self.unit) > MAX_UNIT:
            raise FrameError("too_large", f"application data unit of {len(self.unit)} bytes, at most {MAX_UNIT}")
        try:
            head = _CONTROL.pack(
                self.serial,
                *self.version,
                dialect.label(self.at),
                self.source.to_bytes(6, "little"),
                self.destination.to_bytes(6, "little"),
                len(self.unit),
                self.command,
            )
        except (struct.error, OverflowError) as error:
            raise ValueError(str(error)) from None
        body = head + self.unit
        return START + body + bytes((checksum(body),)) + END

    def answer(self, command: int, at: datetime) -> "Frame":
        """ACK or REFUSE: same serial, the addresses the other way round, no data."""
        return replace(self, command=command, source=self.destination, destination=self.source, unit=b"", at=at)


@dataclass(frozen=True, slots=True)
class Refused:
    """Bytes that are no frame; `frame` is what its control unit seems to say, so that it can be refused by serial."""

    error: FrameError
    raw: bytes
    frame: Frame | None = None


def checksum(body: bytes) -> int:
    """Sum of control unit and application data unit, modulo 256."""
    return sum(body) & 0xFF


class FrameReader:
    """Cuts a stream into frames whatever way it was split or joined; holds less than one frame of rest.

    After anything bad it looks for the next start bytes one byte further on, so that a good frame behind is found.
    """

    def __init__(self, dialect: Dialect) -> None:
        """Only `at` of the frames depends on the dialect; it may be changed once the first tells whose it is."""
        self.dialect = dialect
        self._rest = b""

    @property
    def waiting(self) -> int:
        """Bytes of a frame that is not complete yet."""
        return len(self._rest)

    def feed(self, data: bytes) -> Iterator[Frame | Refused]:
        """Take the next bytes; consume the iterator before the next call."""
        data = self._rest + data
        self._rest = b""
        at = 0
        while True:
            start = _next_start(data, at)
            yield from _garbage(data[at:start])
            size = _size(data, start)
            if size is None or (size <= MAX_FRAME and start + size > len(data)):
                self._rest = data[start:]
                return
            found = _frame(data[start : start + min(size, MAX_FRAME)], size, self.dialect)
            at = start + size
            if isinstance(found, Refused) and not _ends_well(data, start, size):
                at = _next_start(data, start + 1)
                found = replace(found, raw=data[start:at])
            yield found

    def give_up(self) -> Iterator[Frame | Refused]:
        """The rest of the frame does not come: its length was wrong. Good frames in what it swallowed are found."""
        rest, self._rest = self._rest, b""
        if rest:
            at = _next_start(rest, 1)
            yield Refused(FrameError("bad_length", f"{len(rest)} bytes, and the rest never came"), rest[:at])
            yield from self.feed(rest[at:])


def _garbage(raw: bytes) -> Iterator[Refused]:
    if raw:
        yield Refused(FrameError("bad_end", f"{len(raw)} bytes between frames"), raw)


def _next_start(data: bytes, at: int) -> int:
    """Where a frame may begin at or behind `at`, be it with the very last byte; else the end."""
    found = data.find(START, at)
    if found >= 0:
        return found
    return len(data) - 1 if data.endswith(START[:1]) and len(data) > at else len(data)


def _size(data: bytes, start: int) -> int | None:
    """Of the frame that begins at `start`; None when its length has not come yet."""
    if len(data) < start + _HEAD:
        return None
    return _HEAD + int.from_bytes(data[start + _LENGTH_AT : start + _LENGTH_AT + 2], "little") + _TAIL


def _ends_well(data: bytes, start: int, size: int) -> bool:
    """Its length is right, so that only its inside is broken and the next frame begins behind it."""
    end = start + size
    behind = data[end : end + len(START)]
    return size <= MAX_FRAME and data[end - len(END) : end] == END and START.startswith(behind)


def _frame(raw: bytes, size: int, dialect: Dialect) -> Frame | Refused:
    serial, version, user, label, source, destination, length, command = _CONTROL.unpack_from(raw, len(START))
    unit = raw[_HEAD : _HEAD + length]
    frame = Frame(
        serial,
        command,
        int.from_bytes(source, "little"),
        int.from_bytes(destination, "little"),
        unit,
        dialect.time(label),
        (version, user),
    )
    error: FrameError | None = None
    if size > MAX_FRAME:
        error = FrameError("bad_length", f"application data unit of {length} bytes, at most {MAX_UNIT}")
    elif raw[-len(END) :] != END:
        error = FrameError("bad_end", f"ends with {raw[-len(END) :].hex(' ')} instead of 23 23")
    elif (said := raw[-_TAIL]) != (is_ := checksum(raw[len(START) : -_TAIL])):
        error = FrameError("bad_checksum", f"{said:#04x} instead of {is_:#04x}")
    elif command not in COMMANDS and command < 128:
        error = FrameError("bad_command", f"{command} is reserved")
    return frame if error is None else Refused(error, raw, frame)


def address_from(text: str) -> int:
    """A device's address from a decimal number, or its six bytes in hex as sent; raises ValueError."""
    digits = text.replace(" ", "").replace(":", "")
    if len(digits) == 12 and (digits != text or not digits.isdigit()):
        try:
            return int.from_bytes(bytes.fromhex(digits), "little")
        except ValueError:
            pass
    if digits == text and digits.isascii() and digits.isdigit() and int(digits) < 2**48:
        return int(digits)
    raise ValueError(f"{text!r} is no number below 2^48 and no six bytes in hex, such as 15 27 08 20 20 FE")


def address_text(address: int) -> str:
    """Six bytes in hex as sent."""
    return address.to_bytes(6, "little").hex()
