"""The way out over GB/T 26875.3: transmission devices that connect to the gateway, as TCP clients.

Each keeps what was not confirmed, in order, and sends it again: after 10 s, after a refusal, after a new connection.
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

from watchkeep_core.clock import from_ms
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
from watchkeep_core.logs import get_logger
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim.gbt26875_fleet import POWER_BITS, Component, Transmission, Wire

log = get_logger(__name__)

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
BURST = 200
"""Events of a panel at once (issue 3)."""

CENTRE = 1
_DUTY_ANSWER = 1 << 5
_FIRE = 1 << 1


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


class TransmissionDevices:
    """All of a fleet, in one thread; takes what the simulation says of the devices behind them."""

    def __init__(
        self,
        specs: Sequence[Transmission],
        components: dict[str, Component],
        owners: dict[str, str],
        vocabulary: Vocabulary,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """By `community/equipment`: `components`, the address of each; `owners`, its transmission device."""
        self.clients = {
            f"{spec.community}/{spec.equipment}": TransmissionDevice(
                spec, Dialect.of(vocabulary.fire.profiles[spec.profile]), lambda: from_ms(now_ms())
            )
            for spec in specs
        }
        self._components = components
        self._owners = owners
        self._words: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="gbt26875", daemon=True)
        self._ending = asyncio.Event()
        if self.clients:
            self._thread.start()

    def readings(self, device: str, t_ms: int, values: dict[str, float]) -> int:
        """Tell values; returns how many of them the protocol carries."""
        component = self._components[device]
        if component.address is None:
            bits = sum(1 << bit for metric, bit in POWER_BITS.items() if values.get(metric) == 2)
            if any(metric in values for metric in POWER_BITS):
                mask = sum(1 << bit for metric, bit in POWER_BITS.items() if metric in values)
                self._set(device, self._words.get(device, 0) & ~mask | bits, t_ms)
            return len(values)
        unit = component.values(values, t_ms)
        if unit is None:
            return 0
        self.clients[self._owners[device]].tell(unit)
        return len(unit.objects)

    def event(self, device: str, t_ms: int, condition: str, active: bool) -> bool:
        """Tell a condition; false when the protocol has no bit for it."""
        bit = self._components[device].bits.get(condition)
        if bit is None:
            return False
        word = self._words.get(device, 0)
        self._set(device, word | 1 << bit if active else word & ~(1 << bit), t_ms, always=True)
        return True

    def silence(self, device: str, silent: bool) -> None:
        """A transmission device that is off; what hangs behind it just says nothing."""
        if device in self.clients:
            self.clients[device].silent = silent

    def fault(self, device: str, wire: Wire | None, shift_s: float, begins: bool, t_ms: int) -> None:
        """Something goes wrong with a transmission device, or is right again."""
        client = self.clients.get(device)
        if client is None:
            return
        client.clock_shift_s = shift_s if begins else 0.0
        if wire == "burst":
            if begins:
                self._burst(device, t_ms)
        elif wire:
            client.wire = client.wire | {wire} if begins else client.wire - {wire}

    def close(self) -> None:
        """Ends at once: what is not confirmed is lost with the device's memory, as at a power cut."""
        if self._thread.ident is None:
            self._loop.close()
            return
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(5)

    def drain(self, timeout_s: float) -> None:
        """Wait until all is confirmed, at the end of a run."""
        deadline = time.monotonic() + timeout_s
        while any(client.kept for client in self.clients.values()) and time.monotonic() < deadline:
            threading.Event().wait(0.02)

    def totals(self) -> dict[str, int]:
        """Frames, of all devices: confirmed by the centre, not confirmed yet, sent again, given up."""
        clients = self.clients.values()
        return {
            "confirmed": sum(client.confirmed for client in clients),
            "kept": sum(client.kept for client in clients),
            "resent": sum(client.resent for client in clients),
            "dropped": sum(client.dropped for client in clients),
        }

    def _set(self, device: str, word: int, t_ms: int, *, always: bool = False) -> None:
        if word == self._words.get(device, 0) and not always:
            return
        self._words[device] = word
        client = self.clients[self._owners[device]]
        if self._components[device].address is None:
            client.word = word or 1
        client.tell(self._components[device].status(word, t_ms, client.dialect))

    def _burst(self, device: str, t_ms: int) -> None:
        """BURST events at once: all that hangs behind it says fire, and is quiet again, in turn; and so does itself."""
        behind = [name for name, owner in self._owners.items() if owner == device and self._components[name].address]
        client = self.clients[device]
        for number in range(BURST if behind else 0):
            name = behind[number // 2 % len(behind)]
            component = self._components[name]
            bit = component.bits.get("fire_alarm", component.bits.get("gas_alarm", 1))
            unit = component.status(0 if number % 2 else 1 << bit, t_ms + number * 5, client.dialect)
            client.tell(unit)
        for word in (_FIRE, 0):
            client.tell(self._components[device].status(word, t_ms, client.dialect))

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._main())
        except Exception:
            log.exception("gbt26875_died")

    async def _main(self) -> None:
        tasks = [asyncio.create_task(client.run()) for client in self.clients.values()]
        await self._ending.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
