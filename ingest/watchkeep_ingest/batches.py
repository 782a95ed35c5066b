"""The `rows` messages of one commit, and their rows in `batches`: numbered without holes per lane and partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core import rows
from watchkeep_core.clock import from_us
from watchkeep_core.database import queries
from watchkeep_core.topics import Lane
from watchkeep_ingest.columns import Rows

_EVENTS_BYTES = 128 * 1024
"""Encoded events in one message: half of the broker's max_packet_size."""


class RowsMessage(NamedTuple):
    """What analytics of one partition hears after the commit."""

    partition: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Batch:
    partition: int
    batch: int
    row_count: int
    min_ts: datetime
    max_ts: datetime
    lowest: int | None = None
    highest: int | None = None


def of_readings(conn: Connection, stored: Rows) -> list[RowsMessage]:
    """Number and record the batches of rows sorted by series; the caller holds the partitions' accounts lock."""
    partitions: list[int] = np.flatnonzero(np.bincount(stored.partition)).tolist()
    numbers = _last_numbers(conn, "data", partitions)
    found: list[_Batch] = []
    messages: list[RowsMessage] = []
    for partition in partitions:
        mine = stored if len(partitions) == 1 else stored.where(stored.partition == partition)
        for start in range(0, len(mine), rows.MAX_ROWS):
            part = mine.slice(start, start + rows.MAX_ROWS)
            numbers[partition] += 1
            first, last = int(part.time_us.min()), int(part.time_us.max())
            lowest, highest = int(part.series[0]), int(part.series[-1])
            found.append(
                _Batch(partition, numbers[partition], len(part), from_us(first), from_us(last), lowest, highest)
            )
            messages.append(RowsMessage(partition, part.to_message(numbers[partition], partition)))
    _save(conn, "data", found)
    return messages


def of_events(conn: Connection, stored: Sequence[tuple[int, rows.CommittedEvent]]) -> list[RowsMessage]:
    """Number and record the batches of (partition, event); as `of_readings`."""
    partitions = sorted({partition for partition, _ in stored})
    numbers = _last_numbers(conn, "event", partitions)
    found: list[_Batch] = []
    messages: list[RowsMessage] = []
    for partition in partitions:
        for part in _packets([event for owner, event in stored if owner == partition]):
            numbers[partition] += 1
            times = [event.t_us for event in part]
            found.append(_Batch(partition, numbers[partition], len(part), from_us(min(times)), from_us(max(times))))
            messages.append(RowsMessage(partition, rows.encode_events(numbers[partition], partition, part)))
    _save(conn, "event", found)
    return messages


def hand_over(conn: Connection, lane: Lane, rows: Sequence[RowsMessage]) -> None:
    """Leave `rows` messages to the service, in the transaction of their rows: a verb has no session to send by."""
    if rows:
        columns = {"partitions": [each.partition for each in rows], "payloads": [each.payload for each in rows]}
        conn.execute(queries("watchkeep_ingest", "sql/overview.sql")["insert_outbox"], {"lane": lane, **columns})


def _packets(events: Sequence[rows.CommittedEvent]) -> list[list[rows.CommittedEvent]]:
    packets: list[list[rows.CommittedEvent]] = [[]]
    room = _EVENTS_BYTES
    for event in events:
        size = 512 + sum(len(key) + len(str(value)) * 4 + 8 for key, value in event.attributes.items())
        if packets[-1] and size > room:
            packets.append([])
            room = _EVENTS_BYTES
        packets[-1].append(event)
        room -= size
    return packets if packets[0] else []


def _last_numbers(conn: Connection, lane: Lane, partitions: list[int]) -> dict[int, int]:
    if not partitions:
        return {}
    found: list[tuple[int, int]] = conn.execute(
        _sql("last_batches"), {"lane": lane, "partitions": partitions}
    ).fetchall()
    return dict(found)


def _save(conn: Connection, lane: Lane, batches: Sequence[_Batch]) -> None:
    if batches:
        columns = {name: [getattr(batch, name) for batch in batches] for name in _Batch.__slots__}
        conn.execute(_sql("insert_batches"), {"lane": lane, **columns})


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/ledger.sql")[name]
