"""Usual values of every metric in a healthy community: the middle of what the default limits allow.

Figures without a note are common practice; those that have a limit keep clear of it by a good margin.
"""

from typing import NamedTuple

from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_rows import Limit, Metric
from watchkeep_firmware_sim.signals import LESS_WARMTH, LESS_WATER, LIFT_USE, POWER_USE, WARMTH, WATER_USE


class Typical(NamedTuple):
    """A range in the metric's unit; each device lives in its own part of it."""

    low: float
    high: float
    curve: tuple[float, ...] | None = None
    """Rises with this curve of the day; None = wanders."""
    memory_s: float = 1800
    """How fast it wanders."""


BY_KIND: dict[tuple[str, str], Typical] = {
    ("outdoor_hydrant", "static_pressure"): Typical(210, 330, LESS_WATER),
    ("fire_pump", "pump_current_percent"): Typical(0, 0.4),
    ("fire_pump", "pump_vibration"): Typical(0.1, 0.4),
    ("fire_pump", "bearing_temperature"): Typical(14, 26, WARMTH),
    ("fire_pump", "total_running_time"): Typical(20, 60),
    ("dma_meter", "inlet_pressure"): Typical(240, 330, LESS_WATER),
    ("fire_alarm_panel", "fire_current"): Typical(0.12, 0.34, None, 3600),  # quiescent current of the detection loops
    ("gateway", "alarm_latency"): Typical(0.4, 2.5, None, 60),
}

BY_METRIC: dict[str, Typical] = {
    # elevators and escalators
    "total_running_time": Typical(1500, 21000),
    "ride_count": Typical(80_000, 900_000),
    "supply_voltage_deviation": Typical(-4, 4, LESS_WARMTH),
    "running_speed_percent": Typical(97, 102, None, 600),
    "peak_acceleration": Typical(0.7, 1.2),
    "car_vibration_horizontal": Typical(0.05, 0.12),
    "car_vibration_vertical": Typical(0.08, 0.20),
    "levelling_error": Typical(-5, 5),
    "door_open_time": Typical(2.0, 2.8),
    "door_close_time": Typical(2.4, 3.1),
    "door_reopen_count": Typical(0, 1),
    "motor_current_percent": Typical(45, 75, LIFT_USE, 120),
    "machine_temperature": Typical(35, 62, LIFT_USE),
    "machine_room_temperature": Typical(17, 31, WARMTH),
    "car_noise": Typical(45, 53),
    "door_noise": Typical(54, 62),
    "machine_room_noise": Typical(62, 74),
    "brake_release_time": Typical(0.15, 0.30),
    "brake_engage_time": Typical(0.20, 0.38),
    "pit_water_level": Typical(0, 3),
    "intercom_test_age": Typical(2, 40),
    "intercom_failed_tests": Typical(0, 0.4),
    "car_floor": Typical(1, 20),
    # fire
    "static_pressure": Typical(190, 420),
    "end_test_pressure": Typical(90, 190),
    "hydrant_dynamic_pressure": Typical(370, 470),
    "discharge_pressure": Typical(340, 460, None, 300),
    "tank_volume": Typical(30, 90),
    "pipe_temperature": Typical(9, 22, WARMTH),
    "residual_current": Typical(100, 200, POWER_USE, 300),  # natural leakage
    "conductor_temperature": Typical(24, 54, POWER_USE, 600),
    "persons_on_duty": Typical(2, 2.4),
    "alarm_latency": Typical(1, 5, None, 60),
    "gas_concentration": Typical(0, 1.2),
    "fire_event_count": Typical(0, 3),
    "fire_height": Typical(2, 4),
    "fire_temperature": Typical(16, 30, WARMTH),
    "fire_pressure": Typical(200, 400),
    "fire_gas_concentration": Typical(0, 1.2),
    "fire_duration": Typical(10, 60),
    "fire_voltage": Typical(23.2, 24.6),
    "fire_current": Typical(1, 3),
    "fire_flow": Typical(0, 0.2),
    "fire_air_volume": Typical(40, 60),
    "fire_wind_speed": Typical(0, 2),
    # water
    "outlet_pressure": Typical(390, 420, None, 60),
    "outlet_pressure_setpoint": Typical(400, 400),
    "outlet_pressure_deviation": Typical(-14, 14, None, 60),
    "inlet_pressure": Typical(200, 300, LESS_WATER),
    "household_pressure": Typical(160, 290, LESS_WATER, 300),
    "water_level": Typical(60, 80),
    "residual_chlorine": Typical(0.30, 0.80, LESS_WATER),  # typical tap values are 0.2 to 1.0
    "turbidity": Typical(0.12, 0.5),
    "ph": Typical(7.1, 7.9),
    "ammonia_nitrogen": Typical(0.02, 0.12),
    "colour": Typical(2, 7),
    "pump_frequency": Typical(34, 46, WATER_USE, 120),
    "pump_current_percent": Typical(58, 86, WATER_USE, 120),
    "pump_flow": Typical(8, 40, WATER_USE, 120),
    "pump_vibration": Typical(1.2, 2.6),
    "bearing_temperature": Typical(38, 56, WATER_USE),
    "starts_per_hour": Typical(1, 5),
    "inlet_flow": Typical(6, 60, WATER_USE, 600),
    "water_volume": Typical(20_000, 400_000),
    "night_minimum_flow": Typical(5, 9),
    "network_leakage": Typical(5, 8),
    # rooms and drainage
    "humidity": Typical(48, 74, LESS_WARMTH),
    "room_temperature": Typical(13, 25, WARMTH),
    "water_level_rate": Typical(-0.2, 0.3),
    "pumps_running": Typical(0, 1),
    "cover_tilt": Typical(0, 2),
    # the platform itself
    "battery_voltage": Typical(3.35, 3.62, None, 86_400),
    "battery_level": Typical(62, 97, None, 86_400),
    "signal_strength": Typical(-92, -66, None, 300),
    "sensor_age": Typical(0.4, 2.2, None, 864_000),
    "clock_offset": Typical(-0.05, 0.05),
    "spool_depth": Typical(0, 120, None, 60),
    "disk_free": Typical(52, 78, None, 86_400),
}

PER_HOUR: dict[str, float] = {"total_running_time": 0.25, "ride_count": 22, "water_volume": 25}
"""How fast counters rise."""

NORMAL_STATES = frozenset(
    ("normal", "stopped", "none", "in_zone", "closed", "absent", "no", "dry", "on", "automatic", "answered", "up")
)
"""Ids of the states of a healthy machine at rest."""


def normal_state(metric: Metric) -> float:
    """Code of the healthy state."""
    codes = [code for code, state in metric.states.items() if state.id in NORMAL_STATES]
    return float(codes[0] if codes else min(metric.states))


def typical(kind: str, metric: Metric, vocabulary: Vocabulary) -> Typical:
    """The usual range of a number or counter; for a metric new to the vocabulary, what its limits leave."""
    known = BY_KIND.get((kind, metric.id)) or BY_METRIC.get(metric.id)
    return known or _between(metric, vocabulary.limits_for(kind, metric.id))


def _between(metric: Metric, limits: tuple[Limit, ...]) -> Typical:
    """The middle fifth of what neither limits nor physics forbid."""
    low = max((limit.value for limit in limits if limit.side == "below"), default=metric.min)
    high = min((limit.value for limit in limits if limit.side == "above"), default=metric.max)
    return Typical(low + 0.4 * (high - low), low + 0.6 * (high - low))
