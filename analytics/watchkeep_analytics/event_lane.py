"""Device events: a lane of their own, so that telemetry never delays them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from psycopg import Connection

from watchkeep_analytics import events, metrics, progress, register
from watchkeep_analytics.data_lane import now_us
from watchkeep_analytics.lanes import LaneWorker
from watchkeep_analytics.sessions import Inbox, Message
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_analytics.suppression import Modes, Suppression
from watchkeep_core.rows import CommittedEvent, Events
from watchkeep_core.service import Stop
from watchkeep_core.topics import Lane, partition_of


class EventLane(LaneWorker):
    """Its only state is how far it has come; signals are idempotent, so reading twice does no harm."""

    lane: Lane = "event"

    def __init__(self, settings: AnalyticsSettings, inbox: Inbox, stop: Stop, modes: Modes) -> None:
        super().__init__(settings, inbox, stop)
        self._modes = modes
        self._suppression = Suppression(modes)
        self._last_id = dict.fromkeys(settings.partitions, 0)
        self._kinds: dict[tuple[str, str], str] = {}
        self._gone: set[tuple[str, str]] = set()

    def prepare(self, conn: Connection) -> None:
        self.refresh(conn)
        for partition in self.settings.partitions:
            self._done[partition], states = progress.load_states(conn, self.lane, partition)
            if events.DETECTOR in states:
                self._last_id[partition] = msgspec.msgpack.decode(states[events.DETECTOR][1], type=int)

    def refresh(self, conn: Connection) -> None:
        self._replays = register.communities(conn, self.settings.partitions)
        self._kinds, self._names = register.equipment(conn, self._replays)

    def catch_up(self, conn: Connection, partition: int, before: datetime) -> None:
        gap = progress.missing(conn, self.lane, partition, self._done[partition], before)
        if gap is None:
            return
        self.refresh(conn)
        names = [name for name in self._replays if partition_of(name) == partition]
        since = datetime.now(UTC) - timedelta(hours=self.settings.catch_up_h)
        self._take(conn, partition, progress.events(conn, self._last_id[partition], names, since))
        self._done[partition] = gap.last
        metrics.REREAD.labels(self.lane).inc(gap.batches)

    def judge(self, conn: Connection, messages: Sequence[Message]) -> None:
        for content in sorted((m.content for m in messages if isinstance(m.content, Events)), key=lambda e: e.batch):
            partition = content.partition
            if partition not in self._done or content.batch <= self._done[partition]:
                continue
            if content.batch == self._done[partition] + 1:
                self._take(conn, partition, content.events)
                self._done[partition] = content.batch
                metrics.BATCHES.labels(self.lane).inc()
            else:
                self.catch_up(conn, partition, datetime.max.replace(tzinfo=UTC))

    def tick(self, conn: Connection) -> None:
        self._pending += self._suppression.release(now_us())

    def save(self, conn: Connection) -> None:
        for partition, batch in self._done.items():
            if batch >= 0:
                state = msgspec.msgpack.encode(self._last_id[partition])
                states = {events.DETECTOR: (events.VERSION, state)}
                progress.save_states(conn, self.lane, partition, batch, states)

    def _take(self, conn: Connection, partition: int, fresh: list[CommittedEvent]) -> None:
        strangers = {(e.community, e.equipment) for e in fresh} - self._kinds.keys() - self._gone
        if strangers:
            self.refresh(conn)
            self._gone |= strangers - self._kinds.keys()
        events.note_modes(fresh, self._modes)
        self._pending += self._suppression.filter([events.judge(event, self._kinds) for event in fresh])
        self._last_id[partition] = max([self._last_id[partition], *(event.event_id for event in fresh)])
        metrics.ROWS.labels(self.lane).inc(len(fresh))
