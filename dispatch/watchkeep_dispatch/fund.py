"""Emergency use of the special maintenance fund (民法典 281) as a sub-process of a case.

The property company asks, the owners' committee verifies on site (then the repair may begin at once), the use is
publicised, the custodian approves, the bill is settled. Nobody takes two of the first, second and fourth step.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch.acting import standing
from watchkeep_dispatch.actions import Request
from watchkeep_dispatch.clocks import WorkCalendar
from watchkeep_dispatch.errors import GuardFailed, NoSuchCase, NotAllowed
from watchkeep_dispatch.orders import tell

TRIGGERS = {
    "roof_leak": "屋面、外墙渗漏严重",
    "lift_barred": "电梯故障危及安全、被责令停用",
    "fire_facility_fault": "消防设施严重故障",
    "facade_loose": "外墙、女儿墙开裂或脱落危险",
    "curtain_wall": "玻璃幕墙脱落危险",
    "sewer_blocked": "排水设施严重堵塞或爆裂",
    "basement_flooded": "地下室进水",
    "secondary_supply": "未移交的二次供水泵、管道损坏",
    "other_safety": "其他危及人身安全的情形",
}
"""The emergencies of the list (Jining S75, Jieyang S72; DOMAIN §5.4). Check locally."""


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the sub-process; `within` is the time allowed for what comes after it, in working days."""

    action: str
    from_states: tuple[str, ...]
    to: str
    actors: tuple[str, ...]
    within_days: int = 0
    """0 = nothing is awaited."""
    apart: bool = False
    """Must be another person than those of the steps before."""


STEPS = (
    Step("request", (), "requested", ("property_manager", "safety_manager"), 2),
    Step("verify", ("requested",), "verified", ("owners_representative", "subdistrict_office"), 5, apart=True),
    Step(
        "publicise", ("verified",), "publicised", ("property_manager", "owners_representative", "subdistrict_office"), 5
    ),
    Step("approve", ("publicised",), "approved", ("authority_officer", "city_office"), 30, apart=True),
    Step("settle", ("approved",), "settled", ("authority_officer", "city_office", "subdistrict_office")),
    Step(
        "refuse",
        ("requested", "verified", "publicised"),
        "refused",
        ("owners_representative", "subdistrict_office", "authority_officer", "city_office"),
        apart=True,
    ),
)
"""Times: survey in 2 working days (Dongguan), review in 5 (Fujian); the others CP. DOMAIN §5.4."""
FINAL = ("settled", "refused")
MOST = Decimal(10) ** 10
"""Yuan; what the column holds."""
_BY_ACTION = {step.action: step for step in STEPS}


def request(conn: Connection, case_id: int, asked: Request, trigger: str, estimate: Decimal) -> int:
    """Ask for money for a case, `asked.reason` says why; returns the request.

    Raises NoSuchCase, StaleVersion, NotAllowed, GuardFailed.
    """
    case, roles = standing(conn, case_id, asked)
    step = _BY_ACTION["request"]
    if case.closed_at is not None:
        raise NotAllowed("fund", case.state, role_missing=False)
    if not roles & set(step.actors):
        raise NotAllowed("fund", case.state, role_missing=True)
    if trigger not in TRIGGERS:
        raise GuardFailed("trigger", f"{trigger!r}: expected one of {', '.join(TRIGGERS)}")
    if not asked.reason.strip():
        raise GuardFailed("reason", "not met: a reason is given")
    if not estimate.is_finite() or not 0 < estimate < MOST:
        raise GuardFailed("estimate", "must be an amount in yuan above 0")
    if found := conn.execute(_sql("has_request"), [case_id]).fetchone():
        raise GuardFailed("fund", f"request {found[0]} of this case is open already")
    row = {
        "case_id": case_id,
        "trigger": trigger,
        "estimate": estimate,
        "reason": asked.reason.strip(),
        "due": _due(step, case.now, asked.calendar),
        "now": case.now,
    }
    made = conn.execute(_sql("open_request"), row).fetchone()
    number = int(made[0]) if made else 0
    _note(conn, number, step, None, asked, case.now, asked.reason)
    values = {"trigger": TRIGGERS[trigger], "estimate": f"{estimate:.2f}", "reason": asked.reason}
    told = (case.first_responder_id, case.supervising_org_id)
    tell(conn, case, "fund_requested", told, f"fund/{number}", wall=asked.now, values=values)
    return number


def take(conn: Connection, request_id: int, action: str, asked: Request, *, settled: Decimal | None = None) -> str:
    """Take a step of a request; `asked.reason` is its record (what was seen, where it was posted …). Returns the state.

    Raises NoSuchCase, NotAllowed, GuardFailed.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_sql("request"), [request_id]).fetchone()
    if found is None:
        raise NoSuchCase("fund request", request_id)
    step = _BY_ACTION.get(action)
    if step is None or found["state"] not in step.from_states:
        raise NotAllowed(action, found["state"], role_missing=False)
    case, roles = standing(conn, found["case_id"], asked)
    if not roles & set(step.actors):
        raise NotAllowed(action, found["state"], role_missing=True)
    if step.apart and asked.person_id in found["persons"]:
        raise GuardFailed("another_person", "whoever took an earlier step may not take this one")
    if not asked.reason.strip():
        raise GuardFailed("reason", "the record of this step must be given")
    if (action == "settle") != (settled is not None) or not (
        settled is None or (settled.is_finite() and 0 <= settled < MOST)
    ):
        raise GuardFailed("settled", "the amount spent belongs to the settlement")
    row = {
        "id": request_id,
        "to": step.to,
        "due": _due(step, case.now, asked.calendar),
        "settled": settled,
        "ends": step.to in FINAL,
        "now": case.now,
    }
    conn.execute(_sql("step_request"), row)
    _note(conn, request_id, step, found["state"], asked, case.now, asked.reason)
    return step.to


def requests(conn: Connection, case_id: int | None = None, *, open: bool = False) -> list[dict[str, Any]]:
    """Requests with their steps, newest first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql("requests"), {"case_id": case_id, "open": open}).fetchall()


def _due(step: Step, now: datetime, calendar: WorkCalendar) -> datetime | None:
    return calendar.deadline(now, timedelta(days=step.within_days), "working_days") if step.within_days else None


def _note(
    conn: Connection, number: int, step: Step, from_state: str | None, asked: Request, now: datetime, text: str
) -> None:
    row = {
        "id": number,
        "action": step.action,
        "from": from_state,
        "to": step.to,
        "person": asked.person_id,
        "now": now,
        "note": text.strip(),
    }
    conn.execute(_sql("note_step"), row)
    audit.record(conn, f"fund.{step.action}", "fund_request", str(number), person_id=asked.person_id)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/ledger.sql")[name]
