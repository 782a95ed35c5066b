"""Stored readings → frames: means on a grid, with the times that teach nothing marked."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from psycopg import Connection

from watchkeep_analytics.batch import Bools, Floats
from watchkeep_analytics.models.fitted import STEP_S, Frame
from watchkeep_core import vocabulary
from watchkeep_core.database import queries

AROUND_S = 3600.0
"""Before and after work and warnings nothing is learnt either: a fault begins before it is seen."""

_STEP = np.dtype([("bucket", ">i8"), ("mean", ">f8")])
"""A step of one series as the query `frame` sends it."""

_SQL = queries("watchkeep_analytics.models", "models.sql")


class Span(NamedTuple):
    """What is learnt from; aware, UTC."""

    since: datetime
    until: datetime


class Item(NamedTuple):
    """One piece of equipment."""

    community: str
    equipment: str
    series: list[int]
    metrics: list[str]
    warns: bool
    """Its present model warns now."""


def items(conn: Connection, communities: Sequence[str], equipment: str | None) -> list[Item]:
    """Those that could have a model."""
    named = {"communities": list(communities), "equipment": equipment}
    return [Item(*row) for row in conn.execute(_SQL["items"], named)]


def read(conn: Connection, item: Item, span: Span) -> Frame:
    """Means per step of one piece of equipment, in a transaction of its own; memory: 8 bytes per step and channel."""
    begin = int(span.since.timestamp() // STEP_S)
    steps = int(span.until.timestamp() // STEP_S) - begin
    values: Floats = np.full((steps, len(item.series)), np.nan)
    named = {"series": item.series, "since": span.since, "until": span.until, "step_s": STEP_S}
    with conn.transaction():
        cursor = conn.cursor(binary=True).execute(_SQL["frame"], named)
        for series, sent in cursor:
            got = np.frombuffer(sent, _STEP)
            rows = got["bucket"] - begin
            inside = (rows >= 0) & (rows < steps)
            values[rows[inside], item.series.index(series)] = got["mean"][inside]
        about = {"community": item.community, "equipment": item.equipment, "since": span.since, "until": span.until}
        t = np.asarray((begin + np.arange(steps)) * STEP_S, np.float64)
        spans = conn.execute(_SQL["unusable"], about | {"modes": _modes()}).fetchall()
    usable = clear_of(t, [*spans, *worked(item.metrics, t, values)])
    return Frame(item.community, item.equipment, tuple(item.metrics), values, usable)


def clear_of(t: Floats, spans: Iterable[tuple[float, float]]) -> Bools:
    """Which of the times `t` are no nearer than AROUND_S to any of these spans, all in s."""
    usable = np.ones(len(t), np.bool_)
    for since_s, until_s in spans:
        usable &= (t < since_s - AROUND_S) | (t > until_s + AROUND_S)
    return usable


def worked(metrics: Sequence[str], t: Floats, values: Floats) -> Iterator[tuple[float, float]]:
    """Spans of `t` [n] in which the means `values` [n, metrics] show a mode for service or tests, as service_mode does.

    A mean between two codes is a step in which the mode changed; a hole keeps the last one.
    """
    for column, metric in enumerate(metrics):
        word = vocabulary.load().metrics.get(metric)
        if word is None or not any(state.suppresses for state in word.states.values()):
            continue
        known = np.flatnonzero(np.isfinite(values[:, column]))
        usual = [code for code, state in word.states.items() if not state.suppresses]
        odd = np.r_[False, ~np.isin(values[known, column], usual), False]
        begins, ends = np.flatnonzero(odd[1:] & ~odd[:-1]), np.flatnonzero(~odd[1:] & odd[:-1])
        at = t[known]
        yield from zip(at[begins].tolist(), at[np.minimum(ends, len(known) - 1)].tolist(), strict=True)


def _modes() -> list[str]:
    """Conditions of events that say so."""
    return [condition.id for condition in vocabulary.load().conditions.values() if condition.suppresses]
