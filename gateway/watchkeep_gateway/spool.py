"""The spool: keeps every delivery on disk until the database has it. One thread writes; anyone may hand over."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from shutil import disk_usage

from watchkeep_core.logs import get_logger
from watchkeep_core.topics import Lane
from watchkeep_gateway.errors import SpoolClosed, SpoolFailed
from watchkeep_gateway.spool_file import HEADROOM_BYTES, OpenSpool, damage_ends_us, give_reserve, hold_reserve, is_full
from watchkeep_gateway.spool_state import LaneState, load_state
from watchkeep_gateway.statements import SQL
from watchkeep_gateway.transaction import MAX_COMMANDS, Counts, Rules, Transaction
from watchkeep_gateway.values import Delivery, PointKey

log = get_logger(__name__)

MAX_WAITING = 2_000
"""Deliveries with events, and as many without, not on disk yet; beyond it `put` blocks.

Far more than the bridge's receive maximum, so not there.
"""

MAX_BATCH_DELIVERIES = 250
"""A batch is closed early at this many: half the bridge's receive maximum, else its window would set the pace."""

ACK_DELAY_S = 0.2
"""An ack waits this long for others: deleting is not urgent, and every commit costs a sync."""

TICK_S = 30.0
"""Bounds are looked at this often even when nothing comes in."""

RETRY_S = 1.0
GIVE_UP_S = 5.0
"""When the disk refuses: wait between attempts, and at the end of the process give up after."""

MAKE_ROOM_BYTES = 1_000_000
"""Telemetry that goes, beyond the configured bound, when the disk is really full."""


_Ahead = tuple[Lane, str, int, "Future[None]"]


@dataclass(slots=True)
class _Due:
    """What one transaction shall do."""

    deliveries: list[tuple[Delivery, "Future[None]"]] = field(default_factory=list)
    acks: dict[Lane, tuple[str, int]] = field(default_factory=dict)
    ahead: list["_Ahead"] = field(default_factory=list)
    links: dict[str, tuple[bool, str]] = field(default_factory=dict)
    commands: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)

    def futures(self) -> list["Future[None]"]:
        return [future for _, future in self.deliveries] + [future for *_, future in self.ahead]


