"""What leaves its peers, and on which day a limit will be reached."""

import numpy as np
import pytest

from tests.analytics.world import T0, batch, limit, moment, point, registry
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.detectors.fleet import FAR, Fleet
from watchkeep_analytics.detectors.forecast import Forecast, slope
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.texts import sentence

DAY_S = 86_400.0
STEP_S = 1800.0


def rooms(count: int, model: str = "") -> Registry:
    return registry(
        [point(k + 1, "machine_room_temperature", equipment=f"L{k}", model=model if k else "") for k in range(count)]
    )


def played(made: Registry, values: np.ndarray) -> list[Signal]:
    """values[step, lift]; a tick at the end of each day."""
    fleet, found, per_day = Fleet(made), [], int(DAY_S / STEP_S)
    for day in range(len(values) // per_day):
        rows = [
            (lift, (day * per_day + k) * STEP_S, float(v))
            for k, row in enumerate(values[day * per_day : (day + 1) * per_day])
            for lift, v in enumerate(row)
        ]
        found += fleet.observe(batch(rows)) + fleet.tick(moment(made, (day + 1) * DAY_S))
    return found


def weather(days: int, lifts: int) -> np.ndarray:
    """A hot spell in the last third moves all of them; each has its own level."""
    rng = np.random.default_rng(4)
    steps = int(days * DAY_S / STEP_S)
    common = 25 + 4 * np.sin(np.arange(steps) * STEP_S / DAY_S * 2 * np.pi)
    common[2 * steps // 3 :] += 8
    return np.asarray(common[:, None] + np.arange(lifts) * 2.0 + rng.normal(size=(steps, lifts)) * 0.3)


def test_a_slow_drift_of_one_is_told_and_the_weather_is_not():
    values = weather(36, 6)
    assert played(rooms(6), values) == []
    start = int(24 * DAY_S / STEP_S)
    values[start:, 2] += np.linspace(0, 6, len(values) - start)  # half a degree a day: each day looks like the last
    (told,) = played(rooms(6), values)
    assert (told.condition, told.tier, told.active, told.equipment) == ("fleet_outlier", "notice", True, "L2")
    assert 25 < (told.event_us - T0) / SECOND / DAY_S < 34
    assert told.evidence["peers"]["count"] == 5
    assert told.evidence["actual"] > told.evidence["expected"]["high"]
    assert told.evidence["ratio"] > FAR
    assert "5" in sentence(told, "zh")


def test_other_models_are_no_peers():
    values = weather(36, 6)
    values[1200:, 0] += 6
    assert [s.equipment for s in played(rooms(6), values)] == ["L0"]
    assert played(rooms(6, model="X"), values) == []


def test_what_people_call_normal_is_learnt_anew():
    values = weather(40, 6)
    values[int(15 * DAY_S / STEP_S) :, 2] += 6
    made = rooms(6)
    made["normal_us"][2] = T0 + round(20 * DAY_S) * SECOND
    made.normals = True
    found = played(made, values)
    assert [s.active for s in found] == [True]  # told on day 16; forgotten with the old normal, and not told again


def tank(slope_per_day: float, days: int = 40, begins: float = 20.0, noise: float = 0.3) -> list[Signal]:
    """A level with a limit below 30, that sinks from 80 after `begins` days."""
    made = registry([point(1, "water_level", kind="water_tank")], [limit(1, 1, "below", 30.0)])
    rng, forecast = np.random.default_rng(5), Forecast(made)
    t = np.arange(0, days * DAY_S, STEP_S)
    value = 80 + noise * rng.normal(size=len(t)) + slope_per_day * np.maximum(t / DAY_S - begins, 0)
    rows = [(0, float(a), float(max(b, 30.5))) for a, b in zip(t, value, strict=True)]
    return forecast.observe(batch(rows))


@pytest.mark.parametrize(("slope_per_day", "clock"), [(-2.5, "days"), (-45.0, "hours")])
def test_the_day_is_named_with_a_band(slope_per_day, clock):
    told = next(s for s in tank(slope_per_day) if s.active and s.source == clock)
    reached_us = T0 + (20 + 50 / -slope_per_day) * DAY_S * SECOND
    forecast = told.evidence["forecast"]
    assert told.event_us < forecast["from_us"] <= forecast["at_us"] <= forecast["to_us"]
    left = reached_us - told.event_us
    assert abs(forecast["at_us"] - reached_us) < 0.5 * left  # late rather than early: half of its window was level
    assert told.condition == "drift_towards_limit"
    assert "2023-" in sentence(told, "zh")
    assert "2023-" in sentence(told, "en")


def test_noise_and_a_way_that_takes_too_long_say_nothing():
    assert tank(0.0) == []
    assert tank(-0.2) == []


def test_away_from_the_limit_says_nothing():
    assert tank(3.0) == []


def test_the_band_of_a_slope_holds_the_slope():
    rng = np.random.default_rng(6)
    inside = 0
    for _ in range(200):
        t = np.arange(14)
        found = slope(t, 0.5 * t + rng.normal(size=14))
        assert found is not None
        inside += found.low <= 0.5 <= found.high
    assert inside >= 190
    assert slope(np.arange(3), np.arange(3.0)) is None
