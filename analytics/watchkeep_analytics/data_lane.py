"""Telemetry: rows messages → engines → signals, one engine per partition."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from psycopg import Connection

from watchkeep_analytics import events, feedback, metrics, progress, register
from watchkeep_analytics.batch import SECOND, Ints
from watchkeep_analytics.engine import Counts, Engine, prepare
from watchkeep_analytics.failures import Failures
from watchkeep_analytics.lanes import Every, LaneWorker
from watchkeep_analytics.models import store
from watchkeep_analytics.models.fitted import Active
from watchkeep_analytics.progress import Rows
from watchkeep_analytics.rulebook import Rulebook
from watchkeep_analytics.sessions import Inbox, Message, Sessions, steady_us
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_analytics.signals import GatewayState
from watchkeep_analytics.suppression import Modes
from watchkeep_core.logs import get_logger
from watchkeep_core.rows import Columns, Events
from watchkeep_core.service import Stop
from watchkeep_core.topics import Lane, partition_of

log = get_logger(__name__)

NOT_IN_FLIGHT_S = 30.0
"""A batch committed so long before the time up to which all is judged, whose message has not come: it will not come."""

AWAY_S = 30.0
"""Between two looks at the clock; after a longer time nothing is known of who was silent."""


class DataLane(LaneWorker):
    """The only owner of its engines."""

    lane: Lane = "data"

    def __init__(self, settings: AnalyticsSettings, inbox: Inbox, stop: Stop, sessions: Sessions) -> None:
        super().__init__(settings, stop)
        self._inbox = inbox
        self._sessions = sessions
        self._modes = Modes()
        self._engines: dict[int, Engine] = {}
        self._gone: dict[int, set[int]] = {}
        self._gateways: dict[tuple[str, str], GatewayState] = {}
        self._models: dict[int, dict[store.Key, Active]] = {}
        self._refused = 0
        self._rulebook = Rulebook()
        self._stale: set[int] = set()
        """Partitions whose register is to be read again."""
        self._look, self._poll = Every(5.0), Every(settings.poll_s)
        self._counted = Counts()
        self._looked_us = self._known_us = steady_us()
        """When time was last looked at, and until when all that has come is judged."""

    def _work(self, conn: Connection) -> None:
        prepare()  # before it counts among those who judge
        super()._work(conn)

    def refresh(self, conn: Connection) -> None:
        if self.renewed(conn):
            self._rulebook = register.rulebook(conn)
            self._stale = set(self._engines)
        self._modes.plan(register.windows(conn))
        events.note_modes(register.last_modes(conn), self._modes)
        for partition in self._engines.keys() - self._stale:
            self._heed(conn, partition)

    def adopt(self, conn: Connection, partition: int) -> None:
        self._sessions.want(partition)
        engine = self._engines[partition] = Engine(self._modes)
        self._gone[partition] = set()
        self._register(conn, partition)
        self._done[partition], states = progress.load_states(conn, self.lane, partition)
        engine.load(states)
        engine.adopt(register.standing(conn, self._communities(partition), engine.lost))
        self.catch_up(conn, partition, datetime.now(UTC))
        self._blind([engine])

    def drop(self, partition: int) -> None:
        self._sessions.leave(partition)
        self._engines.pop(partition, None)
        self._gone.pop(partition, None)
        self._stale.discard(partition)
        self._models.pop(partition, None)

    def failures(self, partition: int) -> Failures | None:
        engine = self._engines.get(partition)
        return None if engine is None else engine.failures

    def listen(self, conn: Connection) -> None:
        self._sessions.open()
        if self._stale:  # one at a time, as all at once would hold up judging for long
            self._register(conn, self._stale.pop())
        messages = self._inbox.take(min(0.2, self.settings.tick_s))
        self._received_s = messages[0].received_ns / 1e9 if messages else 0.0
        known_us = messages[-1].steady_us if messages and self._inbox.backlog else steady_us()
        self._known_us = max(self._known_us, known_us)
        if messages:
            self.judge(conn, messages)
        if self._poll.due():
            behind_s = (steady_us() - self._known_us) / SECOND
            before = datetime.fromtimestamp(time.time() - behind_s - NOT_IN_FLIGHT_S, UTC)
            for partition in self._engines:
                self.catch_up(conn, partition, before)

    def catch_up(self, conn: Connection, partition: int, before: datetime) -> None:
        """Judge what was committed after the last batch and by `before`."""
        gap = progress.missing(conn, self.lane, partition, self._done[partition], before)
        if gap is None:
            return
        engine = self._engines[partition]
        if register.newest(conn, self._communities(partition)) > engine.registry["series"].max(initial=0):
            self._register(conn, partition)
        # What begins and ends within the gap must meet in one write, so nothing is written before its end.
        with conn.transaction():
            for block in progress.readings(conn, engine.registry, gap, timedelta(hours=self.settings.catch_up_h)):
                self._pending += engine.observe(*block)
                if self._stop.is_set():
                    return
        self._done[partition] = gap.last
        metrics.REREAD.labels(self.lane).inc(gap.batches)

    def judge(self, conn: Connection, messages: Sequence[Message]) -> None:
        """Judge messages in order; of events only the modes they tell, the event lane judges them."""
        for message in messages:
            if isinstance(message.content, Events):
                events.note_modes(message.content.events, self._modes)
        for partition in self._engines:
            mine = [m.content for m in messages if isinstance(m.content, Columns) and m.content.partition == partition]
            run: list[Columns] = []
            for columns in sorted(mine, key=lambda item: item.batch):
                if columns.batch != self._done[partition] + 1 + len(run):
                    self._judge_run(conn, partition, run)
                    run = []
                if columns.batch > self._done[partition] + 1 + len(run):
                    self.catch_up(conn, partition, datetime.max.replace(tzinfo=UTC))
                if columns.batch == self._done[partition] + 1 + len(run):
                    run.append(columns)
            self._judge_run(conn, partition, run)
        self._publish_counts()

    def tick(self, conn: Connection) -> None:
        """While messages wait, as of the time until which all are judged: who is silent then was so, however late."""
        steady = steady_us()
        since_us, self._looked_us = steady - self._looked_us, steady
        away = since_us > max(AWAY_S, 3 * self.settings.tick_s) * SECOND  # the database was, or this machine slept
        if away or not self._sessions.alive():
            self._blind(self._engines.values())
            return
        moment, steady = now_us() - (steady - self._known_us), self._known_us
        if self._look.due():
            self._gateways = register.gateway_states(conn)
            told, self._refused = register.clocks(conn, self._refused)
            for engine in self._engines.values():
                engine.tell(told)
        for engine in self._engines.values():
            self._pending += engine.tick(moment, self._gateways, steady)
        self._publish_counts()

    def _blind(self, engines: Iterable[Engine]) -> None:
        self._known_us = steady_us()
        for engine in engines:
            engine.blind(now_us(), self._known_us)

    def save(self, conn: Connection, partition: int) -> None:
        if self._done[partition] >= 0:
            progress.save_states(conn, self.lane, partition, self._done[partition], self._engines[partition].save())
        metrics.STATE_BYTES.set(sum(engine.nbytes for engine in self._engines.values()))

    def _judge_run(self, conn: Connection, partition: int, run: list[Columns]) -> None:
        if not run:
            return
        rows = Rows(
            np.concatenate([np.frombuffer(c.series, np.int32) for c in run]).astype(np.int64),
            np.concatenate([np.frombuffer(c.time_us, np.int64) for c in run]),
            np.concatenate([np.frombuffer(c.value, np.float64) for c in run]),
            np.concatenate([np.frombuffer(c.quality, np.uint8) for c in run]).astype(np.int64),
        )
        engine = self._engines[partition]
        self._meet(conn, partition, engine.unknown(rows.series))
        self._pending += engine.observe(*rows)
        self._done[partition] = run[-1].batch
        metrics.BATCHES.labels(self.lane).inc(len(run))

    def _meet(self, conn: Connection, partition: int, series: Ints) -> None:
        """New series: read the register of their partition, once for each id."""
        gone = self._gone[partition]
        if set(series.tolist()) - gone:
            self._replays = register.communities(conn, self.held)
            self._register(conn, partition)
            gone.update(self._engines[partition].unknown(series).tolist())

    def _register(self, conn: Connection, partition: int) -> None:
        names, engine = self._communities(partition), self._engines[partition]
        self._stale.discard(partition)
        if not names and not engine.registry.size:
            return
        self._names |= register.equipment(conn, {name: self._replays[name] for name in names})[1]
        self._pending += engine.update(register.points(conn, names), register.limits(conn, names), self._rulebook)
        self._heed(conn, partition)

    def _heed(self, conn: Connection, partition: int) -> None:
        """What people and the nightly training have said of its equipment."""
        names, engine = self._communities(partition), self._engines[partition]
        engine.heed(feedback.in_force(conn, names))
        self._models[partition] = store.active(conn, names, self._models.get(partition, {}))
        self._pending += engine.learn(self._models[partition])

    def _communities(self, partition: int) -> list[str]:
        return [name for name in self._replays if partition_of(name) == partition]

    def _publish_counts(self) -> None:
        now = Counts()
        for engine in self._engines.values():
            for name in vars(now):
                setattr(now, name, getattr(now, name) + getattr(engine.counts, name))
        old, self._counted = self._counted, now
        metrics.ROWS.labels(self.lane).inc(now.rows - old.rows)
        metrics.LATE.inc(now.late - old.late)
        metrics.UNKNOWN.inc(now.unknown - old.unknown)
        metrics.BAD.inc(now.bad - old.bad)
        metrics.FAILURES.inc(now.failures - old.failures)


def now_us() -> int:
    return time.time_ns() // 1000
