"""What a fire transmission device says, and what becomes of it: pure."""

from datetime import UTC, datetime, timedelta

import pytest

from watchkeep_core import vocabulary
from watchkeep_core.gbt26875 import Dialect, Object, Place, Unit
from watchkeep_core.messages import Event, decode, encode
from watchkeep_gateway.batching import event_message
from watchkeep_gateway.drivers.gbt26875 import scopes
from watchkeep_gateway.drivers.gbt26875.directory import Directory
from watchkeep_gateway.drivers.gbt26875.panel import REPEAT_MS, Findings, Panel
from watchkeep_gateway.drivers.gbt26875.supervision import (
    AFTER_CONNECT_S,
    CLOCK_AGAIN_S,
    COMMAND_TIMEOUT_S,
    DUTY_GRACE_S,
    TRIES,
    Supervision,
)
from watchkeep_gateway.drivers.gbt26875.tables import ComponentTable, TransmissionTable
from watchkeep_gateway.values import DeviceEvent

WORDS = vocabulary.load()
NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
KINDS = {
    "utd-1": "fire_transmission_device",
    "panel-1": "fire_alarm_panel",
    "smoke-1": "smoke_detector",
    "hydrant-1": "hydrant_system",
    "pump-1": "fire_pump",
    "wire-1": "electrical_fire_detector",
}
COMPONENTS = (
    ComponentTable("panel-1"),
    ComponentTable("smoke-1", place="10-2", type=40),
    ComponentTable("hydrant-1", system=11, address=2, place="1-1"),
    ComponentTable("pump-1", place="1-5", type=91),
    ComponentTable("wire-1", place="0A 00 03 00", type=17),
)

OK, ALARM, FAULT, SHIELDED = 1, 2, 4, 8
SMOKE, HYDRANT = Place(10, 2), Place(1, 1)


def panel(memory=None, profile="gbt26875_2011", started_ms=NOW_MS - 1000, **table) -> Panel:
    row = TransmissionTable(889, "utd-1", profile, components=COMPONENTS, **table)
    dialect = Dialect.of(WORDS.fire.profiles[profile])
    return Panel(Directory.of_table(row, KINDS), dialect, WORDS, memory or {}, started_ms)


def smoke(status: int, after_s: float = 0, place: Place = SMOKE, type: int = 40) -> Unit:
    at = NOW + timedelta(seconds=after_s)
    return Unit(2, (Object(1, 1, type, place, status=status, text="三层走廊", at=at),))


def said(found: Findings) -> list[tuple[str, str, bool]]:
    return [(event.equipment, event.condition, event.active) for event in found.events]


def test_an_alarm_and_its_end():
    it = panel()
    found = it.take(smoke(ALARM), NOW_MS)
    (event,) = found.events
    assert (event.equipment, event.condition, event.active, event.t_ms) == ("smoke-1", "fire_alarm", True, NOW_MS)
    assert (event.raw_code, event.profile) == ("c.1.1.40.10-2:1", "gbt26875_2011")
    assert event.attributes["component_zh"] == "感烟火灾探测器"
    assert (event.attributes["zone"], event.attributes["part"], event.attributes["text"]) == (10, 2, "三层走廊")
    assert said(it.take(smoke(ALARM), NOW_MS + 1)) == [], "the same again is no edge"
    assert said(it.take(smoke(ALARM | FAULT, 2), NOW_MS)) == [("smoke-1", "fire_fault", True)]
    assert said(it.take(smoke(FAULT, 3), NOW_MS)) == [("smoke-1", "fire_alarm", False)]
    assert said(it.take(smoke(OK, 4), NOW_MS)) == [("smoke-1", "fire_fault", False)]
    assert said(it.take(smoke(OK, 5), NOW_MS)) == []


def test_events_fit_the_wire():
    it = panel()
    units = [
        smoke(0x1FE),
        Unit(1, (Object(1, 1, status=0x3FFE),)),
        Unit(24, (Object(status=0x7F),)),
        Unit(5, (Object(1, 1),)),
    ]
    for unit in units:
        for event in it.take(unit, NOW_MS).events:
            decode(Event, encode(event_message(event)))


def test_a_restart_makes_and_loses_no_edge():
    memory: dict[str, str] = {}
    before = panel()
    for unit in (smoke(ALARM | SHIELDED), smoke(ALARM, place=Place(7, 7))):
        _keep(memory, before.take(unit, NOW_MS))
    after = panel(memory)
    assert said(after.take(smoke(ALARM | SHIELDED), NOW_MS)) == []
    assert said(after.take(smoke(SHIELDED), NOW_MS)) == [("smoke-1", "fire_alarm", False)]
    assert said(after.take(smoke(OK, place=Place(7, 7)), NOW_MS)) == [("panel-1", "fire_alarm", False)]


