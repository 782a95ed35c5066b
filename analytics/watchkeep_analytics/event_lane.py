"""Device events in a process of their own, read as soon as they are committed: telemetry never delays them.

It asks the database, not the broker: what ingest has committed reaches `warnings` when nothing but the database is up
(docs/adr/0013).
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import msgspec
from psycopg import Connection

from watchkeep_analytics import events, metrics, progress, register
from watchkeep_analytics.failures import Failures
from watchkeep_analytics.lanes import Every, LaneWorker
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.suppression import Modes, Suppression
from watchkeep_core.clock import to_us
from watchkeep_core.rows import CommittedEvent
from watchkeep_core.service import Stop
from watchkeep_core.topics import Lane, partition_of


class EventLane(LaneWorker):
    """Its only state is how far it has come; signals are idempotent, so reading twice does no harm."""

    lane: Lane = "event"

    def __init__(self, settings: AnalyticsSettings, stop: Stop) -> None:
        super().__init__(settings, stop)
        self._modes = Modes()
        self._suppression = Suppression(self._modes)
        self._last_id: dict[int, int] = {}
        self._kinds: dict[tuple[str, str], str] = {}
        self._gone: set[tuple[str, str]] = set()
        self._failures: dict[int, Failures] = {}
        self._look = Every(5.0)

    def refresh(self, conn: Connection) -> None:
        if self.renewed(conn):
            self._read_register(conn)
        self._modes.plan(register.windows(conn))
        events.note_modes(register.last_modes(conn), self._modes)

    def adopt(self, conn: Connection, partition: int) -> None:
        self._done[partition], states = progress.load_states(conn, self.lane, partition)
        state = states.get(events.DETECTOR)
        self._last_id[partition] = msgspec.msgpack.decode(state[1], type=int) if state else 0
        self._failures[partition] = Failures()
        if "failures" in states:
            self._failures[partition].load(states["failures"][1])

    def drop(self, partition: int) -> None:
        self._last_id.pop(partition, None)
        self._failures.pop(partition, None)

    def failures(self, partition: int) -> Failures | None:
        return self._failures.get(partition)

    def listen(self, conn: Connection) -> None:
        """Events of batches that are new; `catch_up_h` bounds what a worker without a state reads."""
        since = datetime.now(UTC) - timedelta(hours=self.settings.catch_up_h)
        found = progress.new_batches(conn, self.lane, self._done)
        if found:  # the first events of a community that was registered a moment ago are never asked for again
            self._replays = register.communities(conn, self.held)
        for partition, gap in found.items():
            names = [name for name in self._replays if partition_of(name) == partition]
            self._received_s = gap.committed_at.timestamp()
            self._take(conn, partition, progress.events(conn, self._last_id[partition], names, since))
            self._done[partition] = gap.last
            metrics.BATCHES.labels(self.lane).inc(gap.batches)
            self.flush(conn)
        if not found:
            self._stop.wait(self.settings.event_poll_s)

    def tick(self, conn: Connection) -> None:
        held = self._suppression.held
        if held and self._look.due():
            self._note_readings(conn, {(signal.community, signal.equipment) for signal in held})
        now_us = to_us(datetime.now(UTC))
        self._pending += self._suppression.release(now_us)
        self._pending += [end for failures in self._failures.values() for end in failures.over(now_us)]

    def save(self, conn: Connection, partition: int) -> None:
        if self._done[partition] >= 0:
            state = msgspec.msgpack.encode(self._last_id[partition])
            failures = self._failures[partition].save()
            states = {events.DETECTOR: (events.VERSION, state), "failures": ("1", failures)}
            progress.save_states(conn, self.lane, partition, self._done[partition], states)

    def _read_register(self, conn: Connection) -> None:
        self._kinds, self._names = register.equipment(conn, self._replays)

    def _note_readings(self, conn: Connection, items: Collection[tuple[str, str]]) -> None:
        """Modes that only readings tell, such as a lift's service_mode; the data lane is another process."""
        for community, item, metric, t_us, reason in register.mode_readings(conn, items):
            self._modes.set(community, item, metric, t_us, reason)

    def _take(self, conn: Connection, partition: int, fresh: list[CommittedEvent]) -> None:
        strangers = {(e.community, e.equipment) for e in fresh} - self._kinds.keys() - self._gone
        if strangers:
            self._replays = register.communities(conn, self.held)
            self._read_register(conn)
            self._gone |= strangers - self._kinds.keys()
        events.note_modes(fresh, self._modes)
        mutable = {(e.community, e.equipment) for e in fresh if events.may_be_held_back(e)}
        if mutable:
            self._note_readings(conn, mutable)
        self._pending += self._suppression.filter([found for event in fresh for found in self._judge(event)])
        self._last_id[partition] = max([self._last_id[partition], *(event.event_id for event in fresh)])
        metrics.ROWS.labels(self.lane).inc(len(fresh))

    def _judge(self, event: CommittedEvent) -> list[Signal]:
        try:
            return [events.judge(event, self._kinds)]
        except Exception as error:  # one event that cannot be judged must not keep back the next
            self._blame(events.DETECTOR, error, event.received_us, (event.community, event.equipment))
            return []
