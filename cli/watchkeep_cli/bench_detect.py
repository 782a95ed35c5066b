"""The fleet of `watchkeep bench detect`: simulated devices of several kinds, each with at most one fault."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim.errors import ScenarioError
from watchkeep_firmware_sim.generate import Generated, Wish, blocks, metrics_of
from watchkeep_firmware_sim.scenario import GRADUAL, find, scenarios

KINDS = ("elevator", "supply_pump", "supply_pump_set", "dma_meter", "water_quality_station", "sump", "water_tank")
"""Shares of the fleet are equal; 11 points apiece on average."""

ON_CHANGE = {
    "car_status",
    "car_direction",
    "car_floor",
    "door_zone",
    "door_status",
    "passenger_status",
    "running_speed_percent",
}
"""Left out: devices send these on change, and a door met open twice on a 5 min grid would look held open."""

STEP_S = 300.0
FIRST_FAULT_S = 14.5 * 86_400
SHORTEST_S = 3600.0
"""Of a fault: on a grid of 5 min what lasts two readings is not seen by rules that want three."""

FAULTY = 0.6
"""Share of the devices that something happens to."""

_START = 1_780_243_200.0  # 2026-06-01 00:00 in China
_DAY_S = 86_400


def fleet(pieces: int, days: int, seed: int) -> dict[str, Callable[[], Iterator[Generated]]]:
    """Kind → its devices' readings, a day at a time."""
    made: dict[str, Callable[[], Iterator[Generated]]] = {}
    for kind in KINDS:
        count = max(1, pieces // len(KINDS))
        wishes = _wishes(kind, count, days * _DAY_S, seed)
        end = _START + days * _DAY_S
        made[kind] = partial(blocks, kind, count, _START, end, STEP_S, seed, metrics=_metrics(kind), faults=wishes)
    return made


def learnt() -> set[str]:
    """Scenarios that no limit and no event tells of."""
    return {scenario.id for scenario in scenarios().values() if scenario.learnt}


def _metrics(kind: str) -> list[str]:
    return [name for name in metrics_of(kind, load()) if name not in ON_CHANGE]


def _wishes(kind: str, count: int, length_s: float, seed: int) -> list[Wish]:
    rng = Random(f"{seed}/{kind}")  # noqa: S311 - a simulation wants repeatable numbers
    fitting = _fitting(kind)
    found = []
    for device in range(count):
        if rng.random() < FAULTY:
            scenario = find(rng.choice(fitting))
            for_s = max(scenario.for_s, SHORTEST_S)
            room = length_s - FIRST_FAULT_S - for_s - 6 * 3600
            at_s, severity = FIRST_FAULT_S + rng.random() * max(room, 0.0), rng.random()
            if room > 0:
                found.append(Wish(device, scenario.id, round(at_s, 1), for_s, round(severity, 3)))
    return found


def _fitting(kind: str) -> list[str]:
    """Scenarios that readings of this kind can show, slow variants included; drawn alike."""
    found = []
    for scenario in scenarios().values():
        for id in (scenario.id, scenario.id + GRADUAL) if scenario.gradual_s else (scenario.id,):
            try:
                next(blocks(kind, 1, _START, _START + 1, 1.0, 1, metrics=_metrics(kind), faults=[Wish(0, id, 0)]))
            except ScenarioError:
                continue
            found.append(id)
    return found
