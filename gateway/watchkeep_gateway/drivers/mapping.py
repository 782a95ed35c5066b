"""From a foreign value to a reading or an event: rows of the technician's tables, and what they mean; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite

from msgspec import field

from watchkeep_core import vocabulary
from watchkeep_core.errors import MessageError
from watchkeep_core.messages import AttributeValue
from watchkeep_core.vocabulary_rows import ANY
from watchkeep_gateway.tables import Path, Problem, Table, metric_problem, nearest
from watchkeep_gateway.units import SAME, conversion, convertible
from watchkeep_gateway.values import DeviceEvent

Value = float | int | bool | str | None

_TRUE = frozenset({"true", "on", "yes", "1", "active"})
_FALSE = frozenset({"false", "off", "no", "0", "inactive", ""})

SILENT = "sensor_silent"
"""Condition of equipment whose publisher says that it is gone."""


class MappingRow(Table, frozen=True, kw_only=True):
    """What one foreign value means: a metric, a condition, or both. A number is (raw × scale) + offset."""

    metric: str = ""
    unit: str = ""
    """Unit of the number after scale and offset, when it is not the metric's: it is converted."""
    scale: float = 1.0
    offset: float = 0.0
    map: dict[str, float | str] = field(default_factory=dict)
    """Text, or a number as text, → number or state of the metric; "*" = any other. What is not listed is refused."""
    condition: str = ""
    active: tuple[str, ...] = ()
    """Values, as text, that raise the condition; absent = true, on, yes, 1."""
    cleared: tuple[str, ...] = ()
    """Values that clear it; absent = all others."""

    def fits(self, kind: str | None) -> bool:
        """Whether equipment of a kind (None = not declared) can have this metric and condition."""
        words = vocabulary.load()
        if kind is None:
            return True
        kinds = [words.metrics[self.metric].kinds] if self.metric else []
        kinds += [words.conditions[self.condition].kinds] if self.condition else []
        return all(kind in allowed or ANY in allowed for allowed in kinds)


def row_problems(path: Path, row: MappingRow) -> Iterator[Problem]:
    """What a well-formed row can still have wrong."""
    words = vocabulary.load()
    if not row.metric and not row.condition:
        yield Problem((*path, "metric"), "metric or condition is needed")
    if row.metric:
        if problem := metric_problem(row.metric, None):
            yield Problem((*path, "metric"), problem)
        elif row.unit and conversion(row.unit, unit := words.metrics[row.metric].unit) is None:
            yield Problem((*path, "unit"), f"{row.unit!r} is none of {', '.join(convertible(unit))}")
        else:
            yield from _map_problems(path, row)
    if row.condition and row.condition not in words.conditions:
        hint = nearest(row.condition, words.conditions)
        yield Problem((*path, "condition"), f"{row.condition!r} is no condition of the vocabulary{hint}")
    if row.scale == 0:
        yield Problem((*path, "scale"), "must not be 0")
    if both := set(row.active) & set(row.cleared):
        yield Problem((*path, "cleared"), f"{min(both)!r} is in active, too")


def _map_problems(path: Path, row: MappingRow) -> Iterator[Problem]:
    states = _states(row.metric)
    for text, mapped in row.map.items():
        if isinstance(mapped, str) and mapped not in states:
            hint = nearest(mapped, states) if states else f"; {row.metric} has no states"
            yield Problem((*path, "map", text), f"{mapped!r} is no state of {row.metric}{hint}")
    if row.map and (row.unit or row.scale != 1 or row.offset):
        yield Problem((*path, "map"), "with map there is neither scale, offset nor unit")


def _states(metric: str) -> Mapping[str, int]:
    """State id → code."""
    return {state.id: code for code, state in vocabulary.load().metrics[metric].states.items()}


def as_text(value: Value) -> str:
    """`true`, `12`, `12.5`, or the text itself; how rows write values."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)


def number_of(value: Value, row: MappingRow) -> float:
    """In the metric's unit. Raises MessageError `bad_value`."""
    if row.map:
        mapped = row.map.get(as_text(value), row.map.get("*"))
        if mapped is None:
            raise MessageError("bad_value", f"{as_text(value)[:80]!r} is not in the map of {row.metric}")
        return float(_states(row.metric)[mapped] if isinstance(mapped, str) else mapped)
    try:
        number = float(value)  # type: ignore[arg-type]  # None is refused here as well
    except (TypeError, ValueError):
        raise MessageError("bad_value", f"{row.metric}: {as_text(value)[:80]!r} is no number") from None
    number = number * row.scale + row.offset
    if row.unit:
        factor, offset = conversion(row.unit, vocabulary.load().metrics[row.metric].unit) or SAME
        number = number * factor + offset
    if not isfinite(number):
        raise MessageError("bad_value", f"{row.metric}: {number} is not finite")
    return number


def is_active(value: Value, row: MappingRow) -> bool | None:
    """Whether the condition holds; None = the value says nothing of it."""
    text = as_text(value)
    if row.active:
        if text in row.active:
            return True
        return False if not row.cleared or text in row.cleared else None
    if text.lower() in _TRUE:
        return True
    if text in row.cleared or (not row.cleared and text.lower() in _FALSE):
        return False
    if not row.cleared and not isinstance(value, str):
        return bool(value)
    return None


@dataclass(frozen=True, slots=True)
class Told:
    """That a condition began or ended, with what said so."""

    t_ms: int
    equipment: str
    condition: str
    active: bool
    raw: str
    source: str


class Edges:
    """Which conditions foreign publishers have raised: an event only when that changes.

    Seeded with what the spool remembers, so that a restart neither repeats an event nor misses an end.
    """

    def __init__(self, raised: frozenset[tuple[str, str]] = frozenset()) -> None:
        self._raised = set(raised)

    def events(self, told: Told) -> tuple[DeviceEvent, ...]:
        """None or one."""
        key = (told.equipment, told.condition)
        if told.active == (key in self._raised):
            return ()
        (self._raised.add if told.active else self._raised.discard)(key)
        attributes: Mapping[str, AttributeValue] = {"source": told.source[:256]}
        raw = told.raw[:64] or "-"  # the spool remembers conditions that a raw code raised
        return (DeviceEvent(told.t_ms, told.equipment, told.condition, told.active, raw, "", attributes),)
