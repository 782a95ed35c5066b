"""The data lane: births, then readings, then parked readings whose alias has become known."""

import time
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import blake2b

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
from watchkeep_ingest.aside import park, put_aside
from watchkeep_ingest.columns import Bools, Columns, Portion, Readings, Rows
from watchkeep_ingest.draft import Draft, Drafts
from watchkeep_ingest.enter import enter
from watchkeep_ingest.flood import BACKLOG_US, FloodGuard
from watchkeep_ingest.incoming import Decoded, Problem
from watchkeep_ingest.keeping import Keeping
from watchkeep_ingest.lane import REPLAY_FROM_US, REPLAY_UNTIL_US, UNKNOWN_GATEWAY, BatchTooWide, Handled
from watchkeep_ingest.ledger import Key
from watchkeep_ingest.newest import Newest
from watchkeep_ingest.register import Register
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
        self._drafts = Drafts(self._register)
        self._keeping = Keeping()
        self._days: set[date] = set()
        self._newest = Newest()
        self._unpark: dict[Key, int] = {}  # → the last parked row looked at
        self._flooded: defaultdict[GatewayRef, set[str]] = defaultdict(set)  # → epochs
        self._asked_s: dict[Key, float] = {}
        self._births_known: dict[
            GatewayRef, bytes
        ] = {}  # → digest: a birth may be 256 kB, and there are 10,000 gateways
        self._pass = _Pass()

    def waiting(self) -> set[int]:
        for source in self._flood.over(time.monotonic()):
            log.info("flood_over", gateway=source.user)
            for epoch in self._flooded.pop(source, ()):
                self._unpark.setdefault((source, epoch), 0)
        metrics.FLOODING.set(len(self._flood.flooding))
        return {partition_of(source.community) for source, _ in self._unpark}

    def prepare(self, messages: Sequence[Decoded]) -> None:
        if portions := _portions(messages):
            self._drafts.make(portions)

    def handle(self, conn: Connection, accepted: Sequence[Decoded], tally: Tally) -> Handled:
        self._pass = _Pass()
        handled = Handled()
        sources = _sources(accepted)
        modes = self._register.modes(conn, sources, time.monotonic())
        if sources != modes.keys():
            accepted = _without_strangers(accepted, modes, handled)
        # Births first: within an epoch an alias has one meaning, so readings before their birth gain, and none loses.
        self._births(conn, accepted, handled)
        if portions := _portions(accepted):
            columns = self._drafts.columns_of(portions)
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
            series, newest_us = self._newest.note(done.stored)
            if done.received_us:
                self._notes.clocks.note(series, newest_us, done.received_us)
        self._notes.add(done.notes)
        self._pass = _Pass()

    def rolled_back(self) -> None:
        self._register.forget()
        self._births_known.clear()
        self._asked_s.clear()
        self._days.clear()  # a day may have been dropped by the retention of raw readings
        self._pass = _Pass()

    def _births(self, conn: Connection, accepted: Sequence[Decoded], handled: Handled) -> None:
        fresh: list[Decoded] = []
        born: list[births.Born] = []
        for message in accepted:
            if message.topic is None or not isinstance(message.content, Birth):
                continue
            source, birth = message.topic.source, message.content
            digest = blake2b(message.incoming.payload, digest_size=16).digest()
            if self._births_known.get(source) != digest:  # else retained, and our session has reconnected
                self._births_known[source] = digest
                fresh.append(message)
                born.append(births.Born(source, birth.data_epoch, birth.points))
        if not born:
            return
        problems = enter(conn, self._register, born, self._cap, self._words)
        handled.dead += [message.refused(why) for message, why in zip(fresh, problems, strict=True) if why is not None]
        keys = [(each.source, each.epoch) for each in born]
        for key in keys:
            self._asked_s.pop(key, None)
        for key in parking.epochs(conn, {source for source, _ in keys}):
            self._unpark[key] = 0

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
        park(conn, [parking.whole(portion, parking.RATE_LIMIT) for portion in held], tally)
        self._pass.held = held

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
        replay = [modes[stream.source] for stream in columns.streams]
        draft = self._draft(conn, portions, columns, replay)
        put_aside(conn, portions, draft.resolution, tally)
        for parked in draft.resolution.parked:
            if parked.reason == births.UNKNOWN_ALIAS:
                self._ask(parked.portion.stream.key, handled)
        self._note(portions, columns, replay)
        if len(draft.rows):
            self._copy(conn, draft)
            self._count_stored(draft.rows, tally)
            handled.rows = batches.of_readings(conn, draft.rows)
        self._pass.stored = draft.rows

    def _draft(self, conn: Connection, portions: list[Portion], columns: Columns, replay: Sequence[bool]) -> Draft:
        keys = [stream.key for stream in columns.streams]
        tables = self._register.tables(conn, set(keys))
        draft = self._drafts.take(portions, columns, [tables[key] for key in keys], replay)
        parked = draft.resolution.parked
        doubtful = {each.portion.stream.key for each in parked if each.reason == births.UNKNOWN_ALIAS}
        again = self._register.reload(conn, list(doubtful))  # another worker may have been told meanwhile
        if any(again[key].pairs() != tables[key].pairs() for key in doubtful):
            tables.update(again)
            draft = Draft.of(portions, columns, [tables[key] for key in keys], replay)
        return draft

    def _ask(self, key: Key, handled: Handled) -> None:
        now_s = time.monotonic()
        if now_s - self._asked_s.get(key, -_ASK_AGAIN_S) >= _ASK_AGAIN_S:
            self._asked_s[key] = now_s
            handled.rebirths.append(key[0])

    def _note(self, portions: list[Portion], columns: Columns, replays: Sequence[bool]) -> None:
        """A gateway's messages of one batch are one note: their newest arrival and stamp."""
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

    def _copy(self, conn: Connection, draft: Draft) -> None:
        rows = draft.rows
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
            copy.write(draft.encoded)
        self._keeping.after_copy(conn, rows)

    def _count_stored(self, rows: Rows, tally: Tally) -> None:
        for field_name, partition in (("stored", rows.partition), ("late", self._newest.late(rows))):
            counts = np.bincount(partition)
            for number in np.flatnonzero(counts).tolist():
                tally[number][field_name] += int(counts[number])


def _without_strangers(accepted: Sequence[Decoded], known: Collection[GatewayRef], handled: Handled) -> list[Decoded]:
    """Messages of registered gateways, and those that say nothing; the others are dead letters."""
    left: list[Decoded] = []
    for message in accepted:
        if message.topic and message.content is not None and message.topic.source not in known:
            problem = Problem(UNKNOWN_GATEWAY, f"{message.topic.source.user} is not in the register")
            handled.dead.append(message.refused(problem))
        else:
            left.append(message)
    return left


def _sources(messages: Sequence[Decoded]) -> set[GatewayRef]:
    """Gateways that say anything; those of readings by their streams, of which there are few."""
    others = {m.topic.source for m in messages if m.stream is None and m.topic and m.content is not None}
    return others | {stream.source for stream in {message.stream for message in messages} if stream is not None}


def _portions(messages: Sequence[Decoded]) -> list[Portion]:
    """Of the readings among them."""
    return [
        Portion(message.stream, message.topic.seq, message.incoming.received_us, message.content)
        for message in messages
        if isinstance(message.content, Readings) and message.stream and message.topic and not message.problem
    ]


def _day(number: int) -> date:
    return datetime.fromtimestamp(number * 86_400, UTC).date()


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