class Spool:
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
        self.failure: SpoolFailed | None = None
        self.writing = True
        """False while the disk refuses to take anything."""
        self._opened = opened
        self._rules = rules
        self._watchers = [on_commit]
        self._clock_ms = clock_ms
        self._clock_trusted = clock_trusted
        self._changed = threading.Condition()
        self._slow: list[tuple[Delivery, Future[None]]] = []
        self._slow_readings = 0
        self._slow_since = 0.0
        self._urgent: list[tuple[Delivery, Future[None]]] = []
        self._acks: dict[Lane, tuple[str, int]] = {}
        self._acks_since = 0.0
        self._ahead: list[_Ahead] = []
        self._links: dict[str, tuple[bool, str]] = {}
        self._commands: list[tuple[str, str]] = []
        self._facts: dict[str, str] = {}
        self._refused_since: float | None = None
        self._reserve_at = 0.0
        self._begin_later: Callable[[Transaction], None] | None = None
        self._closing = False
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

    def put(self, delivery: Delivery) -> "Future[None]":
        """The future ends when it is on disk. Blocks while too much waits; raises SpoolClosed."""
        future: Future[None] = Future()
        with self._changed:
            while len(self._urgent if delivery.events else self._slow) >= MAX_WAITING and not self._closing:
                self._changed.wait(1)
            if self._closing:
                raise SpoolClosed("the spool is closed")
            # What a driver remembers must reach the disk in the order it was handed over, so it is never overtaken.
            if (delivery.events or delivery.remember) and not delivery.in_turn:
                self._urgent.append((delivery, future))
                self._changed.notify_all()
                return future
            first = not self._slow
            if first:
                self._slow_since = time.monotonic()
            self._slow.append((delivery, future))
            self._slow_readings += len(delivery.readings)
            if first or self._full:  # in between there is nothing to wake the writer for
                self._changed.notify_all()
        return future

    def ack(self, lane: Lane, epoch: str, seq: int) -> None:
        """The database has everything of `lane` up to `seq`; never blocks."""
        with self._changed:
            if not self._acks:
                self._acks_since = time.monotonic()
            known = self._acks.get(lane)
            if known is None or known[0] != epoch or known[1] < seq:
                self._acks[lane] = (epoch, seq)
            self._changed.notify_all()

    def ack_ahead(self, lane: Lane, epoch: str, seq: int) -> "Future[None]":
        """An ack that seems to be ahead of this spool; the future ends when a new epoch has begun, if it really is."""
        future: Future[None] = Future()
        with self._changed:
            self._ahead.append((lane, epoch, seq, future))
            self._changed.notify_all()
        return future

    def note_link(self, name: str, up: bool, detail: str = "") -> None:
        """Keep for `status` whether a broker or a device answers; never blocks."""
        with self._changed:
            self._links[name] = (up, detail[:200])
            self._changed.notify_all()

    def note_command(self, command: str, outcome: str) -> None:
        """Keep for `status` what the server wanted and what became of it; never blocks."""
        with self._changed:
            self._commands = [*self._commands, (command, outcome)][-MAX_COMMANDS:]
            self._changed.notify_all()

    def note_fact(self, name: str, value: str) -> None:
        """Keep for `status` what the running gateway says of itself, as JSON; never blocks."""
        with self._changed:
            self._facts[name] = value
            self._changed.notify_all()

    def on_commit(self, watcher: Callable[[Counts], None]) -> None:
        """Call `watcher` in the writer's thread after each COMMIT from now on."""
        self._watchers.append(watcher)

    def close(self) -> None:
        """Write what was handed over, then let go of the file."""
        self.stop_taking()
        self.join()
        with contextlib.suppress(sqlite3.Error):
            self._opened.close()

    def stop_taking(self) -> None:
        """Refuse further deliveries and write those that wait."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

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
                if isinstance(why := transaction.declare(key), str):
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
        due: _Due | None = _Due()
        try:
            while (due := self._next()) is not None:
                with damage_ends_us(self._opened.directory):
                    self._write(due)
        except SpoolFailed as error:
            self._fail(error)
        except Exception as error:
            log.exception("spool_writer_died")
            self._fail(SpoolFailed(f"the spool's writer died: {error!r}"))
        finally:
            with self._changed:
                self._closing = True
                left = _Due(self._urgent + self._slow, ahead=self._ahead).futures() + (due.futures() if due else [])
            for future in left:
                with contextlib.suppress(InvalidStateError):
                    future.set_exception(SpoolClosed("the spool ended before this was on disk"))

    def _fail(self, error: SpoolFailed) -> None:
        self.failure = error
        self.writing = False
        log.error("spool_failed", why=str(error))

    def _next(self) -> _Due | None:
        """Wait until something is due; None when closing and all is written."""
        ticked = time.monotonic()
        with self._changed:
            while True:
                now = time.monotonic()
                slow_in, acks_in = self._slow_in(now), self._acks_in(now)
                wait_s = min(slow_in, acks_in, ticked + TICK_S - now)
                if self._urgent or self._ahead or self._links or self._commands or self._facts or wait_s <= 0:
                    return self._take(slow_in <= 0)
                if self._closing:
                    return None
                self._changed.wait(wait_s)

    def _slow_in(self, now: float) -> float:
        if not self._slow:
            return TICK_S
        return 0.0 if self._full or self._closing else self._slow_since + self._rules.batch_s - now

    @property
    def _full(self) -> bool:
        return self._slow_readings >= self._rules.batch_readings or len(self._slow) >= MAX_BATCH_DELIVERIES

    def _acks_in(self, now: float) -> float:
        if not self._acks:
            return TICK_S
        return 0.0 if self._closing else self._acks_since + ACK_DELAY_S - now

    def _take(self, with_slow: bool) -> _Due:
        due = _Due(self._urgent, self._acks, self._ahead, self._links, self._commands, self._facts)
        self._urgent, self._acks, self._ahead, self._links = [], {}, [], {}
        self._commands, self._facts = [], {}
        if with_slow and not (self._refused_since and due.deliveries):  # events alone may still find room
            due.deliveries = due.deliveries + self._slow
            self._slow, self._slow_readings = [], 0
        self._changed.notify_all()
        return due

    def _write(self, due: _Due) -> None:
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
            self._put_back(due, error)
            return
        if not self.writing:
            log.info("spool_writes_again")
        self.writing = True
        self._refused_since = self._begin_later = None
        for future in due.futures():
            future.set_result(None)

    def _put_back(self, due: _Due, error: sqlite3.OperationalError) -> None:
        """In front of what came since. Raises SpoolFailed when closing takes too long."""
        now, first = time.monotonic(), self._refused_since is None
        if self._refused_since is None:
            self._refused_since = now
            log.error("spool_cannot_write", why=str(error))
        self.writing = False
        self._disk_full = is_full(error, self._opened.directory)
        room = self._disk_full and (self._make_room() or first)
        if self._closing and now - self._refused_since > GIVE_UP_S:
            raise SpoolFailed(f"cannot write the spool: {error}") from None
        with self._changed:
            self._urgent = [one for one in due.deliveries if one[0].events] + self._urgent
            slow = [one for one in due.deliveries if not one[0].events]
            self._slow = slow + self._slow
            self._slow_readings += sum(len(delivery.readings) for delivery, _ in slow)
            self._acks = due.acks | self._acks
            self._ahead = due.ahead + self._ahead
            self._links = due.links | self._links
            self._commands = due.commands + self._commands
            self._facts = due.facts | self._facts
            if not room and self._changed.wait_for(lambda: self._closing, RETRY_S):
                self._changed.wait(RETRY_S / 5)

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
