"""The spool: keeps every delivery on disk until the database has it. One thread writes; anyone may hand over."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import InvalidStateError
from shutil import disk_usage

from watchkeep_core.logs import get_logger
from watchkeep_core.topics import Lane
from watchkeep_gateway.errors import SpoolClosed, SpoolFailed
from watchkeep_gateway.spool_file import HEADROOM_BYTES, OpenSpool, damage_ends_us, give_reserve, hold_reserve, is_full
from watchkeep_gateway.spool_inbox import TICK_S, Due, Inbox
from watchkeep_gateway.spool_state import LaneState, load_state
from watchkeep_gateway.statements import SQL
from watchkeep_gateway.transaction import Counts, Rules, Transaction
from watchkeep_gateway.values import PointKey

log = get_logger(__name__)

GIVE_UP_S = 5.0
"""When the disk refuses at the end of the process: give up after."""

MAKE_ROOM_BYTES = 1_000_000
"""Telemetry that goes, beyond the configured bound, when the disk is really full."""


class Spool(Inbox):
    """Runs until `close`, or until `failure` is set: then the process must end and be started again."""

    def __init__(
        self,
        opened: OpenSpool,
        rules: Rules,
        *,
        declared: Mapping[PointKey, float | None] | None = None,
        on_commit: Callable[[Counts], None] = lambda _: None,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        clock_trusted: Callable[[], bool] = lambda: True,
    ) -> None:
        """`declared` points get their alias at once. `on_commit` runs in the writer's thread after each COMMIT.

        `clock_trusted`: whether `clock_ms` may be used to call something too old.
        """
        super().__init__(rules.batch_s, rules.batch_readings)
        self.failure: SpoolFailed | None = None
        self.writing = True
        """False while the disk refuses to take anything."""
        self._opened = opened
        self._rules = rules
        self._watchers = [on_commit]
        self._clock_ms = clock_ms
        self._clock_trusted = clock_trusted
        self._refused_since: float | None = None
        self._reserve_at = 0.0
        self._begin_later: Callable[[Transaction], None] | None = None
        self._disk_full = False
        with damage_ends_us(opened.directory):
            self._state = load_state(opened.connection, time.monotonic())
            rows = opened.connection.execute(SQL["active_codes"]).fetchall()
            opened.connection.execute(SQL["create_memory"])
            opened.connection.execute(SQL["create_unmapped"])
            opened.connection.execute(SQL["delete_unmapped"])
            memory = opened.connection.execute(SQL["memory"]).fetchall()
            _, _, connected = opened.connection.execute(SQL["owner"]).fetchone()
            self._begin(declared or {})
        self.connected_before = bool(connected)
        """The broker let a gateway with this spool in at least once."""
        self.active_codes: frozenset[tuple[str, str]] = frozenset(rows)
        """(equipment, condition) that raw codes had raised when the spool was opened."""
        self.memory: Mapping[str, str] = dict(memory)
        """What drivers had told it to remember when the spool was opened."""
        self.digests: tuple[bytes, ...] = tuple(self._state.digests)
        """Of the last messages when the spool was opened, oldest first."""
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    @property
    def lanes(self) -> Mapping[Lane, LaneState]:
        """As of the last COMMIT."""
        return self._state.lanes

    @property
    def aliases(self) -> Mapping[PointKey, int]:
        """All points that a message in the spool may speak of; replaced, never changed."""
        return self._state.aliases

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def on_commit(self, watcher: Callable[[Counts], None]) -> None:
        """Call `watcher` in the writer's thread after each COMMIT from now on."""
        self._watchers.append(watcher)

    def close(self) -> None:
        """Write what was handed over, then let go of the file."""
        self.stop_taking()
        self.join()
        with contextlib.suppress(sqlite3.Error):
            self._opened.close()

    def join(self) -> None:
        """Wait, after `stop_taking`, until all is written."""
        self._thread.join()

    def _begin(self, declared: Mapping[PointKey, float | None]) -> None:
        """Aliases of the declared points; and, when a damaged file was set aside, the word that data is missing."""
        fresh = [key for key in declared if key not in self._state.aliases]
        replaced = self._opened.replaced

        def change(transaction: Transaction) -> None:
            transaction.forget_links()
            for key in fresh:
                if isinstance(why := transaction.aliases.declare(key), str):
                    log.error("point_refused", equipment=key[0], metric=key[1], why=why)
            if replaced is not None:
                transaction.tell_replaced(replaced.name, time.monotonic())

        for last in (False, True):
            try:
                self._transact(change)
                return
            except sqlite3.OperationalError as error:
                if not is_full(error, self._opened.directory):
                    raise SpoolFailed(f"cannot write the spool: {error}") from None
                self._disk_full = True
                self._make_room()
                if last:  # the writer will do it with the first that finds room; to end here would be a crash loop
                    log.error("spool_cannot_write", why=str(error))
                    self.writing = False
                    self._begin_later = change

    def _run(self) -> None:
        due: Due | None = Due()
        try:
            while (due := self._next(apart=self._refused_since is not None)) is not None:  # events alone may find room
                with damage_ends_us(self._opened.directory):
                    self._write(due)
        except SpoolFailed as error:
            self._fail(error)
        except Exception as error:
            log.exception("spool_writer_died")
            self._fail(SpoolFailed(f"the spool's writer died: {error!r}"))
        finally:
            for future in self._give_up() + (due.futures() if due else []):
                with contextlib.suppress(InvalidStateError):
                    future.set_exception(SpoolClosed("the spool ended before this was on disk"))

    def _fail(self, error: SpoolFailed) -> None:
        self.failure = error
        self.writing = False
        log.error("spool_failed", why=str(error))

    def _write(self, due: Due) -> None:
        """Write it, or put it back when the disk refuses: it is tried again, telemetry making room, events first."""

        def change(transaction: Transaction) -> None:
            if self._begin_later:
                self._begin_later(transaction)
            for lane, (epoch, seq) in due.acks.items():
                transaction.ack(lane, epoch, seq)
            for lane, epoch, seq, _ in due.ahead:
                transaction.ack(lane, epoch, seq)
            transaction.deliver(delivery for delivery, _ in due.deliveries)
            for name, (up, detail) in due.links.items():
                transaction.link(name, up, detail)
            transaction.note(due.commands, due.facts)

        try:
            self._transact(change)
        except sqlite3.OperationalError as error:
            self._put_back(due, wait=not self._refused(error))
            return
        if not self.writing:
            log.info("spool_writes_again")
        self.writing = True
        self._refused_since = self._begin_later = None
        for future in due.futures():
            future.set_result(None)

    def _refused(self, error: sqlite3.OperationalError) -> bool:
        """Whether there is room now, for another attempt at once. Raises SpoolFailed when closing takes too long."""
        now, first = time.monotonic(), self._refused_since is None
        if self._refused_since is None:
            self._refused_since = now
            log.error("spool_cannot_write", why=str(error))
        self.writing = False
        self._disk_full = is_full(error, self._opened.directory)
        room = self._disk_full and (self._make_room() or first)
        if self._closing and now - self._refused_since > GIVE_UP_S:
            raise SpoolFailed(f"cannot write the spool: {error}") from None
        return room

    def _make_room(self) -> bool:
        """Give the reserve back, and empty the WAL into the file, so that it can be written from its start again."""
        given = give_reserve(self._opened.directory)
        with contextlib.suppress(sqlite3.OperationalError):
            self._opened.connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
        self._reserve_at = time.monotonic() + TICK_S
        return given

    def _transact(self, change: Callable[[Transaction], None]) -> None:
        connection = self._opened.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            transaction = Transaction(connection, self._state, self._rules, self._clock_ms())
            free = disk_usage(self._opened.directory).free - HEADROOM_BYTES
            if self._disk_full:
                free = min(free, -MAKE_ROOM_BYTES)
            # First, as what comes in may need the room.
            transaction.keep_bounds(free, time.monotonic(), self._clock_trusted())
            change(transaction)
            transaction.save()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._disk_full = False
        self._state = transaction.result()
        if time.monotonic() >= self._reserve_at:
            hold_reserve(self._opened.directory)
            self._reserve_at = time.monotonic() + TICK_S
        if transaction.counts.renewed:
            log.warning("spool_new_epoch", why="this spool is a copy or was restored: the database is ahead of it")
        if transaction.counts.lost:
            log.warning("telemetry_lost", **{k: getattr(transaction.counts.lost, k) for k in ("first_seq", "last_seq")})
        for watcher in self._watchers:
            watcher(transaction.counts)
