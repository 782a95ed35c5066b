"""A warning whose detector lost its state is closed when it is over, and only then."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.analytics.world import T0, limit, point
from watchkeep_analytics import register, warnings
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.engine import Engine
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.suppression import Modes
from watchkeep_core.database import connect


def engine() -> Engine:
    made = Engine(Modes())
    made.update([point(11, "machine_temperature")], [limit(1, 11, "above", 90.0, 85.0, for_s=60.0, clear_for_s=60.0)])
    return made


def play(made: Engine, *rows: tuple[float, float]) -> list[Signal]:
    found = []
    for t, x in rows:
        at = np.array([T0 + round(t * SECOND)])
        found += made.observe(np.array([11]), at, np.array([float(x)]), np.array([0]))
        found += made.tick(int(at[0]), {})
    return found


@pytest.fixture
def opening() -> Signal:
    (found,) = [s for s in play(engine(), (0, 95), (60, 95)) if s.condition == "machine_temperature_high"]
    return found


def test_over_after_an_hour_of_ordinary_readings(opening):
    anew = engine()
    anew.adopt([opening])
    assert play(anew, (120, 70), (3700, 70)) == []
    (end,) = play(anew, (3720, 70))
    assert (end.active, end.key, end.source, end.event_us) == (False, opening.key, opening.source, T0 + 3720 * SECOND)
    assert play(anew, (9000, 70)) == []


def test_said_again_it_is_the_detectors_own(opening):
    anew = engine()
    anew.adopt([opening])
    found = play(anew, *[(120 + 60 * k, 95) for k in range(70)])
    assert [s.active for s in found if s.condition == "machine_temperature_high"] == [True]
    found = play(anew, (4500, 70), (4600, 70))
    assert [s.active for s in found if s.condition == "machine_temperature_high"] == [False]


def test_not_over_while_the_detector_is_not_ready(opening):
    anew = engine()
    anew.adopt([replace(opening, detector="baseline")])
    assert play(anew, *[(120 + 600 * k, 70) for k in range(20)]) == []


def test_only_detectors_that_began_anew(opening):
    old = engine()
    play(old, (0, 95))
    again = engine()
    again.load(old.save())
    assert again.lost == []
    states = old.save()
    states["limits"] = ("0", states["limits"][1])
    fresh = engine()
    fresh.load(states)
    assert fresh.lost == ["limits"]


def test_what_holds_a_warning_open_is_read_back(home, opening):
    series = home.series["alpha", "lift-1", "machine_temperature"]
    mine = replace(opening, community="alpha", equipment="lift-1", series=series)
    with connect(home.url, "test") as conn:
        warnings.write(conn, [mine], lambda *_: warnings.Named("", "", True), datetime.now(UTC))
        (found,) = register.standing(conn, ["alpha"], ["limits"])
        assert (found.key, found.source, found.series, found.active) == (mine.key, mine.source, series, True)
        assert register.standing(conn, ["alpha"], ["silence"]) == []
        end = replace(found, active=False, event_us=found.event_us + 3600 * SECOND)
        assert warnings.write(conn, [end], lambda *_: warnings.Named("", "", True), datetime.now(UTC)).cleared == 1
        assert register.standing(conn, ["alpha"], ["limits"]) == []
