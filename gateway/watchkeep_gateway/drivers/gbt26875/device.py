"""One transmission device as the gateway sees it: what it said, whether it is there, what it was asked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from hashlib import blake2b

from watchkeep_core.gbt26875 import CONTROL, Dialect, Frame, FrameError, Object, Unit, address_text, encode_unit
from watchkeep_core.gbt26875 import decode_unit as decode
from watchkeep_core.gbt26875.objects import DUTY_CHECK, SYNC_CLOCK
from watchkeep_core.messages import AttributeValue
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_gateway.drivers.gbt26875.directory import Directory
from watchkeep_gateway.drivers.gbt26875.panel import MEMORY, Panel
from watchkeep_gateway.drivers.gbt26875.supervision import Asked, Supervision
from watchkeep_gateway.drivers.gbt26875.tables import (
    CLOCK_METRIC,
    DUTY_METRIC,
    LINK_METRIC,
    REPORT_S,
    ListenerTable,
    TransmissionTable,
)
from watchkeep_gateway.values import Delivery, DeviceEvent, Reading, Readings, Rejected

UNANSWERED = "duty_check_unanswered"


@dataclass(slots=True)
class Device:
    """State of one device, used in the driver's thread only; times are monotonic s, or ms since 1970 UTC."""

    table: TransmissionTable
    dialect: Dialect
    panel: Panel
    supervision: Supervision
    silent_s: float
    duty_open: bool
    """Nobody answered the last check, and that was told."""
    heard_s: float
    up: bool | None = None
    clock_offset_s: float | None = None
    centre: int = 0
    """Our address, as the device calls us."""
    version: tuple[int, int] = (1, 1)
    _serial: int = 0
    _report_s: float = field(default=0.0)
    _unheard: bool = True

    @classmethod
    def of(
        cls,
        table: TransmissionTable,
        listener: ListenerTable,
        words: Vocabulary,
        kinds: Mapping[str, str],
        memory: Mapping[str, str],
        now: tuple[float, int],
    ) -> "Device":
        """`now`: monotonic s and ms since 1970 UTC."""
        zone = timezone(timedelta(hours=listener.utc_offset_h))
        dialect = Dialect.of(words.fire.profiles[table.profile], zone)
        panel = Panel(Directory.of_table(table, kinds), dialect, words, memory, now[1])
        supervision = Supervision(table.duty_check_h * 3600, table.duty_answer_min * 60.0, listener.clock_sync_h * 3600)
        supervision.started(now[0])
        return cls(
            table, dialect, panel, supervision, listener.silent_s, _duty_key(table.number) in memory, heard_s=now[0]
        )

    @property
    def name(self) -> str:
        return self.table.equipment

    def heard(self, frame: Frame, now_s: float, now_ms: int) -> None:
        """A good frame came."""
        self.heard_s = now_s
        self._unheard = False
        self.version = frame.version
        if frame.destination:
            self.centre = frame.destination
        self.clock_offset_s = None if frame.at is None else frame.at.timestamp() - now_ms / 1000

    def understand(self, frame: Frame, digest: bytes, origin: str, now_ms: int) -> Delivery:
        """What a frame with data says, ready for the disk; what cannot be placed is kept with the reason."""
        try:
            unit = decode(frame.unit, self.dialect)
        except FrameError as error:
            kept = Rejected(now_ms, origin, f"{error} (profile {self.table.profile})", frame.unit)
            return Delivery(rejected=(kept,), digest=digest, once=True)
        found = self.panel.take(unit, now_ms)
        if found.duty_answered:
            self._answered(found.readings, found.events, found.remember, now_ms)
        reasons = list(dict.fromkeys(found.unplaced))
        rejected = tuple(Rejected(now_ms, origin, reason, frame.unit) for reason in reasons)
        return Delivery(
            Readings.of(found.readings),
            tuple(found.events),
            rejected,
            digest,
            once=True,
            remember=found.remember,
        )

    def digest(self, frame: Frame) -> bytes:
        """Of what a frame says: the same when the device sends it again, whatever it did in between."""
        try:
            timed = all(thing.at is not None for thing in decode(frame.unit, self.dialect).objects)
        except FrameError:
            timed = False
        # Without a time in the data the time of sending counts: told twice is better than never.
        sent = b"" if timed else self.dialect.label(frame.at)
        parts = (frame.source.to_bytes(6, "little"), frame.serial.to_bytes(2, "little"), sent, frame.unit)
        return blake2b(b"\0".join(parts), digest_size=16, person=b"gbt26875").digest()

    def tick(self, now_s: float, now_ms: int, connected: bool) -> Delivery | None:
        """Once a second: is it there, did anybody answer; None = nothing to tell."""
        readings: list[Reading] = []
        events: list[DeviceEvent] = []
        remember: dict[str, str | None] = {}
        up = not self._unheard and now_s - self.heard_s <= self.silent_s
        unknown = self._unheard and now_s - self.heard_s <= self.silent_s
        if not unknown and (up is not self.up or now_s >= self._report_s):
            self.up = up
            self._report_s = now_s + REPORT_S
            readings.append(Reading(self.name, LINK_METRIC, now_ms, float(up)))
            if up and self.clock_offset_s is not None:
                readings.append(Reading(self.name, CLOCK_METRIC, now_ms, round(self.clock_offset_s, 3)))
        if not connected:
            self.supervision.lost()
        elif self.supervision.unanswered(now_s):
            self._unanswered(readings, events, remember, now_ms)
        if not readings and not events:
            return None
        return Delivery(Readings.of(readings), tuple(events), remember=remember)

    def commands(self, now_s: float, now: datetime, clocks: bool) -> Iterator[bytes]:
        """What to send it now; call it only while it is connected. `clocks`: is `now` known to be right?"""
        for serial, asked in self.supervision.repeats(now_s):
            yield self._command(serial, asked, now)
        yield from self._numbered(self.supervision.due(now_s, self._serial, clocks), now)

    def greeting(self, now_s: float, now: datetime, clocks: bool) -> Iterator[bytes]:
        """What to send it when it has connected."""
        yield from self._numbered(self.supervision.connected(now_s, self._serial, clocks), now)

    def correction(self, now_s: float, now: datetime, clocks: bool) -> Iterator[bytes]:
        """The time, when its clock was seen to be off."""
        if self.clock_offset_s is not None and clocks:
            yield from self._numbered(self.supervision.clock_seen(self.clock_offset_s, now_s, self._serial), now)

    def _numbered(self, asked: Asked | None, now: datetime) -> Iterator[bytes]:
        if asked:
            yield self._command(self._serial, asked, now)
            self._serial = (self._serial + 1) % 65536

    def _command(self, serial: int, asked: Asked, now: datetime) -> bytes:
        if asked == "clock":
            unit = Unit(SYNC_CLOCK, (Object(at=now),))
        else:
            unit = Unit(DUTY_CHECK, (Object(number=self.table.duty_answer_min),))
        raw = encode_unit(unit, self.dialect)
        return Frame(serial, CONTROL, self.centre, self.table.number, raw, now, self.version).encode(self.dialect)

    def _answered(
        self, readings: list[Reading], events: list[DeviceEvent], remember: dict[str, str | None], now_ms: int
    ) -> None:
        if not self.supervision.answered() and not self.duty_open:
            return
        equipment = self.table.duty_equipment or self.name
        readings.append(Reading(equipment, DUTY_METRIC, now_ms, 1.0))
        if self.duty_open:
            self.duty_open = False
            events.append(self._duty_event(False, now_ms))
            remember[_duty_key(self.table.number)] = None

    def _unanswered(
        self, readings: list[Reading], events: list[DeviceEvent], remember: dict[str, str | None], now_ms: int
    ) -> None:
        readings.append(Reading(self.table.duty_equipment or self.name, DUTY_METRIC, now_ms, 2.0))
        if not self.duty_open:
            self.duty_open = True
            events.append(self._duty_event(True, now_ms))
            remember[_duty_key(self.table.number)] = "1"

    def _duty_event(self, active: bool, now_ms: int) -> DeviceEvent:
        equipment = self.table.duty_equipment or self.name
        attributes: dict[str, AttributeValue] = {"device": self.name, "minutes": float(self.table.duty_answer_min)}
        return DeviceEvent(now_ms, equipment, UNANSWERED, active, "duty", self.table.profile, attributes)


def _duty_key(number: int) -> str:
    return f"{MEMORY}{address_text(number)}/duty"
