"""Reading the spool beside its writer: what to publish next, and the report for people."""

import json
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from watchkeep_core.topics import LANES, Lane
from watchkeep_gateway.errors import SpoolFailed
from watchkeep_gateway.spool_file import NAME, damage_ends_us, read_only
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
            **_facts(connection),
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
            "commands": _commands(connection),
            "points": len(connection.execute(SQL["aliases"]).fetchall()),
            "rejected_kept": rejected,
            "unmapped": _unmapped_count(connection),
            "file_bytes": _file_bytes(directory),
        }
    except sqlite3.Error as error:
        raise SpoolFailed(f"cannot read the spool at {directory}: {error}") from None
    finally:
        connection.close()


SHOWN_COMMANDS = 10


def _facts(connection: sqlite3.Connection) -> dict[str, Any]:
    """What the gateway said of itself when it ran last; a spool of before has nothing."""
    if not connection.execute(SQL["has_report"]).fetchone():
        return {}
    return {name: json.loads(value) for name, value in connection.execute(SQL["facts"])}


def _commands(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The last ones, newest first."""
    if not connection.execute(SQL["has_report"]).fetchone():
        return []
    rows = connection.execute(SQL["commands"], (SHOWN_COMMANDS,))
    return [{"at_ms": at_ms, "command": command, "outcome": outcome} for at_ms, command, outcome in rows]


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


def unmapped(directory: Path, limit: int) -> list[dict[str, Any]]:
    """What foreign publishers name and no row of the configuration maps, each once, since the gateway started."""
    connection = read_only(directory)
    try:
        rows = connection.execute(SQL["unmapped"], (limit,)).fetchall() if _unmapped_count(connection) else []
    finally:
        connection.close()
    return [{"source": source, "name": name, "since_ms": since_ms} for source, name, since_ms in rows]


def _file_bytes(directory: Path) -> int:
    """With what waits in its log; the log is gone once the gateway has ended."""
    total = 0
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            total += (directory / f"{NAME}{suffix}").stat().st_size
    return total


def _unmapped_count(connection: sqlite3.Connection) -> int:
    """0 for a spool of before, that no gateway of this version has opened."""
    if not connection.execute(SQL["has_unmapped"]).fetchone():
        return 0
    (count,) = connection.execute(SQL["count_unmapped"]).fetchone()
    return int(count)


def _age_s(oldest_ms: int | None, now_ms: int) -> float | None:
    return None if oldest_ms is None else max(0.0, (now_ms - oldest_ms) / 1000)
