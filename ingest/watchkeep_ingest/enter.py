"""Enters births in the register: those that do not depend on each other by the same few statements."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.database import queries
from watchkeep_core.estate import Claim, register_unclaimed
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_ingest.births import Born, Plan, Point, plan, rounds
from watchkeep_ingest.incoming import Problem
from watchkeep_ingest.register import FOREIGN, AliasTable, Register, foreign

_Points = defaultdict[int, dict[tuple[str, str], Point]]
"""Place of the birth → (equipment, metric) → what is registered."""


def enter(
    conn: Connection, register: Register, born: Sequence[Born], cap: int, words: Vocabulary
) -> list[Problem | None]:
    """Enter the births' aliases; the problem of each, if any, is for the dead letter.

    `cap` = unclaimed points per gateway.
    """
    return [problem for some in rounds(born) for problem in _enter(conn, register, some, cap, words)]


def _enter(
    conn: Connection, register: Register, born: Sequence[Born], cap: int, words: Vocabulary
) -> list[Problem | None]:
    known = register.reload(conn, [(birth.source, birth.epoch) for birth in born])
    tables = [known[birth.source, birth.epoch] for birth in born]
    points, unclaimed, strangers = _points(conn, born), _unclaimed(conn, born), _strangers(conn, born)
    plans = [
        plan(birth.declared, tables[n], points[n], cap - unclaimed.get(n, 0), words, strangers[n])
        for n, birth in enumerate(born)
    ]
    entered = register_unclaimed(
        conn, [claim for n, birth in enumerate(born) for claim in _claims(birth, plans[n], points[n])]
    )
    aliases: list[tuple[str, str, str, int, int]] = []
    for birth, made, table in zip(born, plans, tables, strict=True):
        if made.problem is not None and not (made.known or made.register or made.refused):
            continue
        source, old = birth.source, table.pairs()
        pairs = made.known | {d.alias: entered[source.community, d.equipment, d.metric] for d in made.register}
        aliases += [
            (source.community, source.gateway, birth.epoch, alias, series)
            for alias, series in pairs.items()
            if alias not in old
        ]
        meant = {alias: series for alias, series in old.items() if made.refused.get(alias) != FOREIGN}
        register.learn((source, birth.epoch), AliasTable.of({**meant, **pairs}, made.refused))
    if aliases:
        conn.execute(_sql("insert_aliases"), _columns(("community", "gateway", "epoch", "alias", "series"), aliases))
    return [made.problem for made in plans]


def _claims(birth: Born, made: Plan, points: dict[tuple[str, str], Point]) -> list[Claim]:
    """New points, and known ones that no gateway has reported so far."""
    homeless = [
        each
        for each in birth.declared
        if each.alias in made.known and points[each.equipment, each.metric].gateway is None
    ]
    return [
        Claim(birth.source.community, birth.source.gateway, each.equipment, each.metric, each.unit, each.period_s)
        for each in (*made.register, *homeless)
    ]


def _points(conn: Connection, born: Sequence[Born]) -> _Points:
    wanted = [
        (n, birth.source.community, each.equipment, each.metric)
        for n, birth in enumerate(born)
        for each in birth.declared
    ]
    found: _Points = defaultdict(dict)
    row = _columns(("n", "community", "equipment", "metric"), wanted)
    for n, equipment, metric, series, unit, gateway in conn.execute(_sql("find_points"), row):
        found[n][equipment, metric] = Point(series, unit, gateway)
    return found


def _unclaimed(conn: Connection, born: Sequence[Born]) -> dict[int, int]:
    """Place of the birth → unclaimed points that its gateway has registered; 0 where it is missing."""
    row = _columns(
        ("n", "community", "gateway"),
        [(n, birth.source.community, birth.source.gateway) for n, birth in enumerate(born)],
    )
    return dict(conn.execute(_sql("count_unclaimed"), row).fetchall())


def _strangers(conn: Connection, born: Sequence[Born]) -> defaultdict[int, set[str]]:
    """Place of the birth → equipment it names that is another gateway's."""
    named = [
        (n, equipment) for n, birth in enumerate(born) for equipment in {each.equipment for each in birth.declared}
    ]
    found: defaultdict[int, set[str]] = defaultdict(set)
    for place in foreign(conn, [(born[n].source, equipment) for n, equipment in named]):
        n, equipment = named[place]
        found[n].add(equipment)
    return found


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
