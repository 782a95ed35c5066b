"""The ledger of a load run on disk, written by the run and read by `compare`.

FILE holds the run, its faults as ground truth and its end, one JSON object per line, as every ledger of the simulator.
Beside it: FILE.EPOCH.sent.jsonl, every event, each lane's seqs, what was given up, and the spans of time in which
stamps lie; and FILE.EPOCH.npz, count and checksum of each series.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import msgspec
import numpy as np

from watchkeep_core.errors import SettingsError
from watchkeep_core.topics import Lane
from watchkeep_firmware_sim.errors import LedgerError
from watchkeep_firmware_sim.fleet_load.options import FleetOptions
from watchkeep_firmware_sim.fleet_load.sums import Sums


class SentEvent(NamedTuple):
    """One event of the event lane; `t` in ms since 1970."""

    gateway: int
    seq: int
    equipment: str
    condition: str
    active: bool
    t: int


class SentLane(NamedTuple):
    """One lane at the end of the run; sets of seqs are int8multiranges as text."""

    gateway: int
    lane: Lane
    next_seq: int
    readings: int
    lost: str
    dead: str


class OpenMessage(NamedTuple):
    """Given up without an ack: the database may have it, which it knows itself."""

    gateway: int
    lane: Lane
    seq: int
    readings: int
    dead: bool
    payload: str


class Window(NamedTuple):
    """Stamps lie in `from_ms` … `until_ms - 1`; of these places in the layout, or of all."""

    from_ms: int
    until_ms: int
    places: list[int] | None


@dataclass
class Sent:
    """All that a run has sent."""

    options: FleetOptions
    epoch: str
    started_ms: int
    sums: Sums
    lanes: list[SentLane] = field(default_factory=list)
    events: list[SentEvent] = field(default_factory=list)
    opened: list[OpenMessage] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)


_KINDS: dict[str, tuple[str, type[Any]]] = {
    "lane": ("lanes", SentLane),
    "event": ("events", SentEvent),
    "open": ("opened", OpenMessage),
    "window": ("windows", Window),
}


def line(what: str, row: SentLane | SentEvent | OpenMessage | Window) -> dict[str, Any]:
    """As it stands in the file."""
    return {"what": what, **row._asdict()}


def beside(path: Path, epoch: str, ending: str) -> Path:
    """`ending` is sent.jsonl or npz."""
    return path.with_name(f"{path.name}.{epoch}.{ending}")


def save_sums(path: Path, epoch: str, sums: Sums) -> None:
    """Raises LedgerError when the disk refuses."""
    file = beside(path, epoch, "npz")
    try:
        with file.open("wb") as opened:
            np.savez(opened, count=sums.count, check=sums.check)
    except OSError as error:
        raise LedgerError(str(file), "", f"cannot be written: {error.strerror}") from None


def read(path: Path) -> Sent:
    """The last load run of the ledger; raises LedgerError."""
    found: Sent | None = None
    ended = False
    for number, row in _lines(path):
        if row.get("what") == "run" and row.get("mode") == "fleet":
            try:
                options = FleetOptions.of_plain(row["options"])
                found, ended = Sent(options, row["epoch"], row["started_ms"], Sums(0)), False
            except (KeyError, TypeError, SettingsError) as error:
                raise LedgerError(path.name, f"line {number}", f"{error}") from None
        ended = ended or row.get("what") == "end"
    if found is None or not ended:
        raise LedgerError(path.name, "", "holds no load run that has ended")
    _read_rows(beside(path, found.epoch, "sent.jsonl"), found)
    found.sums = _load_sums(beside(path, found.epoch, "npz"), found.options.points)
    return found


def _read_rows(path: Path, found: Sent) -> None:
    for number, row in _lines(path):
        try:
            name, kind = _KINDS[row.pop("what")]
            getattr(found, name).append(kind(**row))
        except (KeyError, TypeError) as error:
            raise LedgerError(path.name, f"line {number}", f"{error}") from None
    if not found.windows:
        raise LedgerError(path.name, "", "is cut off")


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                try:
                    row = msgspec.json.decode(text)
                except msgspec.DecodeError as error:
                    raise LedgerError(path.name, f"line {number}", str(error)) from None
                if not isinstance(row, dict):
                    raise LedgerError(path.name, f"line {number}", "is not an object")
                yield number, row
    except OSError as error:
        raise LedgerError(str(path), "", f"cannot be read: {error.strerror}") from None


def _load_sums(path: Path, points: int) -> Sums:
    sums = Sums(0)
    try:
        with path.open("rb") as file, np.load(file) as arrays:
            sums.count, sums.check = arrays["count"], arrays["check"]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise LedgerError(str(path), "", f"cannot be read: {error}") from None
    if len(sums.count) != points or len(sums.check) != points:
        raise LedgerError(path.name, "", f"is not of a run of {points} points")
    return sums
