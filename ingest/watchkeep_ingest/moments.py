"""What the readings of a batch tell of time: when gateways were last heard, clock skews, "now" of recorded data."""

from collections.abc import Sequence

import numpy as np
from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.clock import from_us
from watchkeep_core.database import queries
from watchkeep_core.topics import GatewayRef
from watchkeep_ingest.columns import Columns, Portion, Rows
from watchkeep_ingest.lane import REPLAY_FROM_US, REPLAY_UNTIL_US
from watchkeep_ingest.newest import Newest
from watchkeep_ingest.status import Notes


class Moments:
    """One per writer; of one transaction, until it is `committed` or `rolled_back`."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.rolled_back()

    def rolled_back(self) -> None:
        self._heard: list[tuple[GatewayRef, int, int | None]] = []
        self._watermarks: dict[str, int] = {}
        self._received_us = 0  # of the newest live message

    def note(self, portions: Sequence[Portion], columns: Columns, replays: Sequence[bool]) -> None:
        """A gateway's messages of one batch are one note: their newest arrival and stamp. `replays` is per stream."""
        if portions[0].parked_id is None:  # live and parked ones never share a batch
            newest, arrival = (np.zeros(len(replays), np.int64) for _ in range(2))
            np.maximum.at(newest, columns.stream, columns.newest_us)
            np.maximum.at(arrival, columns.stream, columns.arrival_us)
            self._received_us = int(arrival.max())
            for stream, at, mark, replay in zip(
                columns.streams, arrival.tolist(), newest.tolist(), replays, strict=True
            ):
                self._heard.append((stream.source, at, None if replay else mark))
        if any(replays):
            for number in np.flatnonzero(np.array(replays)[columns.stream]).tolist():
                self._mark(portions[number])

    def save(self, conn: Connection) -> None:
        """The watermarks, in the transaction of the readings."""
        marks = self._watermarks
        if marks:
            row = {"community": list(marks), "ts": [from_us(mark) for mark in marks.values()]}
            conn.execute(_sql("save_watermarks"), row)

    def committed(self, stored: Rows, memory: Newest) -> None:
        """`memory` takes in what was stored."""
        if len(stored):
            series, newest_us = memory.note(stored)
            if self._received_us:
                self._notes.clocks.note(series, newest_us, self._received_us)
        self._notes.add(self._heard)
        self.rolled_back()

    def _mark(self, portion: Portion) -> None:
        """Recorded data moves its community's "now"."""
        time_us = portion.readings.time_ms * 1000
        possible = time_us[(time_us >= REPLAY_FROM_US) & (time_us < REPLAY_UNTIL_US)]
        if len(possible):
            mark, community = int(possible.max()), portion.source.community
            self._watermarks[community] = max(mark, self._watermarks.get(community, mark))


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