def test_what_is_well_leaves_no_memory():
    memory: dict[str, str] = {}
    it = panel()
    for status in (OK, ALARM, OK):
        _keep(memory, it.take(smoke(status), NOW_MS))
    assert memory == {}


def _keep(memory: dict[str, str], found: Findings) -> None:
    for key, value in found.remember.items():
        memory.pop(key, None)
        if value is not None:
            memory[key] = value


def test_a_new_alarm_of_a_panel_that_never_clears_is_told():
    it = panel()
    it.take(smoke(ALARM), NOW_MS)
    assert said(it.take(smoke(ALARM, 59), NOW_MS)) == []
    (event,) = it.take(smoke(ALARM, 3600), NOW_MS).events
    assert event.attributes["repeated"] is True
    assert said(it.take(smoke(ALARM | FAULT, 7200), NOW_MS)) == [
        ("smoke-1", "fire_alarm", True),
        ("smoke-1", "fire_fault", True),
    ]
    assert ("smoke-1", "fire_fault", True) not in said(it.take(smoke(ALARM | FAULT, 9999), NOW_MS))


def test_an_alarm_told_again_after_a_restart_is_the_old_one_unless_it_is_stamped_later():
    memory: dict[str, str] = {}
    _keep(memory, panel().take(smoke(ALARM), NOW_MS))
    later = panel(memory, started_ms=NOW_MS + 600_000)
    assert said(later.take(smoke(ALARM, 300), NOW_MS)) == []
    assert said(later.take(smoke(ALARM, 600 + REPEAT_MS / 1000), NOW_MS)) == [("smoke-1", "fire_alarm", True)]


def test_addresses_that_are_one_equipment_are_over_with_the_last_of_them():
    it = panel()
    first, second = Place(3, 1), Place(3, 2)
    assert said(it.take(smoke(ALARM, place=first), NOW_MS)) == [("panel-1", "fire_alarm", True)]
    assert said(it.take(smoke(ALARM, place=second), NOW_MS)) == [("panel-1", "fire_alarm", True)]
    assert said(it.take(smoke(OK, place=first), NOW_MS)) == []
    assert said(it.take(smoke(OK, place=second), NOW_MS)) == [("panel-1", "fire_alarm", False)]


def test_a_system_without_a_row_is_the_device_s_own_or_nobody_s():
    unit = Unit(2, (Object(13, 9, 81, Place(1, 1), status=FAULT, at=NOW),))
    assert said(panel().take(unit, NOW_MS)) == [("utd-1", "fire_fault", True)]
    found = panel(unmapped="reject").take(unit, NOW_MS)
    assert found.events == []
    assert found.unplaced == ["unknown_address: no equipment for system 13.9, type 81, place 1-1"]


@pytest.mark.parametrize(
    ("type", "place", "status", "expected"),
    [
        (91, Place(1, 5), FAULT, ("pump-1", "fire_pump_fault")),
        (91, Place(1, 5), 0x100, ("pump-1", "fire_pump_fault")),
        (17, Place(10, 3), 0x100, ("wire-1", "component_power_fault")),
        (10, Place(9, 9), ALARM, ("panel-1", "gas_alarm")),
        (200, Place(9, 9), ALARM, ("panel-1", "fire_alarm")),
    ],
)
def test_a_bit_means_what_the_type_says(type, place, status, expected):
    (event,) = panel().take(smoke(status, place=place, type=type), NOW_MS).events
    assert (event.equipment, event.condition) == expected


def test_every_bit_of_every_status_is_told():
    system = panel().take(Unit(1, (Object(1, 1, status=0x3FFE, at=NOW),)), NOW_MS)
    assert {event.condition for event in system.events} == {
        row.condition for row in WORDS.fire.system_bits.values() if row.condition
    }
    assert {event.equipment for event in system.events} == {"panel-1"}
    device = panel().take(Unit(21, (Object(status=0x7F, at=NOW),)), NOW_MS)
    assert {event.condition for event in device.events} == {
        row.condition for row in WORDS.fire.device_bits.values() if row.condition
    }
    assert {event.equipment for event in device.events} == {"utd-1"}


@pytest.mark.parametrize(
    ("profile", "status", "expected"),
    [
        ("gbt26875_2011", 0, [("smoke-1", "fire_test_mode", True)]),
        ("gbt26875_2011", ALARM, [("smoke-1", "fire_alarm", True)]),
        ("gbt26875_2011", OK, []),
        ("gbt26875_bit0_test", 1, [("smoke-1", "fire_test_mode", True)]),
        ("gbt26875_bit0_test", 1 | ALARM, [("smoke-1", "fire_alarm", True)]),
        ("gbt26875_bit0_test", 0, []),
        ("gbt26875_bit0_unused", 0, []),
    ],
)
def test_bit_0_as_the_profile_has_it_and_never_instead_of_an_alarm(profile, status, expected):
    assert said(panel(profile=profile).take(smoke(status), NOW_MS)) == expected


