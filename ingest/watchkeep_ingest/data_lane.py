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

from watchkeep_core import messages
from watchkeep_core.clock import from_us, to_us
from watchkeep_core.database import queries
from watchkeep_core.logs import get_logger
from watchkeep_core.messages import Birth, Data
from watchkeep_core.topics import GatewayRef, Lane, partition_of
from watchkeep_core.vocabulary import load
from watchkeep_ingest import batches, births
from watchkeep_ingest.accounts import Tally
from watchkeep_ingest.columns import Columns, Ints, Portion, Rows
from watchkeep_ingest.incoming import Decoded, Problem
from watchkeep_ingest.lane import UNKNOWN_GATEWAY, BatchTooWide, Handled
from watchkeep_ingest.ledger import Key
from watchkeep_ingest.register import Register
from watchkeep_ingest.resolve import Parked, Quarantined, Resolution, resolve
from watchkeep_ingest.status import Notes

log = get_logger(__name__)

_DAY_US = 86_400_000_000

_MAX_DAYS = 400
"""Days one COPY may touch: each costs two locks of a table of 6,400 (PostgreSQL's default), or four when it is new.

One message cannot reach it: `dt_ms` spans 50 days.
"""

_UNPARK_ROWS = 200
"""Parked messages replayed in one transaction, so that live ones do not wait long behind them."""

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


