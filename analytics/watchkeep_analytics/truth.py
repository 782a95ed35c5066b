"""What a backtest found of faults that are known: the simulator's ledger, or a list of real ones in the same form.

One JSON object per line; those with `"what": "fault_start"` count: t, community, equipment, scenario,
expects_any, also, recovered_at. Others (a run's first line, ends of faults) are passed over.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec

from watchkeep_core.clock import to_us
from watchkeep_core.errors import PermanentError

BEFORE_US = 900_000_000
"""A warning carries the time of the last good reading, which may lie so far before the fault."""

AFTER_US = 6 * 3_600_000_000
"""A warning so long after the recovery still belongs to the fault."""


class TruthError(PermanentError):
    """The file cannot be read; the text names file, line and field."""


class Fault(msgspec.Struct, frozen=True):
    """One known fault."""

    t: datetime
    community: str
    equipment: str
    recovered_at: datetime
    expects_any: list[str]
    scenario: str = ""
    also: list[str] = []


class Opened(NamedTuple):
    """One warning of a backtest."""

    community: str
    equipment: str
    condition: str
    event_us: int


class _Line(msgspec.Struct):
    what: str


def read(file: Path) -> list[Fault]:
    """All faults of the file. Raises TruthError."""
    found = []
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    if msgspec.json.decode(line, type=_Line).what == "fault_start":
                        found.append(msgspec.json.decode(line, type=Fault))
                except msgspec.MsgspecError as error:
                    raise TruthError(f"{file}, line {number}: {error}") from None
    except OSError as error:
        raise TruthError(f"{file}: {error.strerror or error}") from None
    naive = next((fault for fault in found if fault.t.tzinfo is None or fault.recovered_at.tzinfo is None), None)
    if naive is not None:
        raise TruthError(f"{file}: t, recovered_at: {naive.t} has no time zone")
    return found


def score(faults: Sequence[Fault], opened: Sequence[Opened], since: datetime, until: datetime) -> dict[str, Any]:
    """Recall over faults that begin in the span and expect something, precision over its warnings, delays in s."""
    mine = [fault for fault in faults if since <= fault.t < until and fault.expects_any]
    delays: dict[str, list[float | None]] = {}
    for fault in mine:
        hits = [w.event_us for w in opened if w.condition in fault.expects_any and _during(fault, w)]
        delay = max(min(hits) - to_us(fault.t), 0) / 1e6 if hits else None
        delays.setdefault(fault.scenario, []).append(delay)
    belongs = [any(_belongs(fault, warning) for fault in faults) for warning in opened]
    every = [delay for each in delays.values() for delay in each]
    return _figures(every) | {
        "warnings": len(opened),
        "precision": round(sum(belongs) / len(opened), 4) if opened else None,
        "scenarios": {name: _figures(each) for name, each in sorted(delays.items())},
    }


def _figures(delays: Sequence[float | None]) -> dict[str, Any]:
    known = [delay for delay in delays if delay is not None]
    return {
        "faults": len(delays),
        "found": len(known),
        "recall": round(len(known) / len(delays), 4) if delays else None,
        "median_delay_s": round(median(known), 1) if known else None,
    }


def _during(fault: Fault, warning: Opened) -> bool:
    same = (fault.community, fault.equipment) == (warning.community, warning.equipment)
    return same and to_us(fault.t) - BEFORE_US <= warning.event_us <= to_us(fault.recovered_at) + AFTER_US


def _belongs(fault: Fault, warning: Opened) -> bool:
    return _during(fault, warning) and ("*" in fault.also or warning.condition in (*fault.expects_any, *fault.also))
