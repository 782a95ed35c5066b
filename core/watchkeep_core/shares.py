"""Partitions shared evenly by all processes that want them, held by advisory locks of one database session.

Each process holds a shared lock that says it is there, takes its share, and gives up what is beyond it when another
comes. A process that dies frees its locks with its session, and the rest take over.
"""

import zlib
from collections.abc import Iterable, Sequence

from psycopg import Connection

_COUNT_MEMBERS = """SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND objsubid = 2 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


class Shares:
    """What processes that want the same `wanted` partitions agree on; holds no connection of its own."""

    def __init__(self, space: int, wanted: Sequence[int]) -> None:
        """`space` is the first key of the partitions' locks; `space` + 1 that of the locks by which they count."""
        self._space = space
        self._wanted = tuple(wanted)
        self._group = zlib.crc32(repr(self._wanted).encode()) & 0x7FFF_FFFF

    def join(self, conn: Connection) -> None:
        """Be counted, once for each new session."""
        # Locks of a process whose machine vanished are free again after half a minute, not after two hours.
        conn.execute("SET tcp_keepalives_idle = 15")
        conn.execute("SET tcp_keepalives_interval = 5")
        conn.execute("SET tcp_keepalives_count = 3")
        conn.execute("SELECT pg_advisory_lock_shared(%s, %s)", [self._space + 1, self._group])

    def share(self, conn: Connection) -> int:
        """How many partitions are ours: as many as everybody's who wants the same, rounded up."""
        row = conn.execute(_COUNT_MEMBERS, [self._space + 1, self._group]).fetchone()
        return -(-len(self._wanted) // max(1, row[0] if row else 1))

    def take(self, conn: Connection, partitions: Iterable[int], at_most: int) -> set[int]:
        """Those of `partitions` that are free, no more than `at_most`."""
        taken: set[int] = set()
        for partition in sorted(partitions):
            if len(taken) >= at_most:
                break
            row = conn.execute("SELECT pg_try_advisory_lock(%s, %s)", [self._space, partition]).fetchone()
            if row is not None and row[0]:
                taken.add(partition)
        return taken

    def give(self, conn: Connection, partitions: Iterable[int]) -> None:
        """Free them for others."""
        for partition in partitions:
            conn.execute("SELECT pg_advisory_unlock(%s, %s)", [self._space, partition])
