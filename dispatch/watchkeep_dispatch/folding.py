"""Which warnings are mere symptoms of another piece of equipment's trouble: one declared table, keyed by topology."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Fold:
    """While the parent has one of `causes`, the child's `symptoms` belong to the parent's case."""

    relation: str
    causes: tuple[str, ...]
    symptoms: tuple[str, ...]


FOLDS = (
    Fold("gateway_of", ("gateway_offline", "power_loss"), (*_SILENCE, "telemetry_lost", "alarm_latency_high")),
    Fold(
        "powered_by",
        ("power_loss", "phase_missing"),
        (*_POWER, *_SILENCE, *_NO_WATER, "gateway_offline", "out_of_service"),
    ),
    Fold(
        "served_by",
        ("supply_pressure_loss", "pipe_burst", "power_loss"),
        (*_NO_WATER, "inlet_pressure_low", "tank_level_low"),
    ),
)


def causes(condition: str, parents: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Relation, parent and those conditions of the parent that would explain the child's condition."""
    for relation, parent in parents:
        for fold in FOLDS:
            if fold.relation == relation and condition in fold.symptoms:
                yield relation, parent, fold.causes
