"""Holds the partitions of a worker (core `shares`), and keeps their MQTT sessions open.

Two workers that read one session would kick each other out; two that write are kept apart by row locks anyway.
"""

import random
from collections.abc import Callable, Sequence

import psycopg
from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core import topics
from watchkeep_core.broker import BrokerRefused, BrokerUnreachable
from watchkeep_core.database import DatabaseRefused, DatabaseUnavailable, queries
from watchkeep_core.logs import get_logger
from watchkeep_core.shares import Shares
from watchkeep_ingest import accounts, metrics
from watchkeep_ingest.sessions import Sessions
from watchkeep_ingest.status import Notes

log = get_logger(__name__)

LOCK_SPACE = 0x574B_4947
"""First key of our advisory locks ("WKIG", and the next number by which workers count each other)."""

_GRACE_S = 10.0
"""How long sessions outlive a lost lock connection: a restarted database is usually back by then."""

_FLUSH_S = 5.0
"""How often what we noted of gateways is written."""

_BROKER_RETRY_S = (1.0, 30.0)


class Keeper:
    """Called from one thread: `start` once, then `tick` about every second with a monotonic time."""

    def __init__(
        self, connect: Callable[[], Connection], wanted: Sequence[int], sessions: Sessions, notes: Notes
    ) -> None:
        self._connect = connect
        self._wanted = tuple(wanted)
        self._shares = Shares(LOCK_SPACE, self._wanted)
        self._sessions = sessions
        self._notes = notes
        self._conn: Connection | None = None
        self._held: set[int] = set()
        self._lost_at: float | None = None
        self._flushed_at = 0.0
        self._broker_retry_at = 0.0
        self._broker_wait_s = _BROKER_RETRY_S[0]

    @property
    def held(self) -> frozenset[int]:
        return frozenset(self._held)

    @property
    def healthy(self) -> bool:
        return self._conn is not None

    def start(self, now_s: float) -> None:
        """Raises what is wrong with database or broker, so that a bad start is seen at once."""
        self._open_connection()
        self._take_locks()
        self._sessions.open(sorted(self._held))
        self._flushed_at = now_s

    def tick(self, now_s: float) -> None:
        """Never raises for what may pass."""
        if self._check_connection(now_s):
            self._take_locks_or_lose(now_s)
            self._flush(now_s)
            self._send_left_over(now_s)
        if self._held and now_s >= self._broker_retry_at:
            self._open_sessions(now_s)
        self._sessions.renew_overflowed()
        metrics.PARTITIONS.set(len(self._held))
        metrics.SESSIONS.set(self._sessions.connected())

    def close(self) -> None:
        """Sessions first, then the locks: the next worker must not meet our sessions."""
        self._sessions.close(sorted(self._held))
        self._held.clear()
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _open_connection(self) -> None:
        conn = self._connect()
        self._shares.join(conn)
        self._conn = conn

    def _check_connection(self, now_s: float) -> bool:
        """Whether the lock connection is there; after the grace without it, everything is let go."""
        if self._conn is not None:
            return True
        try:
            self._open_connection()
            kept = self._try_locks(self._held, len(self._held))
        except (DatabaseUnavailable, DatabaseRefused, psycopg.OperationalError) as error:
            self._conn = None
            if self._lost_at is not None and now_s - self._lost_at > _GRACE_S and self._held:
                log.warning("partitions_released", partitions=sorted(self._held), error=str(error))
                self._release(self._held)
            return False
        if self._held - kept:
            log.warning("partitions_lost", partitions=sorted(self._held - kept))
            self._release(self._held - kept)
        log.info("lock_connection_back", partitions=sorted(kept))
        self._lost_at = None
        return True

    def _take_locks_or_lose(self, now_s: float) -> None:
        try:
            share = self._share()
            if len(self._held) > share:
                self._give_up(sorted(self._held)[share:])
            else:
                self._take_locks()
        except psycopg.OperationalError as error:
            self._lose(now_s, error)

    def _share(self) -> int:
        return len(self._held) if self._conn is None else self._shares.share(self._conn)

    def _give_up(self, partitions: Sequence[int]) -> None:
        """Sessions first: the next worker must not meet them. What they delivered and is not written comes again."""
        log.info("partitions_given_up", partitions=partitions)
        self._release(set(partitions))
        if self._conn is not None:
            self._shares.give(self._conn, partitions)

    def _take_locks(self) -> None:
        """Try for what we do not hold, up to our share."""
        missing = set(self._wanted) - self._held
        taken = self._try_locks(missing, self._share() - len(self._held)) if missing else set()
        if taken:
            log.info("partitions_taken", partitions=sorted(taken))
            self._held |= taken

    def _try_locks(self, partitions: set[int], at_most: int) -> set[int]:
        return set() if self._conn is None else self._shares.take(self._conn, partitions, at_most)

    def _flush(self, now_s: float) -> None:
        if self._conn is None or now_s - self._flushed_at < _FLUSH_S:
            return
        self._flushed_at = now_s
        try:
            self._notes.flush(self._conn, now_s)
            metrics.show_accounts(accounts.imbalances(self._conn))
        except psycopg.OperationalError as error:
            self._lose(now_s, error)

    def _send_left_over(self, now_s: float) -> None:
        """`rows` messages of replays from the command line."""
        if self._conn is None or not self._held:
            return
        try:
            found = self._conn.execute(_sql("read_outbox"), {"partitions": sorted(self._held)}).fetchall()
            sent = [
                number
                for number, lane, partition, payload in found
                if self._sessions.publish(lane, partition, topics.rows(partition), payload, retain=False, bulky=True)
            ]
            if sent:
                self._conn.execute(_sql("delete_outbox"), {"ids": sent})
        except psycopg.OperationalError as error:
            self._lose(now_s, error)

    def _lose(self, now_s: float, error: psycopg.OperationalError) -> None:
        if self._conn is not None and self._conn.closed:
            log.warning("lock_connection_lost", error=" ".join(str(error).split()))
            self._conn, self._lost_at = None, now_s

    def _release(self, partitions: set[int]) -> None:
        gone = set(partitions)
        self._sessions.close(sorted(gone))
        self._held -= gone

    def _open_sessions(self, now_s: float) -> None:
        try:
            self._sessions.open(sorted(self._held))
            self._broker_wait_s = _BROKER_RETRY_S[0]
        except (BrokerUnreachable, BrokerRefused) as error:
            log.warning("sessions_not_opened", error=str(error))
            self._broker_retry_at = now_s + random.uniform(0.5, 1) * self._broker_wait_s  # noqa: S311 - no secret
            self._broker_wait_s = min(2 * self._broker_wait_s, _BROKER_RETRY_S[1])


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/overview.sql")[name]
