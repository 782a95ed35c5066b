"""One simulated transmission device: a TCP client that speaks GB/T 26875.3.

It keeps what was not confirmed, in order, and sends it again: after 10 s, after a refusal, after a new connection.
"""

import asyncio
import random
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeep_core.gbt26875 import (
    ACK,
    CONTROL,
    REFUSE,
    REQUEST,
    SEND,
    Dialect,
    Frame,
    FrameError,
    FrameReader,
    Object,
    Unit,
    decode_unit,
    encode_unit,
)
from watchkeep_core.gbt26875.objects import DEVICE_OPERATION, DEVICE_STATUS, DUTY_CHECK, SYNC_CLOCK
from watchkeep_firmware_sim.gbt26875_fleet import Transmission, Wire

HEARTBEAT_S = 20.0
CONFIRM_S = 10.0
"""6.5: sent again when nobody confirms within 10 s."""

TRIES = 3
"""… and after so many the connection is made anew."""

WINDOW = 50
"""Frames on their way at once, so that a burst of 200 does not wait for 200 round trips."""

MAX_KEPT = 20_000
"""Frames that wait for a confirmation; then the oldest goes, which is counted."""

RECONNECT_S = 1.0

CENTRE = 1
_DUTY_ANSWER = 1 << 5


@dataclass(slots=True)
class _Sent:
    unit: bytes
    tries: int = 0
    due_s: float = 0.0


class TransmissionDevice:
    """One client. `tell` and the properties may be used by any thread; all else runs in the caller's event loop."""

    def __init__(self, spec: Transmission, dialect: Dialect, now: Callable[[], datetime]) -> None:
        self.spec = spec
        self.dialect = dialect
        self.silent = False
        self.clock_shift_s = 0.0
        """How far its clock is ahead; a time that the centre sends sets it right."""
        self.wire: frozenset[Wire] = frozenset()
        self.confirmed = 0
        self.dropped = 0
        self.resent = 0
        self.duty_checks = 0
        self.clock_set = 0
        self._now = now
        self._rng = random.Random(f"{spec.community}/{spec.equipment}")  # noqa: S311 - spreads load, no secret
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._under_way: OrderedDict[int, _Sent] = OrderedDict()
        self._answers_due_s: list[float] = []
        self._serial = 0
        self._heartbeat_s = 0.0
        self._writer: asyncio.StreamWriter | None = None
        self.word = 1
        """Its own status."""

    @property
    def kept(self) -> int:
        """Frames that the centre has not confirmed."""
        return len(self._waiting) + len(self._under_way)

    def tell(self, unit: Unit) -> None:
        """Keep it until it is confirmed."""
        raw = encode_unit(unit, self.dialect)
        with self._lock:
            self._waiting.append(raw)
            if len(self._waiting) > MAX_KEPT:
                self._waiting.popleft()
                self.dropped += 1

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            if not self.silent:
                with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                    await self._session()
            await asyncio.sleep(RECONNECT_S * self._rng.uniform(0.5, 1.0))

    async def _session(self) -> None:
        async with asyncio.timeout(CONFIRM_S):
            reader, writer = await asyncio.open_connection(self.spec.host, self.spec.port)
        self._writer = writer
        with self._lock:  # what was under way is sent again first, with the serials it had
            for sent in self._under_way.values():
                sent.tries, sent.due_s = 0, 0.0
        self._heartbeat_s = 0.0
        self.tell(Unit(DEVICE_STATUS, (Object(status=self.word, at=self._clock()),)))
        frames = FrameReader(self.dialect)
        try:
            while not self.silent:
                await self._send_due()
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.02 if self._waiting or self._answers_due_s else 0.1):
                        data = await reader.read(65_536)
                        if not data:
                            return
                        for found in frames.feed(data):
                            if isinstance(found, Frame):
                                self._take(found)
        finally:
            self._writer = None
            writer.close()

    async def _send_due(self) -> None:
        now_s = time.monotonic()
        for due_s in [due_s for due_s in self._answers_due_s if due_s <= now_s]:
            self._answers_due_s.remove(due_s)
            self.tell(Unit(DEVICE_OPERATION, (Object(status=_DUTY_ANSWER, number=1, at=self._clock()),)))
        out = [self._frame(serial, sent) for serial, sent in self._due(now_s)]
        if now_s >= self._heartbeat_s:
            self._heartbeat_s = now_s + HEARTBEAT_S
            out.append(
                Frame(self._next_serial(), SEND, self.spec.number, CENTRE, b"", self._clock()).encode(self.dialect)
            )
        await self._write(out)

    def _due(self, now_s: float) -> list[tuple[int, _Sent]]:
        """Frames to send now: those nobody confirmed in time, then new ones as far as the window goes."""
        with self._lock:
            found = [(serial, sent) for serial, sent in self._under_way.items() if now_s >= sent.due_s]
            while self._waiting and len(self._under_way) < WINDOW:
                serial, sent = self._next_serial(), _Sent(self._waiting.popleft())
                self._under_way[serial] = sent
                found.append((serial, sent))
        for _, sent in found:
            sent.tries += 1
            sent.due_s = now_s + CONFIRM_S
            self.resent += sent.tries > 1
            if sent.tries > TRIES:
                raise ConnectionAbortedError
        return found

    def _frame(self, serial: int, sent: _Sent) -> bytes:
        raw = Frame(serial, SEND, self.spec.number, CENTRE, sent.unit, self._clock()).encode(self.dialect)
        if "checksum" in self.wire and sent.tries == 1:
            raw = raw[:-3] + bytes((raw[-3] ^ 0x55,)) + raw[-2:]
        return raw

    async def _write(self, frames: Sequence[bytes]) -> None:
        writer = self._writer
        if writer is None or not frames:
            return
        if "joined" in self.wire:
            frames = [b"".join([*frames, b"\x00@"])]  # and some rubbish behind, that begins like a frame
        for raw in frames:
            pieces = [raw[at : at + 7] for at in range(0, len(raw), 7)] if "split" in self.wire else [raw]
            for piece in pieces:
                writer.write(piece)
                if len(pieces) > 1:
                    await writer.drain()
                    await asyncio.sleep(0)
        await writer.drain()

    def _take(self, frame: Frame) -> None:
        if frame.command == ACK:
            with self._lock:
                self.confirmed += self._under_way.pop(frame.serial, None) is not None
        elif frame.command == REFUSE:
            with self._lock:
                if sent := self._under_way.get(frame.serial):
                    sent.due_s = 0.0
        elif frame.command in (CONTROL, REQUEST):
            self._obey(frame)

    def _obey(self, frame: Frame) -> None:
        answer = REFUSE
        with suppress(FrameError):
            unit = decode_unit(frame.unit, self.dialect)
            if unit.type == DUTY_CHECK:
                answer = ACK
                self.duty_checks += 1
                if "unmanned" not in self.wire:
                    self._answers_due_s.append(time.monotonic() + self.spec.answer_s)
            elif unit.type == SYNC_CLOCK and unit.objects[0].at:
                answer = ACK
                self.clock_set += 1
                self.clock_shift_s = 0.0
        if self._writer:
            self._writer.write(frame.answer(answer, self._clock()).encode(self.dialect))

    def _clock(self) -> datetime:
        return self._now() + timedelta(seconds=self.clock_shift_s)

    def _next_serial(self) -> int:
        self._serial = (self._serial + 1) % 65536
        return self._serial
