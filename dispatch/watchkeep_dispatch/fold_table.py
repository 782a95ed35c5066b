"""What is a mere symptom of what: one declared table. Life safety is a cause in it, never a symptom."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SAME = "same"
"""The relation of a piece of equipment to itself."""

_SILENCE = (
    "sensor_silent",
    "sensor_never_reported",
    "sensor_flatline",
    "cabinet_link_lost",
    "signal_weak",
    "centre_link_fault",
)
_POWER = ("power_loss", "phase_missing", "supply_voltage_abnormal", "main_power_fault", "component_power_fault")
_NO_WATER = ("supply_pressure_loss", "supply_pressure_deviation", "household_pressure_low")
_TRAPPED = ("entrapment", "entrapment_in_zone", "entrapment_off_zone")
_STOPPED = ("stop_off_zone", "door_held_open", "out_of_service")
"""How a lift stands that its own protection, or a failure of its controls, has stopped."""
_ODD = ("abnormal_reading", "abnormal_pattern", "fleet_outlier", "drift_towards_limit")
"""Said by what learns: something is unusual, or will be, without a name."""


@dataclass(frozen=True, slots=True)
class Fold:
    """While the parent has one of `causes`, the child's `symptoms` belong to the parent's case."""

    relation: str
    causes: tuple[str, ...]
    symptoms: tuple[str, ...]


_BETWEEN = (
    Fold("gateway_of", ("gateway_offline", "power_loss"), (*_SILENCE, "telemetry_lost", "alarm_latency_high")),
    Fold(
        "powered_by",
        ("power_loss", "phase_missing"),
        (*_POWER, *_SILENCE, *_NO_WATER, "gateway_offline", "out_of_service", "mode_emergency_power"),
    ),
    Fold(
        "served_by",
        ("supply_pressure_loss", "pipe_burst", "power_loss"),
        (*_NO_WATER, "inlet_pressure_low", "tank_level_low"),
    ),
)

_LIFT = (
    Fold(
        SAME,
        _TRAPPED,
        (
            *_STOPPED,
            "door_close_fail",
            "door_open_fail",
            "door_cycling",
            "start_failure",
            "position_lost",
            "controller_fault",
            "elevator_fault_other",
        ),
    ),
    Fold(
        SAME,
        (
            *("ucm", "top_overrun", "bottom_overrun", "overspeed", "safety_gear_fault", "brake_fault"),
            *("safety_chain_open", "lock_chain_open", "runtime_limit", "restart_lockout", "shaft_device_fault"),
            *("controller_fault", "controller_supply_fault", "drive_fault", "start_failure", "position_lost"),
            *("elevator_fault_other", "door_open_fail", "power_loss"),
        ),
        _STOPPED,
    ),
    Fold(SAME, ("overspeed",), ("speed_abnormal",)),
    Fold(
        SAME,
        ("door_close_fail", "door_open_fail", "door_cycling"),
        ("door_held_open", "door_timing_abnormal", "door_obstructed"),
    ),
    Fold(SAME, ("door_close_fail",), ("door_cycling",)),
    Fold(SAME, ("door_held_open",), ("door_obstructed",)),
    Fold(SAME, ("brake_timing_abnormal",), ("levelling_poor",)),
    Fold(SAME, ("vibration_high",), ("vibration_abnormal", "noise_high")),
    Fold(SAME, ("acceleration_high", "noise_high"), ("vibration_abnormal",)),
    Fold(SAME, ("machine_temperature_high", "machine_room_temperature_abnormal"), ("machine_temperature_abnormal",)),
    Fold(SAME, ("motor_current_high",), ("motor_current_abnormal", "machine_temperature_abnormal")),
    Fold(SAME, ("unknown_code",), ("elevator_fault_other", "escalator_fault_other")),
)

_POWER_AND_FIRE = (
    Fold(SAME, ("power_loss",), ("mode_emergency_power", "phase_missing", "supply_voltage_abnormal")),
    Fold(SAME, ("phase_missing",), ("supply_voltage_abnormal", "motor_current_high", "pump_overload")),
    Fold(SAME, ("main_power_fault",), ("power_loss",)),
    # A panel says "fault" besides what it is.
    Fold(
        SAME,
        (
            *("main_power_fault", "backup_power_fault", "component_power_fault", "bus_fault", "line_fault"),
            *("fire_pump_fault", "smoke_control_fault"),
        ),
        ("fire_fault",),
    ),
    Fold(SAME, ("bus_fault",), ("line_fault",)),
)

_WATER = (
    Fold(
        SAME,
        ("supply_pressure_loss",),
        ("supply_pressure_deviation", "household_pressure_low", "pressure_abnormal", "flow_abnormal", "pump_no_flow"),
    ),
    Fold(
        SAME,
        ("supply_pressure_high",),
        ("supply_pressure_deviation", "household_pressure_high", "pressure_abnormal"),
    ),
    Fold(
        SAME,
        (
            *("supply_pressure_deviation", "household_pressure_high", "household_pressure_low", "inlet_pressure_low"),
            *("fire_static_pressure_low", "fire_dynamic_pressure_low", "fire_dynamic_pressure_high"),
        ),
        ("pressure_abnormal",),
    ),
    Fold(SAME, ("pipe_burst",), ("night_flow_leak", "supply_pressure_deviation", "pressure_abnormal", "flow_abnormal")),
    Fold(SAME, ("night_flow_leak",), ("flow_abnormal", "leakage_high")),
    Fold(
        SAME,
        ("ph_out_of_range", "turbidity_high", "residual_chlorine_low", "residual_chlorine_high", "ammonia_high"),
        ("water_quality_near_limit",),
    ),
    Fold(SAME, ("basement_water", "sump_overflow_risk"), ("sump_level_high", "sump_not_draining")),
    Fold(SAME, ("basement_water",), ("sump_overflow_risk",)),
    Fold(SAME, ("sump_level_high",), ("sump_not_draining",)),
    Fold(SAME, ("sump_level_high", "sump_overflow_risk", "sump_not_draining"), ("pump_abnormal",)),
    Fold(SAME, ("tank_overflow",), ("tank_level_high",)),
    Fold(SAME, ("pump_dry_run", "pump_fault"), ("pump_no_flow", "pump_overload")),
    Fold(
        SAME,
        (
            *("pump_dry_run", "pump_fault", "pump_no_flow", "pump_overload", "pump_cycling", "jockey_pump_cycling"),
            *("pump_vibration_high", "bearing_temperature_high"),
        ),
        ("pump_abnormal", "flow_abnormal"),
    ),
    Fold(SAME, ("pump_overload",), ("bearing_temperature_high",)),
    Fold(SAME, ("bearing_temperature_high",), ("pump_vibration_high",)),
    Fold(SAME, ("pump_room_wet",), ("pump_room_humid",)),
)

_SENSOR = (
    # One broken sensor seen by several rules.
    Fold(SAME, ("sensor_never_reported",), ("sensor_silent",)),
    Fold(SAME, ("cabinet_link_lost", "centre_link_fault", "signal_weak"), ("sensor_silent", "sensor_flatline")),
    Fold(SAME, ("sensor_clock_skew",), ("sensor_silent",)),
    Fold(
        SAME,
        ("sensor_impossible_value",),
        ("sensor_stuck_at_rail", "sensor_impossible_jump", "sensor_flatline", "sensor_silent", "abnormal_reading"),
    ),
    Fold(SAME, ("sensor_stuck_at_rail",), ("sensor_impossible_jump", "sensor_flatline", "abnormal_reading")),
    Fold(SAME, ("sensor_impossible_jump",), ("abnormal_reading",)),
    Fold(SAME, ("gateway_clock_wrong",), ("sensor_clock_skew",)),
    Fold(SAME, ("gateway_spool_full",), ("telemetry_lost",)),
)
"""No more than that: another of the equipment's readings may be odd in earnest, and the order is another party's."""

_MEASURED = (
    # Lift
    *(
        "acceleration_high",
        "brake_timing_abnormal",
        "door_timing_abnormal",
        "levelling_poor",
        "machine_temperature_high",
    ),
    *("machine_temperature_abnormal", "machine_room_temperature_abnormal", "motor_current_high"),
    *("motor_current_abnormal", "noise_high", "pit_water_present", "speed_abnormal", "vibration_high"),
    *("vibration_abnormal", "supply_voltage_abnormal", "phase_missing"),
    # Fire and power
    *("cable_temperature_high", "residual_current_high", "gas_alarm", "fire_tank_low", "fire_static_pressure_low"),
    *("fire_dynamic_pressure_low", "fire_dynamic_pressure_high", "jockey_pump_cycling", "bus_fault"),
    # Water
    *("supply_pressure_loss", "supply_pressure_high", "supply_pressure_deviation", "household_pressure_high"),
    *("household_pressure_low", "inlet_pressure_low", "pressure_abnormal", "flow_abnormal", "night_flow_leak"),
    *("pipe_burst", "pump_dry_run", "pump_fault", "pump_no_flow", "pump_overload", "pump_cycling", "pump_abnormal"),
    *("pump_vibration_high", "bearing_temperature_high", "pump_room_humid", "pump_room_wet", "frost_risk"),
    *("tank_level_low", "tank_level_high", "tank_overflow", "basement_water", "sump_level_high", "sump_overflow_risk"),
    *("sump_not_draining", "manhole_cover_displaced", "ammonia_high", "colour_high", "ph_out_of_range"),
    *("residual_chlorine_low", "residual_chlorine_high", "turbidity_high", "water_quality_near_limit"),
)
"""Faults by which readings themselves are unusual."""

_LEARNT = (
    Fold(SAME, _MEASURED, _ODD),
    # Several that learn see the same: the first has the case.
    *(Fold(SAME, (one,), tuple(other for other in _ODD if other != one)) for one in _ODD),
)

FOLDS = (*_BETWEEN, *_LIFT, *_POWER_AND_FIRE, *_WATER, *_SENSOR, *_LEARNT)


def causes(condition: str, parents: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Relation, parent and those conditions of the parent that would explain the child's condition."""
    for relation, parent in parents:
        found = dict.fromkeys(
            cause for fold in FOLDS if fold.relation == relation and condition in fold.symptoms for cause in fold.causes
        )
        if found:
            yield relation, parent, tuple(found)


def symptoms(condition: str) -> dict[str, list[str]]:
    """Relation → conditions that this one explains in what depends on it."""
    found: dict[str, list[str]] = {}
    for fold in FOLDS:
        if condition in fold.causes:
            found.setdefault(fold.relation, []).extend(fold.symptoms)
    return found
