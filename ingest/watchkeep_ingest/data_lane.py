"""The data lane: births, then readings, then parked readings whose alias has become known."""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import blake2b
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
from watchkeep_ingest.columns import Bools, Columns, Ints, Portion, Readings, Rows
from watchkeep_ingest.flood import BACKLOG_US, FloodGuard
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
        self._births: dict[GatewayRef, bytes] = {}  # → digest: a birth may be 256 kB, and there are 10,000 gateways
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
        born = [message for message in accepted if isinstance(message.content, Birth)]
        streams = {message.stream for message in accepted if message.stream}
        sources = {stream.source for stream in streams} | {m.topic.source for m in born if m.topic}
        modes = self._register.modes(conn, sources, time.monotonic())
        strangers = {stream for stream in streams if stream.source not in modes}
        portions: list[Portion] = []
        # Births first: within an epoch an alias has one meaning, so readings before their birth gain, and none loses.
        for message in born:
            if message.topic is not None and message.topic.source not in modes:
                handled.dead.append(_stranger(message, message.topic.source))
            elif isinstance(message.content, Birth):
                self._birth(conn, message, message.content, handled)
        for message in accepted:
            stream = message.stream
            if stream in strangers:
                handled.dead.append(_stranger(message, stream.source))
            elif isinstance(message.content, Readings):
                portions.append(_portion(message, message.content))
        if portions:
            columns = Columns.of(portions)
            for number, size in zip(columns.stream.tolist(), columns.sizes.tolist(), strict=True):
                tally[columns.streams[number].partition]["decoded"] += size
            held = self._beyond_limit(portions, columns)
            if held.any():
                self._hold(conn, [portions[number] for number in np.flatnonzero(held)], tally)
                portions = [portions[number] for number in np.flatnonzero(~held)]
            self._readings(conn, portions, columns if not held.any() else None, modes, tally, handled)
        return handled

    def resume(self, conn: Connection, tally: Tally) -> Handled:
        """The next parked messages of a gateway that was born anew."""
        self._pass = _Pass()
        handled = Handled()
        key = next(iter(self._unpark), None)
        if key is not None:
            modes = self._register.modes(conn, {key[0]}, time.monotonic())
            found, self._pass.cursors[key] = parking.read(conn, key, self._unpark[key], _MAX_DAYS)
            known = found if key[0] in modes else []
            self._readings(conn, known, None, modes, tally, handled)
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
            self._flooded[portion.source].add(portion.stream.epoch)
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
        digest = blake2b(message.incoming.payload, digest_size=16).digest()
        if message.topic is None or self._births.get(message.topic.source) == digest:
            return  # retained, and our session has reconnected
        source = message.topic.source
        problem = births.apply(conn, self._register, source, birth, self._cap, self._words)
        if problem is not None:
            handled.dead.append(message.refused(problem))
        self._births[source] = digest
        self._asked_s.pop((source, birth.data_epoch), None)
        for epoch in {birth.data_epoch, *parking.epochs(conn, source)}:
            self._unpark[source, epoch] = 0

    def _beyond_limit(self, portions: Sequence[Portion], columns: Columns) -> Bools:
        """Which portions the flood guard does not let pass."""
        now_s = time.monotonic()
        before = self._flood.flooding
        beyond = np.zeros(len(portions), np.bool_)
        old = columns.newest_us < columns.arrival_us - BACKLOG_US
        backlog = np.bincount(columns.stream, columns.sizes * old, len(columns.streams))
        fresh = np.bincount(columns.stream, columns.sizes * ~old, len(columns.streams))
        for number, stream in enumerate(columns.streams):
            if not self._flood.lets_all_pass(stream.source, int(fresh[number]), int(backlog[number]), now_s):
                for place in np.flatnonzero(columns.stream == number).tolist():
                    size, is_old = int(columns.sizes[place]), bool(old[place])
                    beyond[place] = not self._flood.lets_pass(stream.source, size, now_s, backlog=is_old)
        for source in self._flood.flooding - before:
            log.warning("flood", gateway=source.user)
        return beyond

    def _hold(self, conn: Connection, held: list[Portion], tally: Tally) -> None:
        parking.insert(conn, [parking.whole(portion, parking.RATE_LIMIT) for portion in held])
        self._pass.held = held
        for portion in held:
            tally[portion.stream.partition]["parked"] += len(portion.readings)

    def _readings(
        self,
        conn: Connection,
        portions: list[Portion],
        columns: Columns | None,
        modes: dict[GatewayRef, bool],
        tally: Tally,
        handled: Handled,
    ) -> None:
        """`columns` are those of the portions, where the caller has them."""
        if not portions:
            return
        columns = columns or Columns.of(portions)
        resolution = self._resolve(conn, portions, columns, modes)
        self._settle(conn, portions, resolution, tally)
        for parked in resolution.parked:
            if parked.reason == births.UNKNOWN_ALIAS:
                self._ask(parked.portion.stream.key, handled)
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
        keys = [stream.key for stream in columns.streams]
        tables = self._register.tables(conn, set(keys))
        replay = [modes[source] for source, _ in keys]
        resolution = resolve(portions, columns, [tables[key] for key in keys], replay)
        doubtful = {parked.portion.stream.key for parked in resolution.parked if parked.reason == births.UNKNOWN_ALIAS}
        again = self._register.reload(conn, list(doubtful))  # another worker may have been told meanwhile
        fresh = any(again[key].pairs() != tables[key].pairs() for key in doubtful)
        tables.update(again)
        if fresh:
            resolution = resolve(portions, columns, [tables[key] for key in keys], replay)
        return resolution

    def _settle(self, conn: Connection, portions: list[Portion], resolution: Resolution, tally: Tally) -> None:
        """Write what is quarantined and parked; take what was parked and is no longer out of its table."""
        untouched = {each.portion.parked_id for each in resolution.parked if parking.is_unchanged(each)}
        taken = [p for p in portions if p.parked_id is not None and p.parked_id not in untouched]
        parking.delete(conn, taken)
        for portion in taken:
            tally[portion.stream.partition]["parked"] -= len(portion.readings)
        parked = [each for each in resolution.parked if not parking.is_unchanged(each)]
        parking.insert(conn, parked)
        for each in parked:
            tally[each.portion.stream.partition]["parked"] += len(each.data.alias)
        quarantined = resolution.quarantined
        if len(quarantined.rows):
            conn.execute(_sql("insert_quarantine"), _quarantine_row(portions, quarantined))
            for number in quarantined.portion.tolist():
                tally[portions[number].stream.partition]["quarantined"] += 1

    def _ask(self, key: Key, handled: Handled) -> None:
        now_s = time.monotonic()
        if now_s - self._asked_s.get(key, -_ASK_AGAIN_S) >= _ASK_AGAIN_S:
            self._asked_s[key] = now_s
            handled.rebirths.append(key[0])

    def _note(self, portions: list[Portion], columns: Columns, modes: dict[GatewayRef, bool]) -> None:
        """A gateway's messages of one batch are one note: their newest arrival and stamp."""
        replays = [modes[stream.source] for stream in columns.streams]
        if portions[0].parked_id is None:  # live and parked ones never share a batch
            newest, arrival = (np.zeros(len(replays), np.int64) for _ in range(2))
            np.maximum.at(newest, columns.stream, columns.newest_us)
            np.maximum.at(arrival, columns.stream, columns.arrival_us)
            self._pass.received_us = int(arrival.max())
            for stream, at, mark, replay in zip(
                columns.streams, arrival.tolist(), newest.tolist(), replays, strict=True
            ):
                self._pass.notes.append((stream.source, at, None if replay else mark))
        if any(replays):
            for number in np.flatnonzero(np.array(replays)[columns.stream]).tolist():
                self._mark(portions[number])

    def _mark(self, portion: Portion) -> None:
        """Recorded data moves its community's "now"."""
        time_us = portion.readings.time_ms * 1000
        possible = time_us[(time_us >= REPLAY_FROM_US) & (time_us < REPLAY_UNTIL_US)]
        if len(possible):
            mark, community = int(possible.max()), portion.source.community
            self._pass.watermarks[community] = max(mark, self._pass.watermarks.get(community, mark))

    def _copy(self, conn: Connection, rows: Rows) -> None:
        first, last = int(rows.time_us.min()) // _DAY_US, int(rows.time_us.max()) // _DAY_US
        numbers = [first] if first == last else np.unique(rows.time_us // _DAY_US).tolist()
        days = {_day(number) for number in numbers}
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
        late = rows.partition[rows.time_us < self._newest[rows.series]]
        for field_name, partition in (("stored", rows.partition), ("late", late)):
            counts = np.bincount(partition)
            for number in np.flatnonzero(counts).tolist():
                tally[number][field_name] += int(counts[number])

    def _grow(self, series: int) -> None:
        if series >= len(self._newest):
            size = max(series + 1, len(self._newest) * 5 // 4)
            more = np.full(size - len(self._newest), np.iinfo(np.int64).min)
            self._newest = np.concatenate([self._newest, more])


def _stranger(message: Decoded, source: GatewayRef) -> Decoded:
    return message.refused(Problem(UNKNOWN_GATEWAY, f"{source.user} is not in the register"))


def _portion(message: Decoded, readings: Readings) -> Portion:
    if message.topic is None or message.stream is None:
        raise ValueError("a data message has a topic")
    return Portion(message.stream, message.topic.seq, message.incoming.received_us, readings)


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
