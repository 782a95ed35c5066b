"""What `watchkeep bench detect` needs of others: a fleet of several kinds with faults, a database and a broker."""

import importlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watchkeep_cli.acl import default_acl, service_users
from watchkeep_cli.bench_servers import folder, login, server
from watchkeep_cli.broker import start_broker
from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim.errors import ScenarioError
from watchkeep_firmware_sim.generate import Generated, Wish, blocks, metrics_of
from watchkeep_firmware_sim.scenario import GRADUAL, Scenario, find, scenarios

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

SEVERITIES = (0.0, 0.05, 0.4, 1.0)
"""With which every rule is tried; 0 is just beyond the limit."""

NOT_HERE = {"gateway_silent"}
"""All of a community have one gateway here."""

_LONGEST_S = 4 * 86_400.0  # what takes longer is left to the fleet
FAULTY = 0.6
"""Share of the devices that something happens to."""

PARTITION = 250
"""Pieces of equipment at most that one engine judges, and among which peers are looked for."""

_APART = 1_000_003  # between the seeds of partitions

_START = 1_780_243_200.0  # 2026-06-01 00:00 in China
_DAY_S = 86_400

Fleet = dict[str, Callable[[], Iterator[Generated]]]


def fleets(pieces: int, days: int, seed: int) -> list[Fleet]:
    """As many partitions as it takes, of equal size; how many processes play them changes nothing."""
    parts = -(-pieces // PARTITION)
    sizes = [pieces // parts + (part < pieces % parts) for part in range(parts)]
    return [fleet(size, days, seed + part * _APART) for part, size in enumerate(sizes)]


def fleet(pieces: int, days: int, seed: int) -> Fleet:
    """One partition: kind → its devices' readings, a day at a time."""
    made: Fleet = {}
    for nth, kind in enumerate(KINDS):
        count = max(1, pieces // len(KINDS) + (nth < pieces % len(KINDS)))
        wishes = _wishes(kind, count, days * _DAY_S, seed)
        end = _START + days * _DAY_S
        full = partial(blocks, kind, count, _START, end, STEP_S, seed, metrics=_metrics(kind), faults=wishes)
        made[kind] = partial(_as_sent, full)
    return made


def _as_sent(full: Callable[[], Iterator[Generated]]) -> Iterator[Generated]:
    """What arrives in service: a figure of the day once a day, and what exists per ride or sample when it is new."""
    last: NDArray[np.float32] | None = None
    for block in full():
        before = np.concatenate([np.full_like(block.values[:1], np.nan) if last is None else last, block.values[:-1]])
        last = block.values[-1:].copy()
        for column, name in enumerate(block.metrics):
            period_s = load().metrics[name].period_s
            values = block.values[:, column]
            if period_s == 0:
                values[values == before[:, column]] = np.nan
            elif period_s >= _DAY_S:
                values[block.t // period_s == (block.t - STEP_S) // period_s] = np.nan
        yield block


def every_rule(seed: int) -> Fleet:
    """Kind → a few days of a device for each severity of each scenario that no learning is needed for."""
    made: Fleet = {}
    for kind in load().kinds:
        wishes = _all_wishes(kind) if _metrics(kind) else []
        if wishes:
            end = _START + max(wish.at_s + (wish.for_s or 0.0) for wish in wishes) + 8 * 3600
            made[kind] = partial(
                blocks, kind, len(wishes), _START, end, STEP_S, seed, metrics=_metrics(kind), faults=wishes
            )
    return made


@contextmanager
def servers() -> Iterator[Any]:
    """For the group `events`: a database and a broker of its own, as its Target."""
    module = importlib.import_module("watchkeep_analytics.bench_events")
    settings = importlib.import_module("watchkeep_analytics.settings")
    password = secrets.token_urlsafe(24)
    users = service_users(password, password, password)
    with server() as postgres, folder() as place, start_broker(place, users, default_acl()) as broker:
        values = {"database_url": login(postgres, "analytics"), "mqtt_url": broker.url, "mqtt_password": password}
        yield module.Target(
            postgres.admin_url, settings.AnalyticsSettings(**values, poll_s=0.2, save_s=5.0, log_level="warning")
        )


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
            for_s = _long_enough(scenario, kind)
            room = length_s - FIRST_FAULT_S - for_s - 6 * 3600
            at_s, severity = FIRST_FAULT_S + rng.random() * max(room, 0.0), rng.random()
            if room > 0:
                found.append(Wish(device, scenario.id, round(at_s, 1), for_s, round(severity, 3)))
    return found


def _all_wishes(kind: str) -> list[Wish]:
    found: list[Wish] = []
    for id in _fitting(kind):
        scenario = find(id)
        for_s = _long_enough(scenario, kind)
        if id.removesuffix(GRADUAL) in learnt() | NOT_HERE or for_s > _LONGEST_S:
            continue
        for nth, severity in enumerate(SEVERITIES):
            found.append(Wish(len(found), id, _DAY_S + 7_777.0 * nth, for_s, severity))
    return found


def _long_enough(scenario: Scenario, kind: str) -> float:
    """Of a fault, in s: what is silent is noticed only when three of its own intervals are over."""
    return max(scenario.for_s, SHORTEST_S, 4 * min(_periods(kind)) if scenario.silent or scenario.missing else 0.0)


def _periods(kind: str) -> list[float]:
    """Of what is sent without an occasion, in s."""
    return [period for name in _metrics(kind) if (period := load().metrics[name].period_s) > 0]


@cache
def _fitting(kind: str) -> list[str]:
    """Scenarios that readings of this kind can show, slow variants included; drawn alike."""
    found = []
    for scenario in scenarios().values():
        if (scenario.silent or scenario.missing) and not _periods(kind):
            continue  # nobody waits for what comes on occasion only
        for id in (scenario.id, scenario.id + GRADUAL) if scenario.gradual_s else (scenario.id,):
            try:
                next(blocks(kind, 1, _START, _START + 1, 1.0, 1, metrics=_metrics(kind), faults=[Wish(0, id, 0)]))
            except ScenarioError:
                continue
            found.append(id)
    return found
