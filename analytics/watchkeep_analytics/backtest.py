"""Stored readings through the engine again, with the rules in force and with a draft: warnings per day by condition.

Device events have no rules and are left out. Each engine learns from the days before the span first.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from psycopg import Connection

from watchkeep_analytics import register, truth
from watchkeep_analytics.models import store
from watchkeep_analytics.progress import READ_ROWS, Rows
from watchkeep_analytics.rulebook import Rulebook
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.suppression import Modes
from watchkeep_analytics.truth import Fault, Opened
from watchkeep_core.clock import from_us, to_us
from watchkeep_core.database import queries

_SQL = queries("watchkeep_analytics", "rules.sql")


class Span(NamedTuple):
    """What is counted, and from when it is learnt; aware, UTC."""

    since: datetime
    until: datetime
    warm_up: timedelta

    @property
    def days(self) -> float:
        return (self.until - self.since) / timedelta(days=1)


class Player:
    """One engine with one book; counts what would have been warnings: one per equipment and condition at a time."""

    def __init__(self, book: Rulebook, since_us: int) -> None:
        self.opened: Counter[str] = Counter()
        self.found: list[Opened] = []
        self.rows = 0
        self.modes = Modes()
        self._book, self._since_us = book, since_us
        from watchkeep_analytics.engine import Engine  # numba: a second that other verbs need not wait

        self._engine = Engine(self.modes)
        self._standing: dict[tuple[str, str, str], set[tuple[Any, ...]]] = {}

    def prepare(self, conn: Connection, communities: Sequence[str]) -> None:
        self.modes.plan(register.windows(conn))
        points, limits = register.points(conn, communities), register.limits(conn, communities)
        self._engine.update(points, limits, self._book)
        self._engine.learn(store.active(conn, communities, {}))

    def play(self, rows: Rows) -> None:
        """A block in order of time; the clock then stands at its last row."""
        self.rows += len(rows.series)
        self._count(self._engine.observe(*rows))
        self._count(self._engine.tick(int(rows.t_us[-1]), {}))

    def _count(self, signals: Sequence[Signal]) -> None:
        for signal in signals:
            standing = self._standing.setdefault(signal.key, set())
            source = (signal.detector, signal.series, signal.source)
            if not signal.active:
                standing.discard(source)
            elif signal.tier != "notice":
                if not standing and signal.event_us >= self._since_us:
                    self.opened[signal.condition] += 1
                    self.found.append(Opened(*signal.key, signal.event_us))
                standing.add(source)


def run(
    conn: Connection,
    communities: Sequence[str],
    span: Span,
    books: Sequence[Rulebook],
    progress: Callable[[float], object],
) -> list[Player]:
    """One player per book, all over the same rows; `progress` is told the share of the time that is done."""
    players = [Player(book, to_us(span.since)) for book in books]
    for player in players:
        player.prepare(conn, communities)
    begin = span.since - span.warm_up
    for rows in _readings(conn, communities, begin, span.until):
        for player in players:
            player.play(rows)
        progress((from_us(int(rows.t_us[-1])) - begin) / (span.until - begin))
    return players


def summary(span: Span, players: Sequence[Player], faults: Sequence[Fault] | None = None) -> dict[str, Any]:
    """Warnings and warnings a day by condition; `after` only where there is a draft, `truth` only with known faults."""
    names = ("before", "after")[: len(players)]
    conditions = sorted({condition for player in players for condition in player.opened})
    return {
        "since": span.since,
        "until": span.until,
        "days": round(span.days, 3),
        "rows": players[0].rows,
        "conditions": {
            condition: {
                name: {"warnings": p.opened[condition], "per_day": round(p.opened[condition] / span.days, 3)}
                for name, p in zip(names, players, strict=True)
            }
            for condition in conditions
        },
        "total": {name: player.opened.total() for name, player in zip(names, players, strict=True)},
        **({} if faults is None else {"truth": _truth(span, names, players, faults)}),
    }


def _truth(span: Span, names: Sequence[str], players: Sequence[Player], faults: Sequence[Fault]) -> dict[str, Any]:
    return {
        name: truth.score(faults, player.found, span.since, span.until)
        for name, player in zip(names, players, strict=True)
    }


def _readings(conn: Connection, communities: Sequence[str], since: datetime, until: datetime) -> Iterator[Rows]:
    values = {"communities": list(communities), "since": since, "until": until}
    with conn.transaction(), conn.cursor(name="backtest", binary=True) as cursor:
        cursor.itersize = READ_ROWS
        cursor.execute(_SQL["readings"], values)
        while block := cursor.fetchmany(READ_ROWS):
            series, t_us, value, quality = zip(*block, strict=True)
            yield Rows(np.array(series), np.array(t_us), np.array(value, np.float64), np.array(quality))
