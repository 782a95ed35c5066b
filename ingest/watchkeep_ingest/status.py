"""What ingest notes of gateways in passing, lanes together: last message and clock skew. Written by the keeper.

Not by the lanes' transactions: the event lane must never wait for a row the data lane holds.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection

from watchkeep_core.clock import from_us
from watchkeep_core.database import queries
from watchkeep_core.topics import GatewayRef
from watchkeep_ingest.clocks import DeviceClocks
from watchkeep_ingest.lane import MAX_AHEAD_US

_SMOOTHING = 0.1
"""Weight of a new sample: about 20 live messages until a step of the clock shows."""

_SLACK_US = 1_000_000
"""Jitter of a live message's delay, in µs."""

_SET_BACK_US = 30_000_000
"""A receive time this far behind the newest is no waiting queue: our own clock was set back."""


@dataclass(frozen=True, slots=True)
class Note:
    """Times in µs since 1970 UTC."""

    received_us: int
    stamp_us: int | None = None
    """Newest stamp of the newest data message."""
    skew_ms: float | None = None
    """Receive time minus stamp of live messages, smoothed; + = the gateway is behind. None = not known yet."""

    def then(self, received_us: int, stamp_us: int | None) -> "Note":
        """With one more message. A backlog is told from a slow clock by its stamps running faster than time."""
        if received_us < self.received_us - _SET_BACK_US:
            return Note(received_us, stamp_us)
        latest = max(self.received_us, received_us)
        if stamp_us is None:
            return replace(self, received_us=latest)
        if self.stamp_us is not None and stamp_us <= self.stamp_us:
            impossible = self.stamp_us > latest + MAX_AHEAD_US  # one such stamp must not be the newest for ever
            return replace(self, received_us=latest, stamp_us=stamp_us if impossible else self.stamp_us)
        live = (
            self.stamp_us is not None
            and stamp_us - self.stamp_us <= 2 * max(0, received_us - self.received_us) + _SLACK_US
        )
        skew_ms = self.skew_ms
        if live:
            sample_ms = (received_us - stamp_us) / 1000
            skew_ms = sample_ms if skew_ms is None else skew_ms + _SMOOTHING * (sample_ms - skew_ms)
        return Note(latest, stamp_us, skew_ms)


class Notes:
    """Notes of all gateways; any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notes: dict[GatewayRef, Note] = {}
        self._changed: set[GatewayRef] = set()
        self.clocks = DeviceClocks()

    def add(self, messages: Iterable[tuple[GatewayRef, int, int | None]]) -> None:
        """(gateway, receive time, newest stamp or None for a message without readings) of committed messages, in µs."""
        with self._lock:
            for source, received_us, stamp_us in messages:
                note = self._notes.get(source)
                self._notes[source] = note.then(received_us, stamp_us) if note else Note(received_us, stamp_us)
                self._changed.add(source)

    def flush(self, conn: Connection, now_s: float) -> None:
        """Write what changed; on an error it stays noted as changed. `now_s` is monotonic."""
        self.clocks.flush(conn, now_s)
        with self._lock:
            changed = {source: self._notes[source] for source in self._changed}
        if not changed:
            return
        row: dict[str, list[Any]] = {
            "community": [source.community for source in changed],
            "gateway": [source.gateway for source in changed],
            "at": [from_us(note.received_us) for note in changed.values()],
            "skew_ms": [note.skew_ms for note in changed.values()],
        }
        conn.execute(queries("watchkeep_ingest", "sql/content.sql")["save_notes"], row)
        with self._lock:
            self._changed -= {source for source, note in changed.items() if self._notes[source] is note}
