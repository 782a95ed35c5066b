"""The JSON of elevator collectors in the words of GB/T 24476: status items and fault records, by the profile's tables.

{"fault_timestamp": "2026-11-22 08:00:00", "car_status": 1, "car_position": "B1", "door_zone": 1,
 "fault_type": "04", "deal_status": "01"}
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from math import isfinite

from watchkeep_core.messages import AttributeValue
from watchkeep_core.vocabulary_rows import FaultRecord, Metric, Profile

CHINA = timezone(timedelta(hours=8))
"""Records carry local time without a zone, and all of China has one."""

_SECONDS_BELOW = 100_000_000_000
"""A number below it is seconds (until the year 5138), else milliseconds."""

_FLOOR = re.compile(r"(?P<below>-|B-?)?(?P<number>\d{1,3})(F|层|楼)?\Z", re.IGNORECASE | re.ASCII)
_NOT_OURS = frozenset({"values", "readings", "event"})
"""Fields of our own format: a message that has one is read as such."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one message says."""

    t_ms: int | None
    """Its own time, ms since 1970 UTC."""
    values: Mapping[str, float]
    """By metric."""
    code: str | None = None
    active: bool = True
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    """How the car stood when the fault came, as told."""
    unread: tuple[str, ...] = ()
    """Why a field could not be read; the others are."""


def is_record(document: object, profile: Profile) -> bool:
    """Whether it speaks these words and not our own."""
    if not isinstance(document, dict) or document.keys() & _NOT_OURS:
        return False
    codes = {profile.fault.code} if profile.fault else set()
    return bool(document.keys() & (profile.fields.keys() | codes))


def read_record(document: Mapping[str, object], profile: Profile, metrics: Mapping[str, Metric]) -> Record:
    """`metrics`: of the vocabulary."""
    values: dict[str, float] = {}
    unread: list[str] = []
    for name, metric in profile.fields.items():
        raw = document.get(name)
        if raw is None or raw == "":
            continue
        value = floor_of(raw) if metric == "car_floor" else _number(raw)
        if value is None or (metrics[metric].states and value not in metrics[metric].states):
            unread.append(f"bad_value: {name}: {str(raw)[:40]!r} is no {metrics[metric].en.lower()}")
        else:
            values[metric] = value
    time, problem = _time(document, profile.fault)
    if problem:
        unread.append(problem)
    code, active = _fault(document, profile.fault)
    attributes = dict(_attributes(document, profile)) if code else {}
    return Record(time, values, code, active, attributes, tuple(unread))


def floor_of(raw: object) -> float | None:
    """A floor label as a number: "B1" and "-1" are -1, "12", "12F" and "12层" are 12; None = a name like "M"."""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return _number(raw)
    found = _FLOOR.match(raw.strip()) if isinstance(raw, str) else None
    if found is None:
        return None
    return float(found["number"]) * (-1 if found["below"] else 1)


def _number(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        value = float(raw)
    except (ValueError, OverflowError):
        return None
    return value if isfinite(value) else None


def _time(document: Mapping[str, object], fault: FaultRecord | None) -> tuple[int | None, str]:
    """Ms since 1970 UTC, and what is wrong with it."""
    for name in fault.times if fault else ():
        raw = document.get(name)
        if raw is None or raw == "":
            continue
        number = _number(raw)
        if number is not None and number >= 0:
            ms = number * 1000 if number < _SECONDS_BELOW else number
            return (int(ms), "") if ms <= 253_402_300_799_999 else (None, f"bad_time: {name}: {str(raw)[:40]!r}")
        try:
            moment = datetime.fromisoformat(str(raw).strip().replace("/", "-"))
            aware = moment if moment.tzinfo else moment.replace(tzinfo=CHINA)
            return max(0, int(aware.timestamp() * 1000)), ""
        except (ValueError, OverflowError):
            return None, f"bad_time: {name}: {str(raw)[:40]!r} is no time"
    return None, ""


def _fault(document: Mapping[str, object], fault: FaultRecord | None) -> tuple[str | None, bool]:
    raw = document.get(fault.code) if fault else None
    if fault is None or isinstance(raw, bool) or not isinstance(raw, int | str) or raw == "":
        return None, True
    state = document.get(fault.state)
    told = str(state).zfill(2) if isinstance(state, int) and not isinstance(state, bool) else state
    return str(raw)[:64], told not in fault.over


def _attributes(document: Mapping[str, object], profile: Profile) -> Iterator[tuple[str, AttributeValue]]:
    for name in profile.fields:
        raw = document.get(name)
        if isinstance(raw, bool | int | float):
            yield name, float(raw) if _number(raw) is not None else str(raw)
        elif isinstance(raw, str) and raw:
            yield name, raw[:64]
