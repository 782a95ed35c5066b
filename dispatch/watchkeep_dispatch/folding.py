"""What is a mere symptom of something else's trouble (one declared table), and cases that turn out to be."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql

from watchkeep_core.database import queries
from watchkeep_dispatch import verdicts
from watchkeep_dispatch.casework import Rules
from watchkeep_dispatch.merging import merge_by_system
from watchkeep_dispatch.orders import Case, load_case, note
from watchkeep_dispatch.verdicts import Outcome, Waiting

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
        (*_POWER, *_SILENCE, *_NO_WATER, "gateway_offline", "out_of_service", "mode_emergency_power"),
    ),
    Fold(
        "served_by",
        ("supply_pressure_loss", "pipe_burst", "power_loss"),
        (*_NO_WATER, "inlet_pressure_low", "tank_level_low"),
    ),
    Fold(
        SAME,
        _TRAPPED,
        (
            "stop_off_zone",
            "door_close_fail",
            "door_open_fail",
            "door_held_open",
            "door_cycling",
            "start_failure",
            "position_lost",
            "controller_fault",
            "elevator_fault_other",
            "out_of_service",
        ),
    ),
    Fold(SAME, ("power_loss",), ("out_of_service", "mode_emergency_power", "phase_missing", "supply_voltage_abnormal")),
    Fold(SAME, ("supply_pressure_loss",), ("supply_pressure_deviation", "household_pressure_low")),
    Fold(SAME, ("pipe_burst",), ("night_flow_leak", "supply_pressure_deviation", "flow_abnormal")),
    Fold(SAME, ("door_close_fail", "door_open_fail", "door_cycling"), ("door_held_open", "door_timing_abnormal")),
    Fold(SAME, ("basement_water", "sump_overflow_risk"), ("sump_level_high", "sump_not_draining")),
    Fold(SAME, ("sump_level_high",), ("sump_not_draining",)),
    Fold(SAME, ("tank_overflow",), ("tank_level_high",)),
    Fold(SAME, ("pump_dry_run", "pump_fault"), ("pump_no_flow", "pump_overload", "pump_abnormal")),
)
"""Life safety is a cause in this table, never a symptom."""


def causes(condition: str, parents: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Relation, parent and those conditions of the parent that would explain the child's condition."""
    for relation, parent in parents:
        for fold in FOLDS:
            if fold.relation == relation and condition in fold.symptoms:
                yield relation, parent, fold.causes


def symptoms(condition: str) -> dict[str, list[str]]:
    """Relation → conditions that this one explains in what depends on it."""
    found: dict[str, list[str]] = {}
    for fold in FOLDS:
        if condition in fold.causes:
            found.setdefault(fold.relation, []).extend(fold.symptoms)
    return found


def fold(conn: Connection, warning: Waiting, now: datetime, rules: Rules) -> Outcome | None:
    """A symptom joins the open case of its cause; where a cause may still come, it waits for it a little."""
    key = {"community": warning.community_id, "equipment": warning.equipment_id}
    parents = [(SAME, warning.equipment_id), *conn.execute(_sql("parents"), key).fetchall()]
    may_come = False
    for relation, parent, conditions in causes(warning.condition, parents):
        may_come |= relation != SAME
        cause = {"community": warning.community_id, "parent": parent, "conditions": list(conditions)}
        found = conn.execute(_sql("open_cause"), cause).fetchone()
        case = load_case(conn, found[0], now) if found else None
        if case is not None and case.closed_at is None:
            return _into(conn, warning, case, f"{relation} {parent}: case {case.case_id}", now)
    due = warning.detected_at + rules.fold_wait
    if may_come and warning.proposed_class != "A" and now < due:
        verdicts.postpone(conn, warning, due)
        return Outcome(warning.warning_id, "waits", "topology")
    return None


def fold_earlier(conn: Connection, cause: Case, now: datetime, rules: Rules) -> list[int]:
    """The symptom was faster than its cause: young cases that nobody has accepted yet go into the cause's case."""
    merged: list[int] = []
    if cause.equipment_id is None:
        return merged
    for relation, conditions in symptoms(cause.condition).items():
        row = {
            "community": cause.community_id,
            "parent": cause.equipment_id,
            "relation": relation,
            "conditions": conditions,
            "since": cause.now - rules.fold_back,
        }
        for (case_id,) in conn.execute(_sql("early_symptoms"), row).fetchall():
            case = load_case(conn, case_id, now)
            if case is not None and case.closed_at is None:
                merge_by_system(conn, case, cause, f"{relation} {cause.equipment_id}", now)
                merged.append(case_id)
    return merged


def _into(conn: Connection, warning: Waiting, case: Case, reason: str, now: datetime) -> Outcome:
    verdicts.record(conn, warning, "merged", "topology", reason, now)
    conn.execute(_sql("attach"), [warning.warning_id, case.case_id, "symptom"])
    text = f"warning {warning.warning_id} of {warning.equipment_id}: {warning.condition}"
    note(conn, case, "fold", case.state, from_state=case.state, text=text)
    verdicts.done(conn, warning)
    return Outcome(warning.warning_id, "merged", "topology", case.case_id, case.case_class)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/filing.sql")[name]