def test_a_reset_takes_back_alarms_and_leaves_faults():
    it = panel()
    it.take(smoke(ALARM | FAULT | SHIELDED), NOW_MS)
    it.take(Unit(2, (Object(11, 2, 23, Place(1, 1), status=ALARM, at=NOW),)), NOW_MS)
    found = it.take(Unit(4, (Object(1, 1, status=1, number=7, at=NOW),)), NOW_MS)
    assert said(found) == [("smoke-1", "fire_alarm", False), ("panel-1", "fire_reset", True)]
    assert found.events[1].attributes["operator"] == 7
    found = it.take(Unit(24, (Object(status=1, at=NOW),)), NOW_MS)
    assert said(found) == [("hydrant-1", "fire_alarm", False), ("utd-1", "fire_reset", True)]
    assert said(it.take(smoke(OK), NOW_MS)) == [("smoke-1", "fire_fault", False), ("smoke-1", "fire_shielded", False)]


def test_the_reset_bit_of_a_system_does_the_same():
    it = panel()
    it.take(smoke(ALARM), NOW_MS)
    found = it.take(Unit(1, (Object(1, 1, status=1 << 13, at=NOW),)), NOW_MS)
    assert said(found) == [("smoke-1", "fire_alarm", False), ("panel-1", "fire_reset", True)]
    it.take(smoke(ALARM, 5), NOW_MS)
    found = it.take(Unit(1, (Object(1, 1, status=1 << 13, at=NOW),)), NOW_MS)
    assert said(found) == [("smoke-1", "fire_alarm", False)], "again, though the bit itself has not moved"


def test_a_manual_alarm_stands_until_somebody_clears_it():
    it = panel()
    press = Unit(24, (Object(status=4, number=1, at=NOW),))
    assert said(it.take(press, NOW_MS)) == [("utd-1", "fire_alarm", True)]
    assert said(it.take(press, NOW_MS)) == []
    clear = Unit(24, (Object(status=8, number=1, at=NOW),))
    assert said(it.take(clear, NOW_MS)) == [("utd-1", "fire_alarm", False), ("utd-1", "fire_operation", True)]


def test_no_operation_can_silence_anything():
    found = panel().take(Unit(24, (Object(status=0x7F, at=NOW),)), NOW_MS)
    assert not any(WORDS.conditions[event.condition].suppresses for event in found.events)
    assert found.duty_answered


def analog(
    kind: int, value: int, component: int = 92, system: int = 11, address: int = 2, place: Place = HYDRANT
) -> Unit:
    return Unit(3, (Object(system, address, component, place, number=kind, value=value, at=NOW),))


def test_pressures_are_kpa_and_those_in_mpa_are_uncertain():
    (reading,) = panel().take(analog(5, 700), NOW_MS).readings
    assert reading == ("hydrant-1", "static_pressure", NOW_MS, 70.0, 0)
    (reading,) = panel().take(analog(4, 1), NOW_MS).readings
    assert reading == ("hydrant-1", "static_pressure", NOW_MS, 100.0, 1)
    (reading,) = panel().take(analog(3, -55, 17, 1, 1, Place(10, 3)), NOW_MS).readings
    assert reading[:4] == ("wire-1", "conductor_temperature", NOW_MS, -5.5)


def test_values_of_nobody_become_no_point():
    found = panel().take(analog(5, 700, place=Place(9, 9)), NOW_MS)
    assert found.readings == []
    assert found.unplaced[0].startswith("unknown_address:")
    assert panel().take(analog(77, 1), NOW_MS).unplaced == ["unknown_analog: type 77"]


def test_versions_configurations_and_times():
    found = panel().take(Unit(25, (Object(version=(1, 12)),)), NOW_MS)
    assert [event.attributes["version"] for event in found.events] == ["1.12"]
    for kind in (5, 6, 7, 26):
        (event,) = panel().take(Unit(kind, (Object(1, 1, text="一号楼"),)), NOW_MS).events
        assert event.condition == "fire_device_info"
    (reading,) = panel().take(Unit(28, (Object(at=NOW + timedelta(seconds=90)),)), NOW_MS).readings
    assert reading == ("utd-1", "clock_offset", NOW_MS, 90.0, 0)
    (reading,) = panel().take(Unit(8, (Object(1, 1, at=NOW - timedelta(hours=8)),)), NOW_MS).readings
    assert reading == ("panel-1", "clock_offset", NOW_MS, -28800.0, 0)
    assert panel().take(Unit(28, (Object(),)), NOW_MS).unplaced == ["bad_time: is no date"]
    assert panel().take(Unit(90, (Object(at=NOW),)), NOW_MS).unplaced


