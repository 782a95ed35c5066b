"""Reading the spool beside its writer: what to publish next, and the report for people."""

import sqlite3
import time
from pathlib import Path
from typing import Any, NamedTuple

from watchkeep_core.topics import LANES, Lane
from watchkeep_gateway.errors import SpoolFailed
from watchkeep_gateway.spool_file import damage_ends_us, read_only
from watchkeep_gateway.spool_state import load_lanes
from watchkeep_gateway.statements import SQL


class Stored(NamedTuple):
    """One message as it waits; `body` is without floor."""

    seq: int
    body: bytes


class SpoolReader:
    """A connection of its own, for one thread at a time."""

    def __init__(self, directory: Path) -> None:
        """Raises SpoolFailed when there is no spool."""
        self._directory = directory
        self._connection = read_only(directory)

    def read(self, lane: Lane, from_seq: int, limit: int) -> tuple[int | None, list[Stored]]:
        """Floor of the lane (None = it is empty) and its next messages, from one snapshot."""
        with damage_ends_us(self._directory):
            self._connection.execute("BEGIN")
            try:
                oldest = self._connection.execute(SQL[f"oldest_{lane}"]).fetchone()
                rows = self._connection.execute(SQL[f"read_{lane}"], (from_seq, limit)).fetchall()
            finally:
                self._connection.execute("COMMIT")
        return (oldest[0] if oldest else None), [Stored(*row) for row in rows]

    def close(self) -> None:
        self._connection.close()


def status(directory: Path) -> dict[str, Any]:
    """What `watchkeep gateway status` prints; read from the file, so the gateway need not run."""
    connection = read_only(directory)
    try:
        community, gateway, connected = connection.execute(SQL["owner"]).fetchone()
        lanes = load_lanes(connection)
        now_ms = time.time_ns() // 1_000_000
        (rejected,) = connection.execute(SQL["count_rejected"]).fetchone()
        return {
            "community": community,
            "gateway": gateway,
            "connected_once": bool(connected),
            "lanes": {
                lane: {
                    "epoch": lanes[lane].epoch,
                    "next_seq": lanes[lane].next_seq,
                    "floor": lanes[lane].floor,
                    "messages": lanes[lane].messages,
                    "readings": lanes[lane].readings,
                    "bytes": lanes[lane].bytes,
                    "oldest_s": _age_s(lanes[lane].oldest_ms, now_ms),
                }
                for lane in LANES
            },
            "links": [
                {"name": name, "up": bool(up), "since_s": _age_s(since_ms, now_ms), "detail": detail}
                for name, up, since_ms, detail in connection.execute(SQL["links"])
            ],
            "points": len(connection.execute(SQL["aliases"]).fetchall()),
            "rejected_kept": rejected,
            "file_bytes": (directory / "spool.db").stat().st_size,
        }
    except sqlite3.Error as error:
        raise SpoolFailed(f"cannot read the spool at {directory}: {error}") from None
    finally:
        connection.close()


def rejected(directory: Path, limit: int) -> list[dict[str, Any]]:
    """The latest messages that could not be understood, newest first."""
    connection = read_only(directory)
    try:
        rows = connection.execute(SQL["rejected"], (limit,)).fetchall()
    finally:
        connection.close()
    return [
        {"at_ms": at_ms, "origin": origin, "reason": reason, "payload": payload.decode(errors="replace")}
        for at_ms, origin, reason, payload in rows
    ]


def _age_s(oldest_ms: int | None, now_ms: int) -> float | None:
    return None if oldest_ms is None else max(0.0, (now_ms - oldest_ms) / 1000)
