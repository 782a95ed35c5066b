"""Whole fleets for days at once: readings of n devices of one kind on a grid of time, with faults and ground truth.

The same models and the same faults as the running simulator, without broker and clock; for benchmarks and training.
Messages do not exist here, so that scenarios about messages (wrong clocks, duplicates, floods, events) are refused.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from watchkeep_core.vocabulary import Vocabulary, load
from watchkeep_core.vocabulary_rows import ANY
from watchkeep_firmware_sim.errors import ScenarioError
from watchkeep_firmware_sim.faults import Fault
from watchkeep_firmware_sim.fleet import Device
from watchkeep_firmware_sim.ledger import describe
from watchkeep_firmware_sim.models import Devices, Group, Place
from watchkeep_firmware_sim.scenario import Scenario, find, require_fit, scenarios
from watchkeep_firmware_sim.signals import Floats
from watchkeep_firmware_sim.simulation import FaultNote

PER_BUILDING, PER_COMMUNITY = 4, 40
"""Devices that share a building, and a community with its weather and demand."""

BLOCK_STEPS = 288
"""Steps made at once: a day at 5 min. 1,000 devices × 10 metrics × 288 steps of float32 are 12 MB."""

_YEAR_S = 365.25 * 86_400


class Wish(NamedTuple):
    """One fault to let happen."""

    device: int
    """0 … n - 1."""
    scenario: str
    at_s: float
    """After the start."""
    for_s: float | None = None
    """Absent = as long as the scenario usually lasts."""
    severity: float = 1.0


@dataclass(frozen=True, slots=True)
class Generated:
    """Readings on a grid. `values[:, m, i]` is metric m of device i; NaN where nothing arrived."""

    kind: str
    metrics: tuple[str, ...]
    equipment: tuple[str, ...]
    """`community/equipment` of each device."""
    t: Floats
    """Seconds since 1970 UTC, shape (T,)."""
    values: NDArray[np.float32]
    """Shape (T, metrics, n)."""
    truth: list[dict[str, Any]]
    """The faults that end in this stretch (in the last one also those that go on), as in the ledger; `begins` added."""

    def series(self, metric: str) -> NDArray[np.float32]:
        """Readings of one metric, shape (T, n)."""
        column: NDArray[np.float32] = self.values[:, self.metrics.index(metric)]
        return column


def generate(kind: str, n: int, start: float, end: float, step_s: float, seed: int, **more: Any) -> Generated:
    """All of it at once: 4 bytes per reading. Takes what `blocks` takes."""
    parts = list(blocks(kind, n, start, end, step_s, seed, **more))
    t, values = np.concatenate([part.t for part in parts]), np.concatenate([part.values for part in parts])
    truth = [record for part in parts for record in part.truth]
    return Generated(parts[0].kind, parts[0].metrics, parts[0].equipment, t, values, truth)


def blocks(
    kind: str,
    n: int,
    start: float,
    end: float,
    step_s: float,
    seed: int,
    *,
    metrics: Sequence[str] | None = None,
    faults: Sequence[Wish] = (),
    utc_offset_h: float = 8.0,
    block_steps: int = BLOCK_STEPS,
) -> Iterator[Generated]:
    """Readings of n devices from `start` (seconds since 1970 UTC) to before `end`, in stretches of `block_steps`.

    `metrics`: absent = all the vocabulary knows of this kind. Raises ScenarioError for a fault that does not fit.
    """
    words = load()
    names = tuple(metrics or metrics_of(kind, words))
    _require_known(kind, names, words)
    places = [
        Place(f"c{i // PER_COMMUNITY + 1}", f"b{i // PER_BUILDING % PER_COMMUNITY + 1}", f"{kind}-{i + 1}")
        for i in range(n)
    ]
    devices = Devices(Group.of(seed, places, start, utc_offset_h), kind, names, words)
    ward = _Ward(kind, names, places, start, seed, faults, words)
    equipment = tuple(f"{place.community}/{place.equipment}" for place in places)
    grid: Floats = start + step_s * np.arange(max(1, round((end - start) / step_s)), dtype=np.float64)
    for first in range(0, len(grid), block_steps):
        t = grid[first : first + block_steps]
        values = np.empty((len(t), len(names), n), np.float32)
        for row, moment in enumerate(t.tolist()):
            ward.stop_and_go(devices, moment)
            readings = devices.sample(moment)
            for column, name in enumerate(names):
                values[row, column] = readings[name]
            if (lost := devices.lost(moment)).any():
                values[row, :, lost] = np.nan
        truth = ward.bend(t, values, last=first + block_steps >= len(grid))
        yield Generated(kind, names, equipment, t, values, truth)


def metrics_of(kind: str, words: Vocabulary) -> list[str]:
    """What the vocabulary knows of this kind; `*` metrics are left out."""
    return [row.id for row in words.metrics.values() if kind in row.kinds]


def random_faults(kind: str, metrics: Sequence[str], n: int, length_s: float, seed: int, rate: float) -> list[Wish]:
    """Faults as often as they happen in life (`per_year` of the scenarios), times `rate`; severities from 0 to 1.

    A device has one at a time.
    """
    rng = Random(f"{seed}/random faults")  # noqa: S311 - a simulation wants repeatable numbers
    wishes: list[Wish] = []
    for scenario in scenarios().values():
        if not scenario.per_year or _refusal(scenario, kind, metrics):
            continue
        mean = scenario.per_year * rate * n * length_s / _YEAR_S
        at_s = rng.expovariate(mean) * length_s
        while at_s < length_s:
            wishes.append(Wish(rng.randrange(n), scenario.id, round(at_s, 3), severity=round(rng.random(), 3)))
            at_s += rng.expovariate(mean) * length_s
    free: dict[int, float] = {}
    kept = []
    for wish in sorted(wishes, key=lambda wish: wish.at_s):
        if free.get(wish.device, -1.0) < wish.at_s:
            scenario = find(wish.scenario)
            free[wish.device] = wish.at_s + scenario.for_s + scenario.recovered_after_s()
            kept.append(wish)
    return kept


class _Ward:
    """The faults of one run."""

    def __init__(
        self,
        kind: str,
        metrics: tuple[str, ...],
        places: Sequence[Place],
        start: float,
        seed: int,
        wishes: Sequence[Wish],
        words: Vocabulary,
    ) -> None:
        self._kind, self._metrics, self._places, self._words = kind, metrics, places, words
        self._faults: list[Fault] = []
        for number, wish in enumerate(sorted(wishes, key=lambda wish: wish.at_s), 1):
            scenario = find(wish.scenario)
            if problem := _refusal(scenario, kind, metrics):
                raise ScenarioError(problem)
            begins = start + wish.at_s
            ends = begins + (scenario.for_s if wish.for_s is None else wish.for_s)
            rng = Random(f"{seed}/{number}")  # noqa: S311 - as above
            self._faults.append(Fault(number, wish.device, scenario, begins, ends, True, rng, wish.severity))
        self._untold = list(self._faults)
        self._to_stop = [fault for fault in self._faults if fault.scenario.halts]
        self._to_go = sorted(self._to_stop, key=lambda fault: fault.ends)

    def stop_and_go(self, devices: Devices, t: float) -> None:
        """Machines that a fault halts stand still from their step on, and run again after it."""
        while self._to_stop and self._to_stop[0].begins <= t:
            devices.halt(t, self._who(self._to_stop.pop(0)))
        while self._to_go and self._to_go[0].ends <= t:
            fault = self._to_go.pop(0)
            devices.resume(t, self._who(fault), fault.final_states())

    def bend(self, t: Floats, values: NDArray[np.float32], *, last: bool) -> list[dict[str, Any]]:
        """Change the readings in place; returns the ground truth of the faults that end here."""
        for fault in self._faults:
            over = fault.ends + fault.scenario.recovered_after_s()
            rows = np.flatnonzero((t >= fault.begins) & (t < max(over, fault.ends)))
            if len(rows):
                self._bend(fault, t, values, slice(int(rows[0]), int(rows[-1]) + 1))
        told = [fault for fault in self._untold if last or fault.ends <= t[-1]]
        self._untold = [fault for fault in self._untold if fault not in told]
        return [self._record(fault) for fault in told if fault.begins <= t[-1]]

    def _bend(self, fault: Fault, t: Floats, values: NDArray[np.float32], rows: slice) -> None:
        mine = values[rows, :, fault.device]
        shown = {name: mine[:, column].astype(np.float64) for column, name in enumerate(self._metrics)}
        bent = fault.bend_many(t[rows], shown, self._words, self._kind)
        broken = fault.scenario.impossible or fault.scenario.missing
        for column, name in enumerate(self._metrics):
            metric = self._words.metrics[name]
            mine[:, column] = bent[name] if broken else np.clip(bent[name], metric.min, metric.max)
        if fault.scenario.silent:
            mine[t[rows] < fault.ends] = np.nan

    def _record(self, fault: Fault) -> dict[str, Any]:
        place = self._places[fault.device]
        device = Device(
            community=place.community,
            gateway="generated",
            equipment=place.equipment,
            kind=self._kind,
            metrics=list(self._metrics),
            period_s=1,
        )
        begins = describe(FaultNote(device, fault, True, fault.begins))["t"]
        return describe(FaultNote(device, fault, False, fault.ends)) | {"begins": begins, "device": fault.device}

    def _who(self, fault: Fault) -> NDArray[np.bool_]:
        who = np.zeros(len(self._places), np.bool_)
        who[fault.device] = True
        return who


def _require_known(kind: str, metrics: Sequence[str], words: Vocabulary) -> None:
    if kind not in words.kinds:
        raise ScenarioError(f"kind: no kind {kind!r} in the vocabulary")
    for name in metrics:
        row = words.metrics.get(name)
        if row is None or not {kind, ANY} & set(row.kinds):
            raise ScenarioError(f"metric: {name!r} does not belong to kind {kind!r}")


def _refusal(scenario: Scenario, kind: str, metrics: Sequence[str]) -> str:
    """Why this cannot be seen in readings of this kind; "" when it can."""
    if scenario.shift_s or scenario.copies > 1 or scenario.disorder_s or scenario.flood_per_s or scenario.wire:
        return f"{scenario.id} is about messages, not about readings"
    try:
        require_fit(scenario, kind, metrics, sends_events=False)
    except ScenarioError as error:
        return str(error)
    return ""