def test_without_a_time_of_its_own_it_happened_when_it_came():
    (event,) = panel().take(Unit(2, (Object(1, 1, 40, Place(10, 2), status=ALARM),)), NOW_MS).events
    assert event.t_ms == NOW_MS


def test_what_is_kept_is_bounded_and_no_alarm_is_lost_for_it(monkeypatch):
    monkeypatch.setattr(scopes, "MAX_ADDRESSES", 2)
    it = panel()
    for part in range(5):
        found = it.take(smoke(ALARM, place=Place(50, part)), NOW_MS)
        assert said(found) == [("panel-1", "fire_alarm", True)]
        assert bool(found.remember) == (part < 2)
    for part in range(5):
        found = it.take(smoke(OK, place=Place(50, part)), NOW_MS)
        assert said(found) == ([("panel-1", "fire_alarm", False)] if part == 1 else [])


def test_memory_of_another_configuration_does_no_harm():
    for key in ("c.1.1.40.10-2", "c.x", "nonsense", "c.1.1", "s.9.9", "m.d", "duty"):
        panel({f"gbt26875/790300000000/{key}": "2"})
    assert isinstance(panel().take(smoke(ALARM), NOW_MS).events[0], DeviceEvent)


def supervision(duty_h: float = 4, clock_h: float = 24) -> Supervision:
    it = Supervision(duty_h * 3600, 600, clock_h * 3600)
    it.started(0)
    return it


def when_asked(it: Supervision, from_s: float, until_s: float) -> float | None:
    for now_s in range(int(from_s), int(until_s)):
        if it.due(now_s, 5) == "duty":
            return now_s
    return None


def test_duty_is_checked_at_moments_that_cannot_be_foretold():
    moments = set()
    for _ in range(10):
        it = supervision(1)
        it.connected(0, 1)
        first = when_asked(it, 0, 3601)
        assert first is not None
        assert it.asking
        assert it.answered()
        second = when_asked(it, first, first + 5401)
        assert second is not None
        assert second - first >= 1800
        moments.add(first)
    assert len(moments) > 1
    never = supervision(0)
    assert when_asked(never, 0, 50_000) is None


def test_nobody_answers():
    it = supervision(1)
    it.connected(0, 1)
    asked = when_asked(it, 0, 3601)
    assert asked is not None
    assert not it.unanswered(asked + 600 + DUTY_GRACE_S - 1)
    assert it.unanswered(asked + 600 + DUTY_GRACE_S)
    assert not it.unanswered(asked + 600 + DUTY_GRACE_S + 1), "once"
    assert not it.answered(), "too late, and nobody asks any more"


def test_a_lost_link_makes_a_check_void():
    it = supervision(1)
    it.connected(0, 1)
    asked = when_asked(it, 0, 3601)
    assert asked is not None
    it.lost()
    assert not it.unanswered(asked + 100_000)
    it.connected(asked + 1000, 2)
    assert it.due(asked + 1000 + AFTER_CONNECT_S - 1, 3) is None
    assert it.due(asked + 1000 + AFTER_CONNECT_S, 3) == "duty"


def test_commands_are_repeated_three_times_and_then_given_up():
    it = supervision(0)
    assert it.connected(0, 7) == "clock"
    sent = [now_s for now_s in range(100) for _ in it.repeats(now_s)]
    assert sent == [COMMAND_TIMEOUT_S * number for number in range(1, TRIES)]
    assert it.connected(1000, 8) == "clock"
    it.refused(8, 1001)
    assert list(it.repeats(1001)) == [(8, "clock")]
    it.confirmed(8)
    assert list(it.repeats(1100)) == []


def test_clocks_are_set_daily_and_when_they_are_off_but_not_all_the_time():
    it = supervision(0, 24)
    assert it.connected(0, 1, clocks=False) is None, "our own time is not known"
    assert it.due(5, 1, clocks=False) is None
    assert it.due(10, 1) == "clock"
    assert it.clock_seen(3600, 20, 2) is None, "just told"
    assert it.clock_seen(29, 10 + CLOCK_AGAIN_S, 2) is None
    assert it.clock_seen(-31, 10 + CLOCK_AGAIN_S, 2) == "clock"
    assert it.due(86_000, 3) is None
    assert it.due(86_400 + 10 + CLOCK_AGAIN_S, 3) == "clock"
    off = supervision(0, 0)
    assert off.connected(0, 1) is None
    assert off.clock_seen(99_999, 1, 1) is None
    assert off.due(99_999, 1) is None
