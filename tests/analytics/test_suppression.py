"""Modes hold back with a reason, keep the record, and let out what still stands."""

from dataclasses import replace

import pytest

from tests.analytics.world import T0
from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.suppression import Modes, Suppression, Window


def signal(condition="stop_off_zone", detector="limits", active=True, at=100.0, equipment="E1", source="x") -> Signal:
    return Signal(
        "c1", equipment, condition, "alarm", active, detector, "1", T0 + round(at * SECOND), source, "elevator"
    )


@pytest.fixture
def modes() -> Modes:
    made = Modes()
    made.set("c1", "E1", "service_mode", T0 + 50 * SECOND, "mode: service_mode inspection")
    return made


def test_held_back_with_its_reason_and_let_out_when_the_mode_ends(modes):
    suppression = Suppression(modes)
    (held,) = suppression.filter([signal()])
    assert (held.tier, held.evidence["suppressed"]) == ("notice", "mode: service_mode inspection")
    assert suppression.release(T0 + 200 * SECOND) == []
    modes.set("c1", "E1", "service_mode", T0 + 300 * SECOND, "")
    (out,) = suppression.release(T0 + 301 * SECOND)
    assert (out.tier, out.event_us) == ("alarm", T0 + 301 * SECOND)
    assert suppression.release(T0 + 302 * SECOND) == []


def test_what_ends_within_the_mode_never_comes_out(modes):
    suppression = Suppression(modes)
    suppression.filter([signal()])
    (end,) = suppression.filter([signal(active=False, at=150)])
    assert (end.tier, end.evidence["was_suppressed"]) == ("notice", True)
    modes.set("c1", "E1", "service_mode", T0 + 300 * SECOND, "")
    assert suppression.release(T0 + 301 * SECOND) == []


@pytest.mark.parametrize(
    ("changes", "tier"),
    [
        ({"condition": "entrapment_off_zone", "detector": "elevator"}, "notice"),  # state logic in inspection mode
        ({"condition": "entrapment_off_zone", "detector": "events"}, "alarm"),  # the device itself says so
        ({"condition": "fire_alarm", "detector": "events"}, "alarm"),
        ({"condition": "sensor_silent"}, "alarm"),  # silent is silent in any mode
        ({"equipment": "E2"}, "alarm"),
        ({"event_us": T0 + 49 * SECOND}, "alarm"),  # before the mode began
    ],
)
def test_who_is_held_back(modes, changes, tier):
    assert Suppression(modes).filter([replace(signal(), **changes)])[0].tier == tier


def test_planned_work_holds_back_its_equipment_but_no_life_safety():
    modes = Modes()
    modes.plan((Window("c1", "", T0, T0 + 200 * SECOND, "drill"),))
    plain, life = Suppression(modes).filter([signal(), signal(condition="entrapment_off_zone", detector="elevator")])
    assert (plain.tier, plain.evidence["suppressed"], life.tier) == ("notice", "maintenance: drill", "alarm")
    assert Suppression(modes).filter([signal(at=200)])[0].tier == "alarm"


def test_two_modes_at_once_both_must_end(modes):
    modes.set("c1", "E1", "mode_inspection", T0 + 60 * SECOND, "mode: mode_inspection")
    modes.set("c1", "E1", "service_mode", T0 + 70 * SECOND, "")
    assert Suppression(modes).filter([signal()])[0].tier == "notice"
    modes.set("c1", "E1", "mode_inspection", T0 + 80 * SECOND, "")
    assert Suppression(modes).filter([signal()])[0].tier == "alarm"
