"""How far a lane has come in each partition: saved states, batches whose message did not come, what they hold."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from psycopg import Connection

from watchkeep_analytics.batch import NEVER, Floats, Ints
from watchkeep_analytics.registry import Registry
from watchkeep_core.clock import EPOCH, from_us, to_us
from watchkeep_core.database import queries
from watchkeep_core.rows import CommittedEvent
from watchkeep_core.topics import Lane

_SQL = queries("watchkeep_analytics", "progress.sql")

READ_ROWS = 20_000
"""Rows fetched at once while re-reading: bounds memory."""


class Missing(NamedTuple):
    """Committed batches that were not seen yet."""

    batches: int
    last: int
    min_ts: datetime
    max_ts: datetime


class Fresh(NamedTuple):
    """Batches of one partition that were not seen yet."""

    batches: int
    last: int
    committed_at: datetime
    """Of the oldest: the beginning of its transaction."""


class Rows(NamedTuple):
    """Columns as read."""

    series: Ints
    t_us: Ints
    value: Floats
    quality: Ints


def load_states(conn: Connection, lane: Lane, partition: int) -> tuple[int, dict[str, tuple[str, bytes]]]:
    """The batch everything up to which is in the states (-1 = nothing saved), and detector → version and state."""
    found = conn.execute(_SQL["load_states"], {"lane": lane, "partition": partition}).fetchall()
    batch = min((row[2] for row in found), default=-1)
    return batch, {detector: (version, bytes(state)) for detector, version, _, state in found}


def save_states(
    conn: Connection, lane: Lane, partition: int, batch: int, states: Mapping[str, tuple[str, bytes]]
) -> None:
    """In the caller's transaction: all detectors of one partition at one batch."""
    rows = [
        {"lane": lane, "partition": partition, "detector": name, "version": version, "batch": batch, "state": state}
        for name, (version, state) in states.items()
    ]
    with conn.cursor() as cursor:
        cursor.executemany(_SQL["save_state"], rows)


def missing(conn: Connection, lane: Lane, partition: int, after: int, before: datetime) -> Missing | None:
    """Batches after `after` that were committed by `before`; None = there are none."""
    row = conn.execute(
        _SQL["missing"], {"lane": lane, "partition": partition, "batch": after, "before": before}
    ).fetchone()
    return Missing(*row) if row is not None and row[0] else None


def new_batches(conn: Connection, lane: Lane, done: Mapping[int, int]) -> dict[int, Fresh]:
    """Partition → what was committed after the batch that `done` names."""
    found = conn.execute(_SQL["new_batches"], {"lane": lane, "partitions": list(done), "done": list(done.values())})
    return {row[0]: Fresh(*row[1:]) for row in found}


def readings(conn: Connection, registry: Registry, gap: Missing, at_most: timedelta) -> Iterator[Rows]:
    """Rows of the span later than each series' last time, in order of time, in blocks of READ_ROWS."""
    last = registry["last_us"].tolist()
    values = {
        "series": registry["series"].tolist(),
        "after": [EPOCH if t == NEVER else from_us(t) for t in last],
        "since": max(gap.min_ts, gap.max_ts - at_most) - timedelta(microseconds=1),
        "until": gap.max_ts,
    }
    with conn.cursor(name="catch_up", binary=True) as cursor:
        cursor.itersize = READ_ROWS
        cursor.execute(_SQL["readings"], values)
        while block := cursor.fetchmany(READ_ROWS):
            series, t_us, value, quality = zip(*block, strict=True)
            yield Rows(np.array(series), np.array(t_us), np.array(value, np.float64), np.array(quality))


def events(conn: Connection, after: int, communities: Sequence[str], since: datetime) -> list[CommittedEvent]:
    """Events with a higher id than `after`, received after `since`, in order of commit."""
    found = conn.execute(_SQL["events"], {"after": after, "communities": list(communities), "since": since})
    return [
        CommittedEvent(
            event_id=event_id,
            community=community,
            equipment=item,
            condition=condition,
            active=active,
            t_us=to_us(ts),
            received_us=to_us(received),
            trusted=trusted,
            attributes=attributes,
        )
        for event_id, community, item, condition, active, ts, received, trusted, attributes in found
    ]
