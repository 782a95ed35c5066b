"""Signals → rows of `signals` and `warnings`, in the caller's transaction."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from watchkeep_analytics import texts
from watchkeep_analytics.signals import Signal
from watchkeep_core import vocabulary
from watchkeep_core.clock import from_us, to_us
from watchkeep_core.database import queries


class Named(NamedTuple):
    """What a warning needs to know of its equipment."""

    name: str
    name_en: str
    replay: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What one call has done."""

    signals: int = 0
    opened: tuple[Signal, ...] = ()
    repeated: int = 0
    cleared: int = 0
    over: int = 0
    """Openings whose end was already known: kept as signals, no warning."""


def write(
    conn: Connection,
    signals: Sequence[Signal],
    named: Callable[[str, str], Named],
    now: datetime,
    over_after_s: float = 300.0,
) -> Written:
    """Store signals; open, repeat and clear warnings. Idempotent: a signal that is already there changes nothing.

    A beginning with its end in the same call opens nothing when the end is older than `over_after_s` (late data),
    unless it is life safety or recorded data. Signals are ordered by key, so that two writers cannot deadlock.
    """
    over = _over(signals, named, to_us(now) - round(over_after_s * 1e6))
    counts = {"signals": 0, "repeated": 0, "cleared": 0, "over": 0}
    opened: list[Signal] = []
    with conn.cursor(row_factory=tuple_row) as cursor:
        for signal in sorted(signals, key=lambda item: (item.key, item.event_us, not item.active)):
            row = _row(signal, now)
            inserted = cursor.execute(_SQL["insert_signal"], row).fetchone()
            if inserted is None:
                continue
            counts["signals"] += 1
            row["signal_id"] = inserted[0]
            if not signal.active:
                counts["cleared"] += _clear(cursor, row)
            elif signal.tier != "notice":
                if id(signal) in over or _one(cursor.execute(_SQL["is_over"], row)):
                    counts["over"] += 1
                elif _open(cursor, signal, row, named(signal.community, signal.equipment)):
                    opened.append(signal)
                else:
                    counts["repeated"] += 1
    return Written(opened=tuple(opened), **counts)


_SQL = queries("watchkeep_analytics", "warnings.sql")


def _over(signals: Iterable[Signal], named: Callable[[str, str], Named], before_us: int) -> set[int]:
    """Identities of openings that ended, within these signals, before `before_us`."""
    words = vocabulary.load().conditions
    standing: dict[tuple[object, ...], Signal] = {}
    over: set[int] = set()
    for signal in sorted(signals, key=lambda item: item.event_us):
        key = (*signal.key, signal.detector, signal.series, signal.source)
        if signal.active:
            standing[key] = signal
        elif (begun := standing.pop(key, None)) is not None and signal.event_us < before_us:
            condition = words.get(signal.condition)
            life = condition is not None and condition.life_safety
            if not life and not named(signal.community, signal.equipment).replay:
                over.add(id(begun))
    return over


def _row(signal: Signal, now: datetime) -> dict[str, Any]:
    return {
        "community": signal.community,
        "equipment": signal.equipment,
        "series": signal.series,
        "condition": signal.condition,
        "tier": signal.tier,
        "active": signal.active,
        "detector": signal.detector,
        "version": signal.version,
        "event_at": from_us(signal.event_us),
        "detected_at": now,
        "score": signal.score,
        "source": signal.source,
        "evidence": Jsonb(_finite({**signal.evidence, "source": signal.source})),
    }


def _finite(value: Any) -> Any:
    """jsonb knows no NaN and no infinity: null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _open(cursor: Any, signal: Signal, row: dict[str, Any], about: Named) -> bool:
    """True when a new warning was opened, false when one is open already and was repeated."""
    words = vocabulary.load().conditions
    condition = words.get(signal.condition)
    evidence = {**signal.evidence, "source": signal.source}
    if signal.series is not None:
        around = cursor.execute(_SQL["readings_around"], row).fetchall()
        evidence["readings"] = [list(reading) for reading in reversed(around)]
    life_safety = condition is not None and condition.life_safety
    values = row | {
        "class": "A" if life_safety else condition.default_class if condition is not None else "B",
        "life_safety": life_safety,
        "replay": about.replay,
        "evidence": Jsonb(_finite(evidence)),
        "zh": texts.sentence(signal, "zh", about.name),
        "en": texts.sentence(signal, "en", about.name_en or about.name),
    }
    warning_id, fresh = cursor.execute(_SQL["open_warning"], values).fetchone()
    cursor.execute(_SQL["link_signal"], row | {"warning_id": warning_id})
    return bool(fresh)


def _clear(cursor: Any, row: dict[str, Any]) -> int:
    found = cursor.execute(_SQL["find_open"], row).fetchone()
    if found is None:
        return 0
    row["warning_id"] = found[0]
    cursor.execute(_SQL["link_signal"], row)
    return 1 if cursor.execute(_SQL["clear_warning"], row).fetchone() else 0


def _one(cursor: Any) -> Any:
    return cursor.fetchone()[0]
