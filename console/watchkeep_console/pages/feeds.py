"""New readings for open charts: one small query every 2 s per person and piece of equipment, however many tabs."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg
from psycopg_pool import PoolTimeout

from watchkeep_console import reads
from watchkeep_console.services import Services
from watchkeep_core.logs import get_logger

log = get_logger(__name__)
EVERY_S = 2.0
AHEAD = timedelta(minutes=5)
"""Ingest takes stamps up to 5 minutes ahead of its own clock."""
AT_MOST = 2000

Fresh = Mapping[int, Sequence[tuple[datetime, float]]]
"""Series → readings since the last call, oldest first."""
Listener = Callable[[Fresh, datetime], None]
"""Gets the fresh readings and the present in event time."""


@dataclass(frozen=True, slots=True)
class Wanted:
    person_id: str
    community: str
    series: tuple[int, ...]


@dataclass(slots=True)
class _Feed:
    since: datetime
    listeners: list[Listener] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Feeds:
    """All feeds of this process; a feed ends with its last listener."""

    def __init__(self, house: Services) -> None:
        self._house = house
        self._feeds: dict[Wanted, _Feed] = {}

    def join(self, wanted: Wanted, since: datetime, listener: Listener) -> None:
        feed = self._feeds.get(wanted)
        if feed is None:
            feed = self._feeds[wanted] = _Feed(since)
            feed.task = asyncio.create_task(self._run(wanted, feed), name="feed")
        feed.listeners.append(listener)

    def leave(self, wanted: Wanted, listener: Listener) -> None:
        feed = self._feeds.get(wanted)
        if feed is None or listener not in feed.listeners:
            return
        feed.listeners.remove(listener)
        if not feed.listeners:
            del self._feeds[wanted]
            if feed.task is not None:
                feed.task.cancel()

    async def _run(self, wanted: Wanted, feed: _Feed) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                fresh, now = await asyncio.to_thread(self._read, wanted, feed.since)
            except (psycopg.OperationalError, PoolTimeout):
                log.warning("feed_interrupted", community=wanted.community)
                continue
            newest = max((points[-1][0] for points in fresh.values()), default=feed.since)
            feed.since = max(feed.since, newest)
            for listener in list(feed.listeners):
                listener(fresh, now)

    def _read(self, wanted: Wanted, since: datetime) -> tuple[Fresh, datetime]:
        with self._house.acting(wanted.person_id) as conn:
            now = reads.present(conn, wanted.community)
            after = since + timedelta(microseconds=1)
            rows = reads.window(conn, list(wanted.series), after, now + AHEAD, AT_MOST)
        fresh: dict[int, list[tuple[datetime, float]]] = {}
        for series, at, value, _ in reversed(rows):
            fresh.setdefault(series, []).append((at, value))
        return fresh, now
