"""The rollup job of servers without continuous aggregates: seal, roll up what was sealed, then what came late.

A pass is resumable: what is done is written down in the transaction that does it, and doing it again changes nothing.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar

from psycopg import Connection

from watchkeep_core.service import Stop
from watchkeep_core.storage.levels import HOUR, MINUTE, LevelState, read_levels, statement

SETTLE = timedelta(seconds=30)
"""A minute is rolled up this long after its end; readings that come later are late."""

T = TypeVar("T")

_FIRST_WINDOW = 5 * MINUTE
_LONGEST_WINDOW = HOUR
_QUICK_S, _SLOW_S = 1.0, 5.0
"""A window that took less is doubled, one that took more is halved: a transaction takes seconds on any server."""

_SLICE = 20_000
"""Series whose hour is rolled up in one transaction: 1.2 million minutes at most."""

_FIRST_SLICE = 1_000
"""Of a backlog: at one reading a second 3.6 million in an hour, about 10 s."""

_MARKS = 500
"""Marks in one transaction; a mark is of one hour, or of a day when a point was added to the rollups."""


@dataclass(slots=True)
class Done:
    """What one pass did."""

    windows: int = 0
    hours: int = 0
    late_hours: int = 0
    """Hours of single series computed again."""
    complete: bool = True
    """False: the time was up, more is waiting."""


class Budget:
    """When a pass has to give way: at the stop, or when its time is up."""

    def __init__(self, stop: Stop, seconds: float) -> None:
        self._stop = stop
        self._end_s = time.monotonic() + seconds

    def is_spent(self) -> bool:
        return self._stop.is_set() or time.monotonic() > self._end_s


def roll(conn: Connection, budget: Budget) -> Done:
    """One pass up to the seal; `conn` in autocommit mode, transactions are of this function's own."""
    done = Done()
    _windows(conn, done, budget)
    _hours(conn, done, budget)
    _late(conn, done, budget)
    _wide(conn, done, budget)
    return done


def seal(conn: Connection, now: datetime) -> None:
    """From here on readings of minutes that have settled are late: their writer marks them.

    Waits for running writers, two seconds at most; then raises psycopg.errors.LockNotAvailable, and the seal stays.
    """
    until = _floor(now - SETTLE, MINUTE)
    with conn.transaction():
        conn.execute("SET LOCAL lock_timeout = '2s'")
        conn.execute(statement("seal_lock"))
        conn.execute(statement("seal"), {"until": until})


def _windows(conn: Connection, done: Done, budget: Budget) -> None:
    width = _FIRST_WINDOW
    while not budget.is_spent():
        state = read_levels(conn)["minute"]
        since, sealed = _moments(state)
        if since >= sealed:
            return
        until, start_s = min(sealed, since + width), time.monotonic()
        with conn.transaction():
            _make_months(conn, [since, until])
            conn.execute(statement("roll_window"), {"since": since, "until": until})
            conn.execute(statement("rolled"), {"level": "minute", "until": until})
        done.windows += 1
        took_s = time.monotonic() - start_s
        if took_s < _QUICK_S:
            width = min(2 * width, _LONGEST_WINDOW)
        elif took_s > _SLOW_S:
            width = max(width / 2, MINUTE)
    done.complete = False


def _hours(conn: Connection, done: Done, budget: Budget) -> None:
    while not budget.is_spent():
        levels = read_levels(conn)
        hour, _ = _moments(levels["hour"])
        minutes, _ = _moments(levels["minute"])
        if hour + HOUR > minutes:
            return
        if not _roll_hour(conn, hour, budget):
            break
        conn.execute(statement("rolled"), {"level": "hour", "until": hour + HOUR})
        done.hours += 1
    done.complete = False


