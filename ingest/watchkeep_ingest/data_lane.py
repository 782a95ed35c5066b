"""The data lane: births, then readings, then parked readings whose alias has become known."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.clock import from_us
from watchkeep_core.database import queries
from watchkeep_core.logs import get_logger
from watchkeep_core.messages import Birth
from watchkeep_core.topics import GatewayRef, Lane, partition_of
from watchkeep_core.vocabulary import load
from watchkeep_ingest import batches, births, metrics, parking
from watchkeep_ingest.accounts import Tally
from watchkeep_ingest.columns import Columns, Ints, Portion, Readings, Rows
from watchkeep_ingest.flood import FloodGuard
from watchkeep_ingest.incoming import Decoded, Problem
from watchkeep_ingest.keeping import Keeping
from watchkeep_ingest.lane import REPLAY_FROM_US, REPLAY_UNTIL_US, UNKNOWN_GATEWAY, BatchTooWide, Handled
from watchkeep_ingest.ledger import Key
from watchkeep_ingest.register import Register
from watchkeep_ingest.resolve import Quarantined, Resolution, resolve
from watchkeep_ingest.status import Notes

log = get_logger(__name__)

_DAY_US = 86_400_000_000

_MAX_DAYS = 400
"""Days one COPY may touch: each costs two locks of a table of 6,400 (PostgreSQL's default), or four when it is new.

One message cannot reach it: `dt_ms` spans 50 days.
"""

_ASK_AGAIN_S = 60.0
"""A gateway that has not answered `rebirth` is asked again after this, in seconds, while its readings keep parking."""


@dataclass(slots=True)
class _Pass:
    """What one transaction is about to change in memory."""

    days: set[date] = field(default_factory=set)
    stored: Rows = field(default_factory=lambda: Rows.joined([]))
    notes: list[tuple[GatewayRef, int, int | None]] = field(default_factory=list)
    watermarks: dict[str, int] = field(default_factory=dict)
    cursors: dict[Key, int | None] = field(default_factory=dict)
    held: list[Portion] = field(default_factory=list)
    received_us: int = 0
    """Of the newest live message."""


class DataLane:
    """Implements `LaneWork` for readings."""

    lane: Lane = "data"

    def __init__(self, unclaimed_cap: int, notes: Notes, flood: FloodGuard | None = None) -> None:
        """Without a `flood` guard nothing is too much."""
        self._cap = unclaimed_cap
        self._notes = notes
        self._flood = flood or FloodGuard(0)
        self._words = load()
        self._register = Register()
        self._keeping = Keeping()
        self._days: set[date] = set()
        self._newest: Ints = np.empty(0, np.int64)
        self._unpark: dict[Key, int] = {}  # → the last parked row looked at
        self._flooded: defaultdict[GatewayRef, set[str]] = defaultdict(set)  # → epochs
        self._asked_s: dict[Key, float] = {}
        self._births: dict[GatewayRef, bytes] = {}
        self._pass = _Pass()

    def waiting(self) -> set[int]:
        for source in self._flood.over(time.monotonic()):
            log.info("flood_over", gateway=source.user)
            for epoch in self._flooded.pop(source, ()):
                self._unpark.setdefault((source, epoch), 0)
        metrics.FLOODING.set(len(self._flood.flooding))
        return {partition_of(source.community) for source, _ in self._unpark}

    def handle(self, conn: Connection, accepted: Sequence[Decoded], tally: Tally) -> Handled:
        self._pass = _Pass()
        handled = Handled()
        modes = self._register.modes(conn, {m.topic.source for m in accepted if m.topic}, time.monotonic())
        portions: list[Portion] = []
        # Births first: within an epoch an alias has one meaning, so readings before their birth gain, and none loses.
        for message in sorted(accepted, key=lambda m: not isinstance(m.content, Birth)):
            if message.topic is None or message.content is None:
                continue
            source = message.topic.source
            if source not in modes:
                problem = Problem(UNKNOWN_GATEWAY, f"{source.user} is not in the register")
                handled.dead.append(message.refused(problem))
            elif isinstance(message.content, Birth):
                self._birth(conn, message, message.content, handled)
            elif isinstance(message.content, Readings):
                portions.append(_portion(message, message.content))
        for portion in portions:
            tally[portion.partition]["decoded"] += len(portion.readings)
        self._readings(conn, self._within_limit(conn, portions, tally), modes, tally, handled)
        return handled

    def resume(self, conn: Connection, tally: Tally) -> Handled:
        """The next parked messages of a gateway that was born anew."""
        self._pass = _Pass()
        handled = Handled()
        key = next(iter(self._unpark), None)
        if key is not None:
            modes = self._register.modes(conn, {key[0]}, time.monotonic())
            found, self._pass.cursors[key] = parking.read(conn, key, self._unpark[key], _MAX_DAYS)
            self._readings(conn, [portion for portion in found if key[0] in modes], modes, tally, handled)
        return handled

    def finish(self, conn: Connection) -> None:
        marks = self._pass.watermarks
        if marks:
            row = {"community": list(marks), "ts": [from_us(mark) for mark in marks.values()]}
            conn.execute(_sql("save_watermarks"), row)

    def committed(self) -> None:
        done = self._pass
        self._register.confirm()
        self._days |= done.days
        for portion in done.held:
            self._flooded[portion.source].add(portion.epoch)
        for key, cursor in done.cursors.items():
            if cursor is None:
                self._unpark.pop(key, None)
            else:
                self._unpark[key] = cursor
        if len(done.stored):
            last = _lasts(done.stored.series)
            self._grow(int(done.stored.series[-1]))
            series = done.stored.series[last]
            self._newest[series] = np.maximum(self._newest[series], done.stored.time_us[last])
            if done.received_us:
                self._notes.clocks.note(series, done.stored.time_us[last], done.received_us)
        self._notes.add(done.notes)
        self._pass = _Pass()

    def rolled_back(self) -> None:
        self._register.forget()
        self._births.clear()
        self._asked_s.clear()
        self._days.clear()  # a day may have been dropped by the retention of raw readings
        self._pass = _Pass()

    def _birth(self, conn: Connection, message: Decoded, birth: Birth, handled: Handled) -> None:
        if message.topic is None or self._births.get(message.topic.source) == message.incoming.payload:
            return  # retained, and our session has reconnected
        source = message.topic.source
        problem = births.apply(conn, self._register, source, birth, self._cap, self._words)
        if problem is not None:
            handled.dead.append(message.refused(problem))
        self._births[source] = message.incoming.payload
        self._asked_s.pop((source, birth.data_epoch), None)
        for epoch in {birth.data_epoch, *parking.epochs(conn, source)}:
            self._unpark[source, epoch] = 0

    def _within_limit(self, conn: Connection, portions: list[Portion], tally: Tally) -> list[Portion]:
        """What the flood guard lets pass; the rest is parked."""
        now_s = time.monotonic()
        before = self._flood.flooding
        passing: list[Portion] = []
        held: list[Portion] = []
        for portion in portions:
            within = self._flood.lets_pass(portion.source, len(portion.readings), now_s)
            (passing if within else held).append(portion)
        for source in self._flood.flooding - before:
            log.warning("flood", gateway=source.user)
        if held:
            parking.insert(conn, [parking.whole(portion, parking.RATE_LIMIT) for portion in held])
            self._pass.held = held
            for portion in held:
                tally[portion.partition]["parked"] += len(portion.readings)
        return passing

    def _readings(
        self,
        conn: Connection,
        portions: list[Portion],
        modes: dict[GatewayRef, bool],
        tally: Tally,
        handled: Handled,
    ) -> None:
        if not portions:
            return
        columns = Columns.of(portions)
        resolution = self._resolve(conn, portions, columns, modes)
        self._settle(conn, portions, resolution, tally)
        for parked in resolution.parked:
            if parked.reason == births.UNKNOWN_ALIAS:
                self._ask(parked.portion.key, handled)
        self._note(portions, columns, modes)
        rows = resolution.stored.sorted()
        if len(rows):
            self._copy(conn, rows)
            self._count_stored(rows, tally)
            handled.rows = batches.of_readings(conn, rows)
        self._pass.stored = rows

    def _resolve(
        self, conn: Connection, portions: list[Portion], columns: Columns, modes: dict[GatewayRef, bool]
    ) -> Resolution:
        tables = self._register.tables(conn, {portion.key for portion in portions})
        replay = [modes[portion.source] for portion in portions]
        resolution = resolve(portions, columns, [tables[portion.key] for portion in portions], replay)
        doubtful = {parked.portion.key for parked in resolution.parked if parked.reason == births.UNKNOWN_ALIAS}
        again = self._register.reload(conn, list(doubtful))  # another worker may have been told meanwhile
        fresh = any(again[key].pairs() != tables[key].pairs() for key in doubtful)
        tables.update(again)
        if fresh:
            resolution = resolve(portions, columns, [tables[portion.key] for portion in portions], replay)
        return resolution

    def _settle(self, conn: Connection, portions: list[Portion], resolution: Resolution, tally: Tally) -> None:
        """Write what is quarantined and parked; take what was parked and is no longer out of its table."""
        untouched = {each.portion.parked_id for each in resolution.parked if parking.is_unchanged(each)}
        taken = [p for p in portions if p.parked_id is not None and p.parked_id not in untouched]
        parking.delete(conn, taken)
        for portion in taken:
            tally[portion.partition]["parked"] -= len(portion.readings)
        parked = [each for each in resolution.parked if not parking.is_unchanged(each)]
        parking.insert(conn, parked)
        for each in parked:
            tally[each.portion.partition]["parked"] += len(each.data.alias)
        quarantined = resolution.quarantined
        if len(quarantined.rows):
            conn.execute(_sql("insert_quarantine"), _quarantine_row(portions, quarantined))
            for number in quarantined.portion.tolist():
                tally[portions[number].partition]["quarantined"] += 1

    def _ask(self, key: Key, handled: Handled) -> None:
        now_s = time.monotonic()
        if now_s - self._asked_s.get(key, -_ASK_AGAIN_S) >= _ASK_AGAIN_S:
            self._asked_s[key] = now_s
            handled.rebirths.append(key[0])

    def _note(self, portions: list[Portion], columns: Columns, modes: dict[GatewayRef, bool]) -> None:
        newest = np.maximum.reduceat(columns.time_us, columns.starts[:-1]).tolist()
        for portion, mark in zip(portions, newest, strict=True):
            replay = modes[portion.source]
            if portion.parked_id is None:
                self._pass.notes.append((portion.source, portion.received_us, None if replay else mark))
                self._pass.received_us = max(self._pass.received_us, portion.received_us)
            if replay:
                self._mark(portion)

    def _mark(self, portion: Portion) -> None:
        """Recorded data moves its community's "now"."""
        time_us = portion.readings.time_ms * 1000
        possible = time_us[(time_us >= REPLAY_FROM_US) & (time_us < REPLAY_UNTIL_US)]
        if len(possible):
            mark, community = int(possible.max()), portion.source.community
            self._pass.watermarks[community] = max(mark, self._pass.watermarks.get(community, mark))

    def _copy(self, conn: Connection, rows: Rows) -> None:
        days = {_day(number) for number in np.unique(rows.time_us // _DAY_US).tolist()}
        if len(days) > _MAX_DAYS:
            raise BatchTooWide(f"readings of {len(days)} days, at most {_MAX_DAYS} in one message")
        if days - self._days:
            conn.execute(_sql("make_partitions"), {"days": sorted(days - self._days)})
            self._pass.days = days
        self._keeping.before_copy(conn, rows)
        with conn.cursor() as cursor, cursor.copy(_sql("copy_readings")) as copy:
            copy.write(rows.to_copy())
        self._keeping.after_copy(conn, rows)

    def _count_stored(self, rows: Rows, tally: Tally) -> None:
        self._grow(int(rows.series[-1]))
        late = rows.time_us < self._newest[rows.series]
        for partition, count in zip(*np.unique(rows.partition, return_counts=True), strict=True):
            tally[int(partition)]["stored"] += int(count)
            tally[int(partition)]["late"] += int(late[rows.partition == partition].sum())

    def _grow(self, series: int) -> None:
        if series >= len(self._newest):
            more = np.full(max(series + 1, 2 * len(self._newest)) - len(self._newest), np.iinfo(np.int64).min)
            self._newest = np.concatenate([self._newest, more])


def _portion(message: Decoded, readings: Readings) -> Portion:
    topic = message.topic
    if topic is None:
        raise ValueError("a data message has a topic")
    return Portion(topic.source, topic.partition, topic.epoch, topic.seq, message.incoming.received_us, readings)


def _lasts(series: Any) -> Ints:
    """Where each run of equal series ends."""
    ends: Ints = np.flatnonzero(np.append(series[1:] != series[:-1], True))
    return ends


def _day(number: int) -> date:
    return datetime.fromtimestamp(number * 86_400, UTC).date()


def _quarantine_row(portions: Sequence[Portion], quarantined: Quarantined) -> dict[str, Any]:
    rows = quarantined.rows
    sources = [portions[number].source for number in quarantined.portion.tolist()]
    return {
        "community": [source.community for source in sources],
        "gateway": [source.gateway for source in sources],
        "series": rows.series.tolist(),
        "ts": [from_us(us) for us in rows.time_us.tolist()],
        "value": rows.value.tolist(),
        "quality": rows.quality.tolist(),
        "reason": ["too_old" if old else "in_future" for old in quarantined.too_old.tolist()],
        "received_at": [from_us(us) for us in quarantined.received_us.tolist()],
    }


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
