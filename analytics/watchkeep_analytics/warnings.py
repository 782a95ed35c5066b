"""Signals → rows of `signals` and `warnings`, in the caller's transaction."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
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
    failed: tuple[tuple[Signal, Exception], ...] = ()
    """Signals without a proper sentence; with `apart`, also those that could not be written at all."""


def write(
    conn: Connection,
    signals: Sequence[Signal],
    named: Callable[[str, str], Named],
    now: datetime,
    over_after_s: float = 300.0,
    *,
    apart: bool = False,
) -> Written:
    """Store signals; open, repeat and clear warnings. Idempotent: a signal that is already there changes nothing.

    `apart`: each in a savepoint of its own, so that one that cannot be written does not keep back the others.

    A beginning with its end in the same call opens nothing when the end is older than `over_after_s` (late data),
    unless it is life safety or recorded data. Signals are ordered by key, so that two writers cannot deadlock.
    """
    over = _over(signals, named, to_us(now) - round(over_after_s * 1e6))
    writer = _Writer(now, named, over)
    with conn.cursor(row_factory=tuple_row) as cursor:
        for signal in sorted(signals, key=lambda item: (item.key, item.event_us, not item.active)):
            if not apart:
                writer.put(cursor, signal)
                continue
            try:
                with conn.transaction():
                    writer.put(cursor, signal)
            except psycopg.OperationalError:
                raise
            except Exception as error:  # whatever is wrong with it: it is told, and the next one is written
                writer.failed.append((signal, error))
    return Written(opened=tuple(writer.opened), failed=tuple(writer.failed), **writer.counts)


_SQL = queries("watchkeep_analytics", "warnings.sql")


class _Writer:
    """Puts one signal after another, and counts."""

    def __init__(self, now: datetime, named: Callable[[str, str], Named], over: set[int]) -> None:
        self.counts = {"signals": 0, "repeated": 0, "cleared": 0, "over": 0}
        self.opened: list[Signal] = []
        self.failed: list[tuple[Signal, Exception]] = []
        self._now, self._named, self._over = now, named, over

    def put(self, cursor: Any, signal: Signal) -> None:
        row = _row(signal, self._now)
        inserted = cursor.execute(_SQL["insert_signal"], row).fetchone()
        if inserted is None:
            return
        row["signal_id"] = inserted[0]
        self.counts["signals"] += 1
        if not signal.active:
            self.counts["cleared"] += _clear(cursor, row)
        elif signal.tier != "notice":
            if id(signal) in self._over or _one(cursor.execute(_SQL["is_over"], row)):
                self.counts["over"] += 1
            elif self._open(cursor, signal, row):
                self.opened.append(signal)
            else:
                self.counts["repeated"] += 1

    def _open(self, cursor: Any, signal: Signal, row: dict[str, Any]) -> bool:
        """True when a new warning was opened, false when one is open already and was repeated."""
        about = self._named(signal.community, signal.equipment)
        condition = vocabulary.load().conditions.get(signal.condition)
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
            "zh": self._sentence(signal, "zh", about.name),
            "en": self._sentence(signal, "en", about.name_en or about.name),
        }
        warning_id, fresh = cursor.execute(_SQL["open_warning"], values).fetchone()
        cursor.execute(_SQL["link_signal"], row | {"warning_id": warning_id})
        return bool(fresh)

    def _sentence(self, signal: Signal, language: texts.Language, name: str) -> str:
        try:
            return texts.sentence(signal, language, name)
        except Exception as error:  # the evidence is the detector's: whatever is wrong with it, the warning must come
            self.failed.append((signal, error))
            return texts.plain(signal, language, name)


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


def _clear(cursor: Any, row: dict[str, Any]) -> int:
    found = cursor.execute(_SQL["find_open"], row).fetchone()
    if found is None:
        return 0
    row["warning_id"] = found[0]
    cursor.execute(_SQL["link_signal"], row)
    return 1 if cursor.execute(_SQL["clear_warning"], row).fetchone() else 0


def _one(cursor: Any) -> Any:
    return cursor.fetchone()[0]