def _roll_hour(conn: Connection, hour: datetime, budget: Budget) -> bool:
    """All series of one hour, slice by slice; false when the budget was spent first."""
    after = -1
    while not budget.is_spent():
        slice_ = [row[0] for row in conn.execute(statement("next_series"), {"after": after, "at_most": _SLICE})]
        if not slice_:
            return True
        with conn.transaction():
            _make_months(conn, [hour])
            conn.execute(statement("roll_hours"), {"series": slice_, "hours": [hour] * len(slice_)})
        after = slice_[-1]
    return False


def _late(conn: Connection, done: Done, budget: Budget) -> None:
    """Hours of single series that writers have marked; a mark is gone with the commit of what it asked for."""
    while not budget.is_spent():
        with conn.transaction():
            marks = conn.execute(statement("take_marks"), {"at_most": _MARKS}).fetchall()
            keys = {(series, hour + n * HOUR) for series, hour, hours, rolled in marks if rolled for n in range(hours)}
            for part in _parts(sorted(keys), _MARKS):
                _recompute(conn, part)
        done.late_hours += len(keys)
        if len(marks) < _MARKS:
            return
    done.complete = False


def _recompute(conn: Connection, keys: list[tuple[int, datetime]]) -> None:
    levels = read_levels(conn)
    minutes, _ = _moments(levels["minute"])
    hours, _ = _moments(levels["hour"])
    _make_months(conn, [hour for _, hour in keys])
    row = {"series": [series for series, _ in keys], "hours": [hour for _, hour in keys]}
    conn.execute(statement("roll_minutes"), {**row, "until": minutes})
    closed = [(series, hour) for series, hour in keys if hour < hours]  # a running hour is rolled up at its end
    row = {"series": [series for series, _ in closed], "hours": [hour for _, hour in closed]}
    conn.execute(statement("roll_hours"), row)


def _wide(conn: Connection, done: Done, budget: Budget) -> None:
    """Marked hours of all series: what was in the database before there were rollups.

    A slice of the series in each transaction, with the mark moved on in it.
    """
    size = _FIRST_SLICE
    while not budget.is_spent():
        start_s = time.monotonic()
        with conn.transaction():
            mark = conn.execute(statement("take_wide_mark")).fetchone()
            if mark is None:
                return
            hour, hours, done_to = mark
            done.hours += _wide_slice(conn, hour, hours, done_to, size)
        took_s = time.monotonic() - start_s
        if took_s < _QUICK_S:
            size = min(2 * size, _SLICE)
        elif took_s > _SLOW_S:
            size = max(size // 2, 1)
    done.complete = False


def _wide_slice(conn: Connection, hour: datetime, hours: int, done_to: int, size: int) -> bool:
    """Roll up the next series of one hour and put the mark of what is left; true when that was the last of the hour."""
    row = {"after": done_to, "at_most": size}
    series = [number for (number,) in conn.execute(statement("next_series"), row)]
    if series:
        _recompute(conn, [(number, hour) for number in series])
    rolled, _ = _moments(read_levels(conn)["minute"])
    if len(series) == size:
        conn.execute(statement("put_wide_mark"), {"hour": hour, "hours": hours, "done_to": series[-1]})
        return False
    if hours > 1 and hour + HOUR < rolled:
        conn.execute(statement("put_wide_mark"), {"hour": hour + HOUR, "hours": hours - 1, "done_to": -1})
    return True


def _make_months(conn: Connection, moments: Iterable[datetime]) -> None:
    months = sorted({date(moment.year, moment.month, 1) for moment in moments})
    if months:
        conn.execute(statement("make_months"), {"months": months})


def _moments(state: LevelState) -> tuple[datetime, datetime]:
    if state.rolled_until is None or state.sealed_until is None:
        raise ValueError("the server keeps the rollups itself")
    return state.rolled_until, state.sealed_until


def _floor(moment: datetime, width: timedelta) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // width.total_seconds() * width.total_seconds(), moment.tzinfo)


def _parts(items: list[T], size: int) -> Iterable[list[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
