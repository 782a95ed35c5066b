"""The ledger of a simulator run, read back: what went wrong, when, and what had to come of it."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from watchkeep_firmware_sim.errors import LedgerError
from watchkeep_firmware_sim.scenario_duties import Duty, expected


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """One fault, from its `fault_start` line and what its `fault_stop` line adds. Times are UTC, event time."""

    fault: int
    scenario: str
    community: str
    equipment: str
    kind: str
    expects_any: list[str]
    also: list[str] = []
    cause: int | None = None
    begins: datetime
    ends: datetime
    recovered: datetime
    failed_at: datetime | None = None
    duties: dict[str, Duty] = {}
    run: int = 0
    """Number of the run in the file; fault numbers begin anew in each."""

    def duty(self, condition: str) -> Duty:
        """Class and party for a condition at this equipment."""
        return self.duties.get(condition) or expected(condition, self.kind)


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the simulator."""

    begins: datetime
    ends: datetime
    """End of the run; of one that still runs, the last moment that the file tells of or `now`."""
    speed: float
    points: dict[str, int]
    """Community → points."""

    def point_days(self) -> float:
        return sum(self.points.values()) * (self.ends - self.begins).total_seconds() / 86_400


_TAKEN = ("run", "fault_start", "fault_stop", "end")
"""A ledger of the load fleet has other lines beside."""


class _What(msgspec.Struct):
    what: str


class _Line(msgspec.Struct, kw_only=True):
    """A line that matters here; which fields it has depends on `what`."""

    what: str
    t: datetime
    speed: float = 1.0
    points: dict[str, int] = {}
    fault: int = 0
    scenario: str = ""
    community: str = ""
    equipment: str = ""
    kind: str = ""
    expects_any: list[str] = []
    also: list[str] = []
    cause: int | None = None
    ends_at: datetime | None = None
    recovered_at: datetime | None = None
    failed_at: datetime | None = None
    duties: dict[str, Duty] = {}


def read(path: Path, now: datetime) -> tuple[list[Run], list[Truth]]:
    """All runs of a ledger and their faults. Raises LedgerError that names the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerError(str(path), "", f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    found = (_line(path, number, raw) for number, raw in enumerate(text.splitlines(), 1) if raw.strip())
    lines = [line for line in found if line is not None]
    if not lines or lines[0].what != "run":
        raise LedgerError(path.name, "line 1", "is no beginning of a run: {'what': 'run', …}")
    runs: list[Run] = []
    faults: dict[tuple[int, int], Truth] = {}
    for line in lines:
        _take(line, runs, faults, now)
    return runs, list(faults.values())


def _line(path: Path, number: int, raw: str) -> _Line | None:
    try:
        if msgspec.json.decode(raw, type=_What).what not in _TAKEN:
            return None
        return msgspec.json.decode(raw, type=_Line)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise LedgerError(path.name, f"line {number}", str(error)) from None


def _take(line: _Line, runs: list[Run], faults: dict[tuple[int, int], Truth], now: datetime) -> None:
    if line.what == "run":
        runs.append(Run(begins=line.t, ends=max(now, line.t), speed=line.speed, points=line.points))
        return
    run = len(runs) - 1
    key = (run, line.fault)
    if line.what == "end":
        runs[run] = msgspec.structs.replace(runs[run], ends=line.t)
    elif line.what == "fault_start":
        faults[key] = _truth(line, run, now)
    elif line.what == "fault_stop" and key in faults:
        changes: dict[str, Any] = {"ends": line.t, "recovered": line.recovered_at or line.t}
        faults[key] = msgspec.structs.replace(faults[key], failed_at=line.failed_at, **changes)


def _truth(line: _Line, run: int, now: datetime) -> Truth:
    names = ("fault", "scenario", "community", "equipment", "kind", "expects_any", "also", "cause", "duties")
    ends = line.ends_at or max(now, line.t)
    return Truth(
        **{name: getattr(line, name) for name in names},
        begins=line.t,
        ends=ends,
        recovered=line.recovered_at or ends,
        run=run,
    )
