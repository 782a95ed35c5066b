"""Device events become signals at once."""

from typing import Any

import pytest

from watchkeep_analytics.event_lane import EventLane
from watchkeep_analytics.events import judge, note_modes
from watchkeep_analytics.failures import Failures
from watchkeep_analytics.settings import AnalyticsSettings
from watchkeep_analytics.signals import Signal
from watchkeep_analytics.suppression import Modes
from watchkeep_core.rows import CommittedEvent
from watchkeep_core.service import Stop
from watchkeep_core.topics import partition_of

KINDS = {("c1", "E1"): "elevator"}


def event(condition: str, **more) -> CommittedEvent:
    values: dict[str, Any] = {
        "event_id": 1,
        "community": "c1",
        "equipment": "E1",
        "active": True,
        "t_us": 1_000,
        "received_us": 5_000,
    }
    return CommittedEvent(condition=condition, **(values | more))


@pytest.mark.parametrize(
    ("condition", "becomes", "tier"),
    [
        ("entrapment", "entrapment", "alarm"),
        ("fire_alarm", "fire_alarm", "alarm"),
        ("door_held_open", "door_held_open", "warning"),
        ("mode_change", "mode_change", "notice"),
        ("vendor_x_77", "unknown_code", "warning"),
    ],
)
def test_condition_and_tier(condition, becomes, tier):
    signal = judge(event(condition), KINDS)
    assert (signal.condition, signal.tier, signal.active, signal.event_us) == (becomes, tier, True, 1_000)
    assert signal.evidence["actual"] == condition


def test_untrusted_stamps_are_judged_by_receipt():
    signal = judge(event("entrapment", trusted=False), KINDS)
    assert (signal.event_us, signal.evidence["stamp_us"]) == (5_000, 1_000)


def test_unknown_equipment_is_said():
    assert judge(event("fire_alarm", equipment="X9"), KINDS).evidence["unknown_equipment"] is True
    assert "unknown_equipment" not in judge(event("fire_alarm"), KINDS).evidence


def test_two_unknown_codes_are_two_sources():
    assert judge(event("a"), KINDS).source != judge(event("b"), KINDS).source


def test_modes_that_suppress_are_noted():
    modes = Modes()
    probe = Signal("c1", "E1", "door_held_open", "warning", True, "limits", "1", 2_000, "x", "event")
    note_modes([event("mode_inspection")], modes)
    assert modes.reason(probe, 2_000) == "mode: mode_inspection"
    note_modes([event("mode_inspection", active=False, t_us=1_500)], modes)
    assert modes.reason(probe, 2_000) == ""


def test_an_event_that_cannot_be_judged_keeps_back_no_other():
    values: dict[str, Any] = {"database_url": "postgresql://x", "mqtt_url": "mqtt://x:1", "mqtt_password": "x"}
    lane = EventLane(AnalyticsSettings(**values), Stop())
    lane._failures[partition_of("c1")] = Failures()
    odd: Any = ["not", "a", "word"]
    assert lane._judge(event(odd)) == []
    assert lane._judge(event(odd)) == []
    assert [signal.condition for signal in lane._judge(event("fire_alarm"))] == ["fire_alarm"]
    assert [(signal.condition, signal.source) for signal in lane._pending] == [("detector_failure", "events")]