class DataLane:
    """Implements `LaneWork` for readings."""

    lane: Lane = "data"

    def __init__(self, unclaimed_cap: int, notes: Notes) -> None:
        self._cap = unclaimed_cap
        self._notes = notes
        self._words = load()
        self._register = Register()
        self._days: set[date] = set()
        self._newest: Ints = np.empty(0, np.int64)
        self._unpark: dict[Key, int] = {}  # → the last parked row looked at
        self._asked_s: dict[Key, float] = {}
        self._births: dict[GatewayRef, bytes] = {}
        self._pass = _Pass()

    def waiting(self) -> set[int]:
        return {partition_of(source.community) for source, _ in self._unpark}

    def handle(self, conn: Connection, accepted: Sequence[Decoded], tally: Tally) -> Handled:
        self._pass = _Pass()
        handled = Handled()
        modes = self._register.modes(conn, {m.topic.source for m in accepted if m.topic}, time.monotonic())
        portions: defaultdict[Key, list[Portion]] = defaultdict(list)
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
            elif isinstance(message.content, Data):
                portions[source, message.topic.epoch].append(_portion(message, message.content))
        for found in portions.values():
            tally[found[0].partition]["decoded"] += sum(len(portion.data.alias) for portion in found)
        self._readings(conn, portions, modes, tally, handled)
        return handled

    def resume(self, conn: Connection, tally: Tally) -> Handled:
        """The next parked messages of a gateway that was born anew."""
        self._pass = _Pass()
        handled = Handled()
        key = next(iter(self._unpark), None)
        if key is not None:
            modes = self._register.modes(conn, {key[0]}, time.monotonic())
            self._readings(conn, {key: self._parked(conn, key)}, modes, tally, handled)
        return handled

    def finish(self, conn: Connection) -> None:
        marks = self._pass.watermarks
        if marks:
            row = {"community": list(marks), "ts": [from_us(mark) for mark in marks.values()]}
            conn.execute(_sql("save_watermarks"), row)

    def committed(self) -> None:
        done = self._pass
        self._days |= done.days
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
        self._unpark[source, birth.data_epoch] = 0

    def _parked(self, conn: Connection, key: Key) -> list[Portion]:
        source, epoch = key
        row = {"community": source.community, "gateway": source.gateway, "epoch": epoch}
        more = {"after": self._unpark[key], "at_most": _UNPARK_ROWS}
        found = [
            Portion(
                source, partition_of(source.community), epoch, seq, to_us(at), messages.decode(Data, payload), id_, why
            )
            for id_, seq, why, payload, at in conn.execute(_sql("read_parked"), {**row, **more})
        ]
        fitting = _fitting(found)
        done = len(fitting) == len(found) < _UNPARK_ROWS
        self._pass.cursors[key] = None if done else fitting[-1].parked_id
        return fitting

    def _readings(
        self,
        conn: Connection,
        portions: dict[Key, list[Portion]],
        modes: dict[GatewayRef, bool],
        tally: Tally,
        handled: Handled,
    ) -> None:
        stored: list[Rows] = []
        for key, found in portions.items():
            source = key[0]
            if not found or source not in modes:
                continue
            columns = Columns.of(found)
            resolution = self._resolve(conn, key, found, columns, replay=modes[source])
            stored.append(resolution.stored)
            self._settle(conn, source, found, resolution, tally)
            if any(parked.reason == births.UNKNOWN_ALIAS for parked in resolution.parked):
                self._ask(key, handled)
            self._note(source, found, columns, resolution.stored, replay=modes[source])
        rows = Rows.joined(stored).sorted()
        if len(rows):
            self._copy(conn, rows)
            self._count_stored(rows, tally)
            handled.rows = batches.of_readings(conn, rows)
        self._pass.stored = rows

    def _resolve(
        self, conn: Connection, key: Key, found: list[Portion], columns: Columns, *, replay: bool
    ) -> Resolution:
        table = self._register.table(conn, key)
        resolution = resolve(found, columns, table, replay=replay)
        if any(parked.reason == births.UNKNOWN_ALIAS for parked in resolution.parked):
            again = self._register.reload(conn, key)
            if len(again.aliases) != len(table.aliases):
                return resolve(found, columns, again, replay=replay)
        return resolution

    def _settle(
        self, conn: Connection, source: GatewayRef, found: list[Portion], resolution: Resolution, tally: Tally
    ) -> None:
        """Write what is quarantined and parked; take what was parked and is no longer out of its table."""
        counts = tally[found[0].partition]
        untouched = {each.portion.parked_id for each in resolution.parked if _is_as_parked(each)}
        taken = [p for p in found if p.parked_id is not None and p.parked_id not in untouched]
        if taken:
            conn.execute(_sql("delete_parked"), {"ids": [portion.parked_id for portion in taken]})
            counts["parked"] -= sum(len(portion.data.alias) for portion in taken)
        parked = [each for each in resolution.parked if not _is_as_parked(each)]
        if parked:
            with conn.cursor() as cursor:
                cursor.executemany(_sql("insert_parked"), [_parked_row(each) for each in parked])
            counts["parked"] += sum(len(each.data.alias) for each in parked)
        if len(resolution.quarantined.rows):
            conn.execute(_sql("insert_quarantine"), _quarantine_row(source, resolution.quarantined))
            counts["quarantined"] += len(resolution.quarantined.rows)

    def _ask(self, key: Key, handled: Handled) -> None:
        now_s = time.monotonic()
        if now_s - self._asked_s.get(key, -_ASK_AGAIN_S) >= _ASK_AGAIN_S:
            self._asked_s[key] = now_s
            handled.rebirths.append(key[0])

    def _note(self, source: GatewayRef, found: list[Portion], columns: Columns, stored: Rows, *, replay: bool) -> None:
        live = [number for number, portion in enumerate(found) if portion.parked_id is None]
        if live:
            newest = int(columns.time_us[columns.portion == live[-1]].max())
            self._pass.notes.append((source, found[live[-1]].received_us, None if replay else newest))
        if replay and len(stored):
            mark = int(stored.time_us.max())
            self._pass.watermarks[source.community] = max(mark, self._pass.watermarks.get(source.community, mark))

    def _copy(self, conn: Connection, rows: Rows) -> None:
        days = {_day(number) for number in np.unique(rows.time_us // _DAY_US).tolist()}
        if len(days) > _MAX_DAYS:
            raise BatchTooWide(f"readings of {len(days)} days, at most {_MAX_DAYS} in one message")
        if days - self._days:
            conn.execute(_sql("make_partitions"), {"days": sorted(days - self._days)})
            self._pass.days = days
        with conn.cursor() as cursor, cursor.copy(_sql("copy_readings")) as copy:
            copy.write(rows.to_copy())

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


def _fitting(found: Sequence[Portion]) -> list[Portion]:
    """As many, from the first on, as one transaction can hold."""
    days: set[int] = set()
    for number, portion in enumerate(found):
        days |= {(portion.data.t0 + dt) // (_DAY_US // 1000) for dt in portion.data.dt_ms}
        if len(days) > _MAX_DAYS:
            return list(found[:number])
    return list(found)


def _portion(message: Decoded, data: Data) -> Portion:
    topic = message.topic
    if topic is None:
        raise ValueError("a data message has a topic")
    return Portion(topic.source, topic.partition, topic.epoch, topic.seq, message.incoming.received_us, data)


def _lasts(series: Any) -> Ints:
    """Where each run of equal series ends."""
    ends: Ints = np.flatnonzero(np.append(series[1:] != series[:-1], True))
    return ends


def _day(number: int) -> date:
    return datetime.fromtimestamp(number * 86_400, UTC).date()


def _is_as_parked(parked: Parked) -> bool:
    """Whether it is a row of `parked` of which nothing has changed."""
    portion = parked.portion
    whole = len(parked.data.alias) == len(portion.data.alias)
    return portion.parked_id is not None and whole and parked.reason == portion.parked_reason


def _parked_row(parked: Parked) -> dict[str, Any]:
    portion = parked.portion
    return {
        "community": portion.source.community,
        "gateway": portion.source.gateway,
        "epoch": portion.epoch,
        "seq": portion.seq,
        "reason": parked.reason,
        "readings": len(parked.data.alias),
        "payload": messages.encode(parked.data),
        "parked_at": from_us(portion.received_us),
    }


def _quarantine_row(source: GatewayRef, quarantined: Quarantined) -> dict[str, Any]:
    rows = quarantined.rows
    return {
        "community": source.community,
        "gateway": source.gateway,
        "series": rows.series.tolist(),
        "ts": [from_us(us) for us in rows.time_us.tolist()],
        "value": rows.value.tolist(),
        "quality": rows.quality.tolist(),
        "reason": ["too_old" if old else "in_future" for old in quarantined.too_old.tolist()],
        "received_at": [from_us(us) for us in quarantined.received_us.tolist()],
    }


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
