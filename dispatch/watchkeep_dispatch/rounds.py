"""One round of the service's work: warnings are filed, then the clocks and the rest get their turn."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import Connection
from psycopg_pool import ConnectionPool

from watchkeep_core import audit
from watchkeep_core.clock import Clock, SystemClock
from watchkeep_core.errors import PermanentError
from watchkeep_core.logs import get_logger
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import metrics, order_sums, preventive, rota
from watchkeep_dispatch.complaints import answer_settled, file_reports
from watchkeep_dispatch.dispatching import assign_waiting
from watchkeep_dispatch.duties import Lists
from watchkeep_dispatch.escalation import PER_CALL, escalate
from watchkeep_dispatch.filing import RECURRENCES, claim, judge_all, merge_recurrences, oldest_unfiled_s, raise_risen
from watchkeep_dispatch.notify.outbox import gathering
from watchkeep_dispatch.planning import Rules
from watchkeep_dispatch.settings import DispatchSettings
from watchkeep_dispatch.storms import watch
from watchkeep_dispatch.verdicts import Outcome, Waiting, postpone

_log = get_logger(__name__)

FILE_PER_ROUND = 500
"""After so many warnings the clocks get their turn: a burst cannot hold them up for more than about a second."""
PER_COMMIT = 50
"""Warnings judged in one transaction, about 0.05 s: what another one needs is locked no longer than that."""
ESCALATE_EVERY_S = 5
"""All running clocks are read: with 10,000 open orders 0.2 s of work. The shortest deadline is a minute."""
LOOK_EVERY_S = 5
"""The age of the oldest warning is read off all that wait: not in every round of a burst."""
RETRY_JUDGING_S = 60
"""A warning that cannot be judged (its community is gone …) is looked at again after this time."""
POOL_TIMEOUT_S = 5.0
"""Waiting longer for a connection would keep a stop waiting."""


class _Chore:
    """Something to be seen to every so many seconds; 0 = in each round."""

    def __init__(self, every_s: float, do: Callable[[Connection, datetime], object]) -> None:
        self.do = do
        self._every = timedelta(seconds=every_s)
        self._last = datetime.min.replace(tzinfo=UTC)

    def due(self, now: datetime) -> bool:
        """Whether its time has come; a clock that was set back holds up nothing."""
        if abs(now - self._last) < self._every:
            return False
        self._last = now
        return True

    def again(self) -> None:
        """It has not come to its end: the next round goes on."""
        self._last = datetime.min.replace(tzinfo=UTC)


class Rounds:
    """One round of work after the other; or, in a process of its own, life safety, which waits for none."""

    def __init__(
        self, settings: DispatchSettings, pool: ConnectionPool[Connection], clock: Clock | None = None
    ) -> None:
        self._pool = pool
        self._clock = clock or SystemClock()
        self._settings = settings
        self._calendar = settings.calendar()
        self._rules = rules(settings)
        self._chores = (
            _Chore(0, lambda conn, now: assign_waiting(conn, now, self._calendar)),
            _Chore(0, raise_risen),
            _Chore(0, lambda conn, now: file_reports(conn, now, self._rules)),
            _Chore(0, lambda conn, now: answer_settled(conn, now, self._rules)),
            _Chore(ESCALATE_EVERY_S, self._escalate),
            _Chore(0, lambda conn, now: preventive.file_failed(conn, now, self._rules)),
            _Chore(60, self._slowly),
            _Chore(10, lambda conn, now: order_sums.keep(conn, now, self._calendar.zone)),
            _Chore(LOOK_EVERY_S, lambda conn, now: metrics.UNFILED_AGE.set(oldest_unfiled_s(conn, now))),
            _Chore(0, lambda conn, _: audit.seal(conn)),
        )

    def life_safety(self) -> bool:
        """File life safety alone; true when more of it waits already."""
        with self._pool.connection(timeout=POOL_TIMEOUT_S) as conn:
            filed = file_waiting(conn, self._clock.now, self._rules, FILE_PER_ROUND, life_safety=True)
        return filed == FILE_PER_ROUND

    def round(self) -> bool:
        """File what waits, then see to the clocks; true when more warnings wait already."""
        began = time.monotonic()
        with self._pool.connection(timeout=POOL_TIMEOUT_S) as conn:
            with conn.transaction():
                self._watch_storms(conn, self._clock.now())
            filed = file_waiting(conn, self._clock.now, self._rules, FILE_PER_ROUND)
            joined = self._join(conn)
            for chore in self._chores:
                if chore.due(now := self._clock.now()):
                    with conn.transaction():
                        more = chore.do(conn, now)
                    if more is True:
                        chore.again()
        metrics.LOOP_LAG.set(max(0.0, time.monotonic() - began - self._settings.poll_s))
        return filed == FILE_PER_ROUND or joined == RECURRENCES

    def _join(self, conn: Connection) -> int:
        with conn.transaction():
            joined = merge_recurrences(conn, self._clock.now())
        metrics.VERDICTS.labels("merged", "open_case").inc(joined)
        return joined

    def _watch_storms(self, conn: Connection, now: datetime) -> None:
        for storm in watch(conn, now, self._rules):
            _log.warning("storm_began", storm=storm)

    def _slowly(self, conn: Connection, now: datetime) -> None:
        """What need not be looked at each second."""
        rota.assign_open(conn, now)
        rota.warn_of_gaps(conn, now)
        preventive.open_due(conn, now)
        for case_id in preventive.file_overdue(conn, now, self._rules):
            _log.warning("visit_overdue", case=case_id)

    def _escalate(self, conn: Connection, now: datetime) -> bool:
        fired = escalate(conn, now, self._calendar)
        for one in fired:
            metrics.ESCALATIONS.labels(one.clock, str(one.level)).inc()
            _log.info("escalated", case=one.case_id, clock=one.clock, level=one.level, to=one.to_party)
        return len(fired) >= PER_CALL


def rules(settings: DispatchSettings) -> Rules:
    """How the service judges, from its settings."""
    waits = {"A": settings.auto_file_a_s, "B": settings.auto_file_b_s, "C": settings.auto_file_c_s}
    return Rules(
        load(),
        Lists(),
        waits,
        timedelta(seconds=settings.reopen_within_s),
        settings.calendar(),
        flap_openings=settings.flap_openings,
        storm_equipment=settings.storm_equipment,
        fold_wait=timedelta(seconds=settings.fold_wait_s),
    )


def file_waiting(
    conn: Connection, now: Callable[[], datetime], how: Rules, at_most: int, *, life_safety: bool = False
) -> int:
    """Judge up to `at_most` waiting warnings, or `life_safety` alone, `PER_COMMIT` in a transaction; how many."""
    count = 0
    while count < at_most:
        try:
            with conn.transaction(), gathering(conn):
                moment = now()
                claimed = claim(conn, moment, min(PER_COMMIT, at_most - count), life_safety=life_safety)
                # In one order for all workers, so that they do not wait for each other's cases in a circle.
                in_turn = sorted(claimed, key=lambda found: (not found.life_safety, *found.key))
                outcomes = _judge(conn, in_turn, moment, how) if in_turn else []
        except psycopg.errors.DeadlockDetected:  # a symptom's case may still close the circle: the other one goes on
            metrics.LOOP_ERRORS.labels("deadlock").inc()
            continue
        for outcome in outcomes:
            _count(outcome)
        count += len(claimed)
        if not claimed:
            break
    return count


def _judge(conn: Connection, warnings: Sequence[Waiting], now: datetime, how: Rules) -> list[Outcome]:
    """All together, or each by itself: one that cannot be judged now is put off, the others are not."""
    try:
        with conn.transaction(), gathering(conn):
            return judge_all(conn, warnings, now, how)
    except (psycopg.DataError, psycopg.IntegrityError, PermanentError) as error:
        if len(warnings) > 1:
            return [outcome for one in warnings for outcome in _judge(conn, [one], now, how)]
        postpone(conn, warnings[0], now + timedelta(seconds=RETRY_JUDGING_S))
        metrics.POSTPONED.inc()
        _log.error("not_judged", warning=warnings[0].warning_id, error=str(error), again_in_s=RETRY_JUDGING_S)
        return []


def _count(outcome: Outcome) -> None:
    metrics.VERDICTS.labels(outcome.verdict, outcome.rule).inc()
    if outcome.verdict == "filed":
        metrics.CASES.labels(outcome.case_class or "").inc()
    if outcome.order_id is not None:
        metrics.ORDERS.inc()
    _log.info("judged", warning=outcome.warning_id, verdict=outcome.verdict, rule=outcome.rule, case=outcome.case_id)
