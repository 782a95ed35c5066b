"""One writer per lane: takes batches, commits each, then acknowledges. What fails is held and tried again."""

import random
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence

import psycopg
from psycopg import Connection

from watchkeep_core.errors import WatchkeepError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop
from watchkeep_ingest import metrics
from watchkeep_ingest.incoming import Decoded, Problem
from watchkeep_ingest.intake import Intake
from watchkeep_ingest.lane import BatchTooWide, LaneWork
from watchkeep_ingest.outbox import Herald, Outbox
from watchkeep_ingest.transaction import Outcome, write

log = get_logger(__name__)

_IDLE_S = 0.5
"""How often an idle writer looks up: for its stop, parked readings, acks that did not get out."""

_BACKOFF_S = (0.1, 10.0)
"""First and longest wait after a failure; doubled in between, jittered."""

_HELD = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    psycopg.ProgrammingError,
    WatchkeepError,
    OSError,
)
"""Errors of the server, the line or the schema: no message is to blame, the batch waits."""


class Writer:
    """Runs in its own thread, with its own connection, until the stop."""

    def __init__(
        self,
        work: LaneWork,
        intake: Intake,
        outbox: Outbox,
        connect: Callable[[], Connection],
        stop: Stop,
        ack_every_s: float = 0.0,
    ) -> None:
        self._work = work
        self._intake = intake
        self._herald = Herald(work.lane, outbox, ack_every_s)
        self._connect = connect
        self._stop = stop
        self._conn: Connection | None = None
        self._failing = ""
        self._resume_at_s = float("-inf")
        self._last_sign = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"writer-{work.lane}", daemon=True)
        self._decoder = threading.Thread(target=self._decode, name=f"decoder-{work.lane}", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._decoder.start()

    def join(self, timeout_s: float) -> bool:
        """True when it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Give the connection back; the writer's own thread does that, or whoever called `commit` without one."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    @property
    def healthy(self) -> bool:
        return self._thread.is_alive() and not self._failing

    @property
    def silent_s(self) -> float:
        """Seconds since it last did or tried anything; a dead thread is silent for ever."""
        alive = self._thread.is_alive() and self._decoder.is_alive()
        return time.monotonic() - self._last_sign if alive else float("inf")

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._last_sign = time.monotonic()
                due = bool(self._work.waiting()) and time.monotonic() >= self._resume_at_s
                messages = self._intake.take(0.0 if due else _IDLE_S)
                if messages:
                    self.commit(messages)
                if due:
                    self.resume()
                self._herald.flush()
        finally:
            self.close()

    def _decode(self) -> None:
        """While the server works on one batch, the next is decoded."""
        while not self._stop.is_set():
            self._intake.decode_ahead(_IDLE_S)

    def commit(self, messages: Sequence[Decoded]) -> None:
        """Commit one batch, which is not empty, and acknowledge it; returns early at the stop only.

        A batch the database refuses is tried once more with caches emptied, then halved, each half a transaction of
        its own; a message refused alone goes to the dead letter in the transaction that records its seq.
        """
        todo: deque[tuple[Sequence[Decoded], bool]] = deque([(messages, False)])
        wait_s = _BACKOFF_S[0]
        while todo and not self._stop.is_set():
            part, tried = todo.popleft()
            self._last_sign = time.monotonic()
            try:
                outcome = self._write(part)
            except BatchTooWide as error:
                self._work.rolled_back()
                todo.extendleft(reversed(_smaller(part, error)))
            except _HELD as error:
                self._hold(error)
                todo.appendleft((part, tried))
                wait_s = self._back_off(wait_s)
            except Exception as error:  # the data's fault or our own: neither may stop the lane
                self._refuse(part, error)
                if _is_hopeless(part):
                    self._hold(error)
                    todo.appendleft((part, tried))
                    wait_s = self._back_off(wait_s)
                else:
                    todo.extendleft(reversed(_smaller(part, error) if tried else [(part, True)]))
            else:
                self._done(part, outcome)

    def resume(self) -> None:
        """Store some of what is parked; what fails is tried again later, and live messages do not wait for it."""
        try:
            outcome = self._write([])
        except Exception as error:  # whatever it is, it must not stop the lane
            self._hold(error)
            self._resume_at_s = time.monotonic() + _BACKOFF_S[1]
        else:
            self._done([], outcome)

    def _write(self, part: Sequence[Decoded]) -> Outcome:
        start = time.monotonic()
        if self._conn is None:
            self._conn = self._connect()
        with self._conn.transaction():
            outcome = write(self._conn, self._work, part)
        self._work.committed()
        metrics.count(self._work.lane, outcome, time.monotonic() - start)
        return outcome

    def _done(self, part: Sequence[Decoded], outcome: Outcome) -> None:
        if self._failing:
            log.info("writer_recovered", lane=self._work.lane)
            self._failing = ""
        acknowledge(part)
        self._herald.announce(outcome)

    def _back_off(self, wait_s: float) -> float:
        self._stop.wait(random.uniform(0, wait_s))  # noqa: S311 - spreads load, no secret
        return min(2 * wait_s, _BACKOFF_S[1])

    def _refuse(self, part: Sequence[Decoded], error: Exception) -> None:
        self._work.rolled_back()
        metrics.FAILURES.labels(self._work.lane).inc()
        ours = not isinstance(error, psycopg.Error)  # a bug: whoever reads this needs the trace
        log.warning("batch_refused", lane=self._work.lane, messages=len(part), error=_text(error), exc_info=ours)

    def _hold(self, error: Exception) -> None:
        """Nothing is acknowledged. If a COMMIT whose answer was lost took place, the ledger knows at the next try."""
        self._work.rolled_back()
        metrics.FAILURES.labels(self._work.lane).inc()
        self.close()
        text = _text(error)
        if text != self._failing:
            log.warning("batch_held", lane=self._work.lane, error=text)
            self._failing = text


def acknowledge(messages: Sequence[Decoded]) -> None:
    """To the broker, in the order of arrival: one call for all messages of a connection."""
    ids: defaultdict[Callable[[Sequence[int]], object], list[int]] = defaultdict(list)
    for message in messages:
        ids[message.incoming.ack].append(message.incoming.mid)
    for ack, mids in ids.items():
        ack(mids)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _is_hopeless(part: Sequence[Decoded]) -> bool:
    """Nothing to halve and nothing to bury: a dead letter that is refused itself."""
    return len(part) == 1 and part[0].problem is not None


def _smaller(part: Sequence[Decoded], error: Exception) -> list[tuple[Sequence[Decoded], bool]]:
    if len(part) > 1:
        middle = len(part) // 2
        return [(part[:middle], True), (part[middle:], True)]
    log.warning("message_refused", topic=part[0].incoming.topic, error=_text(error))
    return [([part[0].refused(Problem("refused_by_database", _text(error)))], True)]
