"""Ground truth on disk: beginning and end of every fault with what it should lead to, one JSON object per line."""

from datetime import timedelta
from pathlib import Path
from typing import Any, TextIO

import msgspec

from watchkeep_core.clock import EPOCH
from watchkeep_core.errors import SettingsError
from watchkeep_firmware_sim.fleet import Fleet
from watchkeep_firmware_sim.scenario_duties import expected
from watchkeep_firmware_sim.simulation import FaultNote


def utc(t: float) -> str:
    """Seconds since 1970 UTC → RFC 3339."""
    return (EPOCH + timedelta(seconds=t)).isoformat(timespec="milliseconds")


def run_record(fleet: Fleet, start: float, speed: float) -> dict[str, Any]:
    """The first line of a run: what there is, so that false warnings can be told per point and day."""
    points: dict[str, int] = {}
    for device in fleet.device:
        points[device.community] = points.get(device.community, 0) + len(device.metrics)
    return {"what": "run", "t": utc(start), "seed": fleet.seed, "speed": speed, "points": points}


def describe(note: FaultNote) -> dict[str, Any]:
    """A note as it stands in the ledger."""
    device, fault, scenario = note.device, note.fault, note.fault.scenario
    duties = {name: expected(name, device.kind) for name in scenario.expects}
    full = max((effect.over_s for effect in scenario.effect), default=0.0)
    return {
        "what": "fault_start" if note.begins else "fault_stop",
        "t": utc(note.t),
        "fault": fault.number,
        "scenario": scenario.id,
        "community": device.community,
        "gateway": device.gateway,
        "equipment": device.equipment,
        "kind": device.kind,
        "expects_any": scenario.expects,
        "also": scenario.also,
        "severity": fault.severity,
        "cause": fault.cause,
        "full_at": utc(min(fault.begins + full, fault.ends)),
        "ends_at": utc(fault.ends),
        "recovered_at": utc(fault.ends + scenario.recovered_after_s()),
        "failed_at": None if fault.failed_at is None else utc(fault.failed_at),
        "qualified_at": None if fault.qualified_at is None else utc(fault.qualified_at),
        "class": duties[scenario.expects[0]].case_class if duties else None,
        "party": duties[scenario.expects[0]].party if duties else None,
        "duties": duties,
        "planned": fault.planned,
    }


class Ledger:
    """Appends to a file; without a path it keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        """Raises SettingsError when the file cannot be written."""
        self._file: TextIO | None = None
        if path is not None:
            try:
                self._file = path.open("a", encoding="utf-8")
            except OSError as error:
                raise SettingsError(f"ledger: cannot write {path}: {error.strerror}") from None

    def write(self, record: dict[str, Any]) -> None:
        """One line, on disk at once."""
        if self._file:
            self._file.write(msgspec.json.encode(record).decode() + "\n")
            self._file.flush()

    def close(self) -> None:
        if self._file:
            self._file.close()
