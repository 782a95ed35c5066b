"""States that are asked at long intervals: what lasts shorter than three of them cannot be judged, all else is."""

import itertools

import numpy as np
import pytest

from tests.analytics.world import T0, limit, point
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.detectors.elevator import Elevator
from watchkeep_analytics.detectors.limits import Limits
from watchkeep_analytics.engine import Engine
from watchkeep_analytics.suppression import Modes

DOOR, STATUS, ZONE, PERSON = 1, 2, 3, 4


def lift() -> Engine:
    made = Engine(Modes(), lambda registry: [Limits(registry), Elevator(registry)])
    names = ((DOOR, "door_status"), (STATUS, "car_status"), (ZONE, "door_zone"), (PERSON, "passenger_status"))
    made.update(
        [point(series, metric) for series, metric in names],
        [limit(1, DOOR, "equals", 2.0, condition="door_held_open", for_s=60.0)],
    )
    return made


def feed(made: Engine, *rows: tuple[int, float, float]) -> set[str]:
    """(series, seconds, value); conditions that opened."""
    series, seconds, value = (np.array(column) for column in zip(*rows, strict=True))
    t_us = T0 + (seconds * SECOND).astype(np.int64)
    found = made.observe(series, t_us, value.astype(np.float64), np.zeros(len(series), np.int64))
    return {signal.condition for signal in found if signal.active and signal.tier != "notice"}


def polled(every_s: float, count: int, seed: int = 1) -> list[tuple[int, float, float]]:
    """A busy lift that is asked at a fixed interval: door and person flip between readings."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, float, float]] = []
    for k in range(count):
        t, busy = k * every_s, rng.random() < 0.4
        rows += [
            (STATUS, t, 0.0),
            (ZONE, t, 1.0),
            (DOOR, t, 2.0 if busy else 1.0),
            (PERSON, t, float(1 + (rng.random() < 0.5))),
        ]
    return rows


def test_a_lift_that_is_asked_every_five_minutes_is_not_judged_by_seconds():
    made = lift()
    feed(made, *polled(300, 60))
    assert feed(made, *[(s, t + 60 * 300, x) for s, t, x in polled(300, 600, seed=2)]) == set()


def test_one_that_is_asked_every_ten_seconds_is():
    made = lift()
    feed(made, *polled(10, 60))
    assert "door_held_open" in feed(made, *[(DOOR, 600 + 10 * k, 2.0) for k in range(10)])


def test_a_device_that_tells_changes_is_judged_even_if_it_repeats_itself_rarely():
    made = lift()
    for k in range(40):
        feed(made, (DOOR, k * 300, 2.0), (DOOR, k * 300 + 8, 1.0), (DOOR, k * 300 + 150, 1.0))
    assert feed(made, (DOOR, 13_000, 2.0), (DOOR, 13_300, 2.0)) == {"door_held_open"}


def test_a_state_that_rests_is_judged_at_any_interval():
    """A valve asked every five minutes that was always closed, and then is not."""
    made = lift()
    for k in range(200):
        feed(made, (DOOR, k * 300, 1.0))
    assert feed(made, (DOOR, 60_000, 2.0), (DOOR, 60_300, 2.0)) == {"door_held_open"}


def test_an_entrapment_off_the_zone_is_judged_at_any_interval():
    made = lift()
    feed(made, *polled(300, 120))
    stuck = [(STATUS, 0.0), (ZONE, 2.0), (DOOR, 1.0), (PERSON, 1.0)]
    rows = [(s, 36_000 + 300 * k, x) for k, (s, x) in itertools.product(range(3), stuck)]
    assert "entrapment_off_zone" in feed(made, *rows)


@pytest.mark.parametrize("size", [1, 7, 200])
def test_it_does_not_matter_where_a_batch_ends(size: int):
    rows = polled(300, 70) + [(s, 21_000 + t, x) for s, t, x in polled(10, 80, seed=3)]
    whole, parts = lift(), lift()
    one = feed(whole, *rows)
    many = set().union(*(feed(parts, *rows[k : k + size * 4]) for k in range(0, len(rows), size * 4)))
    assert one == many
    assert whole.save()["sampling"] == parts.save()["sampling"]


def test_it_survives_a_restart():
    first, second = lift(), lift()
    feed(first, *polled(300, 60))
    second.load(first.save())
    assert feed(second, *[(s, t + 60 * 300, x) for s, t, x in polled(300, 40, seed=2)]) == set()


def test_a_fault_among_starts_and_stops_is_judged_at_any_interval():
    made = Engine(Modes(), lambda registry: [Limits(registry)])
    fault = limit(1, 1, "equals", 2.0, condition="pump_fault", for_s=10.0)
    made.update([point(1, "pump_run_state", kind="supply_pump")], [fault])
    feed(made, *[(1, k * 300, float(k % 2)) for k in range(200)])
    assert feed(made, (1, 60_000, 2.0), (1, 60_300, 2.0)) == {"pump_fault"}
