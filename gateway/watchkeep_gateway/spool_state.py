"""What the writer knows of the spool, and what others may see of it."""

import sqlite3
from collections import deque
from dataclasses import dataclass, field, replace
from sys import intern
from weakref import WeakKeyDictionary

from watchkeep_core.topics import LANES, Lane
from watchkeep_gateway.batching import point_bytes
from watchkeep_gateway.bounds import CONDITION, LossReport
from watchkeep_gateway.statements import SQL
from watchkeep_gateway.values import PointKey, Points

MAX_DIGESTS = 10_000
"""Messages of the bridge that are remembered to reject redelivery (ARCHITECTURE §3)."""

MAX_POINTS_BYTES = 230_000
"""All points of a gateway must fit one birth; more are refused, which is told."""


@dataclass(frozen=True, slots=True)
class LaneState:
    """One lane; totals are those of the messages on disk."""

    epoch: str
    next_seq: int
    messages: int
    readings: int
    bytes: int
    floor: int
    """Lowest seq still held; `next_seq` when there is none."""
    oldest_ms: int | None
    """When the oldest message was written, wall clock, ms since 1970 UTC."""


@dataclass(slots=True)
class SpoolState:
    """The writer's working copy; replaced only after COMMIT, so that a failed transaction leaves no trace."""

    lanes: dict[Lane, LaneState]
    aliases: dict[PointKey, int]
    aliases_of: WeakKeyDictionary[Points, tuple[int, ...]]
    """Of blocks that were met before, in the metrics' present units; for the writer alone."""
    points_bytes: int
    digests: deque[bytes]
    known_digests: set[bytes]
    next_digest: int
    loss: LossReport = field(default_factory=LossReport)

    def draft(self) -> "SpoolState":
        """A copy to work on. Aliases and digests are shared: their additions are kept apart until COMMIT."""
        return replace(self, lanes=dict(self.lanes))


def load_lanes(connection: sqlite3.Connection) -> dict[Lane, LaneState]:
    rows = {row[0]: row[1:] for row in connection.execute(SQL["lanes"])}
    found: dict[Lane, LaneState] = {}
    for lane in LANES:
        epoch, next_seq, messages, readings, size = rows[lane]
        found[lane] = with_oldest(
            connection, lane, LaneState(epoch, next_seq, messages, readings, size, next_seq, None)
        )
    return found


def with_oldest(connection: sqlite3.Connection, lane: Lane, state: LaneState) -> LaneState:
    """Look up the oldest message."""
    row = connection.execute(SQL[f"oldest_{lane}"]).fetchone()
    floor, oldest_ms = row or (state.next_seq, None)
    return replace(state, floor=floor, oldest_ms=oldest_ms)


def load_state(connection: sqlite3.Connection, now_s: float) -> SpoolState:
    """A loss that an earlier process told counts as one of now (monotonic seconds), so that it is cleared in time."""
    aliases: dict[PointKey, int] = {
        (intern(equipment), intern(metric), intern(unit)): alias  # the same texts again and again: 1 MB of 5,000 points
        for alias, equipment, metric, unit in connection.execute(SQL["aliases"])
    }
    known_equipment: set[str] = set()
    digests = connection.execute(SQL["digests"]).fetchall()
    told = dict(connection.execute(SQL["facts"])).get(CONDITION)
    return SpoolState(
        lanes=load_lanes(connection),
        aliases=aliases,
        aliases_of=WeakKeyDictionary(),
        points_bytes=sum(point_bytes(key, known_equipment) for key in aliases),
        digests=deque(digest for _, digest in digests),
        known_digests={digest for _, digest in digests},
        next_digest=digests[-1][0] + 1 if digests else 1,
        loss=LossReport(last_loss_s=now_s, told_s=now_s) if told == "true" else LossReport(),
    )
