"""The data lane: births, then readings, then parked readings whose time has come."""

import time
from collections.abc import Collection, Sequence
from hashlib import blake2b

import numpy as np
from psycopg import Connection

from watchkeep_core.messages import Birth
from watchkeep_core.topics import GatewayRef, Lane
from watchkeep_core.vocabulary import load
from watchkeep_ingest import births, parking
from watchkeep_ingest.accounts import Tally
from watchkeep_ingest.aside import park, put_aside
from watchkeep_ingest.columns import Columns, Portion, Readings
from watchkeep_ingest.enter import enter
from watchkeep_ingest.flood import FloodGuard
from watchkeep_ingest.gate import Gate
from watchkeep_ingest.incoming import Decoded, Problem
from watchkeep_ingest.lane import UNKNOWN_GATEWAY, Handled
from watchkeep_ingest.ledger import Key
from watchkeep_ingest.moments import Moments
from watchkeep_ingest.register import FOREIGN, Register
from watchkeep_ingest.replays import Replays
from watchkeep_ingest.resolve import Resolution, resolve
from watchkeep_ingest.status import Notes
from watchkeep_ingest.store import MAX_DAYS, Store

_ASK_AGAIN_S = 60.0
"""A gateway is asked for its birth once in so many seconds, while readings of unknown aliases keep coming and parking.

A birth does not shorten that: one that never declares an alias of its own would be asked as fast as it answers.
"""


class DataLane:
    """Implements `LaneWork` for readings."""

    lane: Lane = "data"

    def __init__(self, unclaimed_cap: int, notes: Notes, flood: FloodGuard | None = None) -> None:
        """Without a `flood` guard nothing is too much."""
        self._cap = unclaimed_cap
        self._words = load()
        self._register = Register()
        self._gate = Gate(flood or FloodGuard(0))
        self._store = Store()
        self._replays = Replays()
        self._moments = Moments(notes)
        self._asked_s: dict[Key, float] = {}
        self._births_known: dict[GatewayRef, bytes] = {}  # → digest: a birth may be 256 kB

    def waiting(self) -> set[int]:
        self._replays.begin(self._gate.over(time.monotonic()))
        return self._replays.partitions()

    def handle(self, conn: Connection, accepted: Sequence[Decoded], tally: Tally) -> Handled:
        handled = Handled()
        sources = _sources(accepted)
        modes = self._register.modes(conn, sources, time.monotonic())
        if sources != modes.keys():
            accepted = _without_strangers(accepted, modes, handled)
        # Births first: within an epoch an alias has one meaning, so readings before their birth gain, and none loses.
        self._births(conn, accepted, handled)
        if portions := _portions(accepted):
            columns = Columns.of(portions)
            for number, size in zip(columns.stream.tolist(), columns.sizes.tolist(), strict=True):
                tally[columns.streams[number].partition]["decoded"] += size
            beyond = self._gate.beyond(portions, columns, time.monotonic())
            if beyond.any():
                park(conn, [parking.whole(portions[n], parking.RATE_LIMIT) for n in np.flatnonzero(beyond)], tally)
                portions = [portions[n] for n in np.flatnonzero(~beyond)]
            for key in self._readings(conn, portions, None if beyond.any() else columns, modes, tally, handled):
                self._ask(key, handled)
        return handled

    def resume(self, conn: Connection, tally: Tally) -> Handled:
        """The next parked messages of a gateway. It is asked for nothing: it has just said what it has to say."""
        handled = Handled()
        found = self._replays.next(conn, MAX_DAYS)
        modes = self._register.modes(conn, {portion.source for portion in found}, time.monotonic())
        self._readings(conn, [each for each in found if each.source in modes], None, modes, tally, handled)
        return handled

    def finish(self, conn: Connection) -> None:
        self._moments.save(conn)

    def committed(self) -> None:
        self._register.confirm()
        self._replays.committed()
        self._moments.committed(self._store.committed(), self._store.newest)

    def rolled_back(self) -> None:
        self._register.forget()
        self._store.rolled_back()
        self._replays.rolled_back()
        self._moments.rolled_back()
        self._births_known.clear()
        self._asked_s.clear()

    def _births(self, conn: Connection, accepted: Sequence[Decoded], handled: Handled) -> None:
        fresh: list[Decoded] = []
        born: list[births.Born] = []
        for message in accepted:
            if message.topic is None or not isinstance(message.content, Birth):
                continue
            source, birth = message.topic.source, message.content
            digest = blake2b(message.incoming.payload, digest_size=16).digest()
            if not message.incoming.retained or self._births_known.get(source) != digest:
                self._births_known[source] = digest
                fresh.append(message)
                born.append(births.Born(source, birth.data_epoch, birth.points))
        if born:
            problems = enter(conn, self._register, born, self._cap, self._words)
            handled.dead += [message.refused(why) for message, why in zip(fresh, problems, strict=True) if why]
            self._replays.begin({each.source for each in born})

    def _readings(
        self,
        conn: Connection,
        portions: Sequence[Portion],
        columns: Columns | None,
        modes: dict[GatewayRef, bool],
        tally: Tally,
        handled: Handled,
    ) -> set[Key]:
        """Returns whose aliases we do not know. `columns` are those of the portions, where the caller has them."""
        if not portions:
            return set()
        columns = columns or Columns.of(portions)
        replay = [modes[stream.source] for stream in columns.streams]
        resolution = self._resolve(conn, portions, columns, replay)
        put_aside(conn, portions, resolution, tally)
        self._moments.note(portions, columns, replay)
        handled.rows = self._store.store(conn, resolution.stored.sorted(), tally)
        return {each.portion.stream.key for each in resolution.parked if each.reason == births.UNKNOWN_ALIAS}

    def _resolve(
        self, conn: Connection, portions: Sequence[Portion], columns: Columns, replay: Sequence[bool]
    ) -> Resolution:
        keys = [stream.key for stream in columns.streams]
        tables = self._register.tables(conn, set(keys))
        resolution = resolve(portions, columns, [tables[key] for key in keys], replay)
        # Another worker, or the replay of a dead letter, may have been told meanwhile.
        doubtful = {each.portion.stream.key for each in resolution.parked if each.reason != FOREIGN}
        again = self._register.reload(conn, list(doubtful))
        if any(again[key].pairs() != tables[key].pairs() for key in doubtful):
            tables.update(again)
            resolution = resolve(portions, columns, [tables[key] for key in keys], replay)
        return resolution

    def _ask(self, key: Key, handled: Handled) -> None:
        now_s = time.monotonic()
        if now_s - self._asked_s.get(key, -_ASK_AGAIN_S) >= _ASK_AGAIN_S:
            self._asked_s[key] = now_s
            handled.rebirths.append(key[0])


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
