"""Taking one step of a case in the caller's transaction: its facts are read, the guards asked, all is written."""

from collections.abc import Iterable
from datetime import timedelta

from psycopg import Connection, sql
from psycopg.rows import class_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch import evidence_files, rota
from watchkeep_dispatch.actions import Asked, CaseFacts, Done, Evidence, LeadOrder, Request, Step, check
from watchkeep_dispatch.duty_file import EVIDENCE
from watchkeep_dispatch.errors import GuardFailed, KeyReused, NoSuchCase, StaleVersion
from watchkeep_dispatch.lifecycle import FINAL, Transition, transition
from watchkeep_dispatch.orders import Case, load_case, note

VERIFY_WITHIN = (timedelta(days=1), "working_days")
"""From the handler's report to its check (DOMAIN §6, CP)."""
PAUSE_HOLDS = timedelta(hours=24)
"""Nobody has decided on a pause within this time: it has lapsed."""
ORDER_ENDS = (*FINAL, "returned", "rework", "ledger")
"""A case that comes into one of these states has done with its present order."""


def act(
    conn: Connection, action: str, case_id: int, request: Request, evidence: Iterable[Evidence] = ()
) -> tuple[Done, Step | None]:
    """Take one step in the caller's transaction. The step is None when the key had taken it before.

    Raises NoSuchCase, KeyReused, StaleVersion, NotAllowed, GuardFailed; the caller must roll back then.
    """
    case = load_case(conn, case_id, request.now)
    if case is None:
        raise NoSuchCase("case", case_id)
    if _repeated(conn, action, case_id, request.key):
        return Done(case_id, case.state, case.version, repeated=True), None
    if request.version not in (None, case.version):
        raise StaleVersion(case_id, request.version or 0, case.version)
    step = _step(conn, transition(action), case, request, evidence)
    check(step)
    return _complete(conn, step), step


def standing(conn: Connection, case_id: int, request: Request) -> tuple[Case, frozenset[str]]:
    """The case, locked, and the roles in which the person stands to it. Raises NoSuchCase, StaleVersion."""
    case = load_case(conn, case_id, request.now)
    if case is None:
        raise NoSuchCase("case", case_id)
    if request.version not in (None, case.version):
        raise StaleVersion(case_id, request.version or 0, case.version)
    return case, roles_of(conn, case, request.person_id, None)[0]


def add_evidence(
    conn: Connection, case: Case, order_id: int | None, person_id: str, pieces: Iterable[Evidence]
) -> None:
    """Store evidence: photos checked and made smaller, scanned codes compared with the equipment's own.

    Raises GuardFailed: `evidence` for an unknown kind, `photo`, `scan`.
    """
    for piece in pieces:
        if piece.kind not in EVIDENCE:
            raise GuardFailed("evidence", f"no kind {piece.kind!r}; known: {', '.join(EVIDENCE)}")
        image = evidence_files.photo(piece.content) if piece.content is not None else None
        row = {
            "case_id": case.case_id,
            "order_id": order_id,
            "kind": piece.kind,
            "note": piece.note,
            "media_type": image.media_type if image else "",
            "content": image.content if image else None,
            "sha256": image.sha256 if image else None,
            "original": image.original_sha256 if image else None,
            "latitude": image.latitude if image else None,
            "longitude": image.longitude if image else None,
            "taken_at": image.taken_at if image else None,
            "matches": _scan_matches(conn, case, piece) if piece.kind == "scan" else None,
            "person": person_id,
            "now": case.now,
        }
        conn.execute(_sql("add_evidence"), row)


def _scan_matches(conn: Connection, case: Case, piece: Evidence) -> bool | None:
    """Whether a code is on the label of the case's equipment; None for a case about a place. Raises GuardFailed."""
    if case.equipment_id is None:
        return None
    asked = {
        "community": case.community_id,
        "equipment": case.equipment_id,
        "code": evidence_files.scanned(piece.note),
    }
    found = conn.execute(_sql("scan_matches"), asked).fetchone()
    if found is None:  # equipment that the register does not know has no label
        return None
    if not found[0]:
        raise GuardFailed("scan", "the code is not that of this equipment")
    return True


def _repeated(conn: Connection, action: str, case_id: int, key: str | None) -> bool:
    found = conn.execute(_sql("done_with_key"), [key]).fetchone() if key else None
    if found is not None and found != (case_id, action):
        raise KeyReused(f"key {key!r} was used for {found[1]} of case {found[0]}")
    return found is not None


def _step(conn: Connection, row: Transition, case: Case, request: Request, evidence: Iterable[Evidence]) -> Step:
    with conn.cursor(row_factory=class_row(LeadOrder)) as cursor:
        order = cursor.execute(_sql("lead_order"), [case.case_id]).fetchone()
    add_evidence(conn, case, order.order_id if order else None, request.person_id, evidence)
    with conn.cursor(row_factory=class_row(CaseFacts)) as cursor:
        facts = cursor.execute(_sql("case_facts"), [case.case_id]).fetchone()
    if facts is None:
        raise NoSuchCase("case", case.case_id)
    roles, organisations = roles_of(conn, case, request.person_id, order)
    pause = asked_pause(conn, case, order) if "pause_asked" in row.guards else None
    licensed = (
        "licensed" not in row.guards
        or order is None
        or rota.licensed(conn, request.person_id, order.org_id, case.community_id, case.equipment_id)
    )
    return Step(row, case, order, facts, roles, organisations, request, licensed, pause)


def asked_pause(conn: Connection, case: Case, order: LeadOrder | None) -> Asked | None:
    """The pause asked for on an order that nobody has decided on and that has not lapsed."""
    if order is None:
        return None
    wanted = {"order_id": order.order_id, "since": case.now - PAUSE_HOLDS}
    found = conn.execute(queries("watchkeep_dispatch", "sql/pausing.sql")["asked"], wanted).fetchone()
    if found is None:
        return None
    number, asked_by, asked_at, reason = found
    return Asked(number, asked_by, asked_at, reason, roles_of(conn, case, asked_by, order)[0])


def roles_of(
    conn: Connection, case: Case, person_id: str, order: LeadOrder | None
) -> tuple[frozenset[str], frozenset[str]]:
    """Roles of a person that cover this case, and the organisations through which."""
    concerned = {case.first_responder_id, case.responsible_org_id, case.supervising_org_id, order and order.org_id}
    person = {
        "person": person_id,
        "community": case.community_id,
        "organisations": [org for org in concerned if org],
    }
    found = conn.execute(_sql("roles"), person).fetchone() or ([], [])
    return frozenset(found[0]), frozenset(found[1])


def _complete(conn: Connection, step: Step) -> Done:
    case, request, to = step.case, step.request, step.row.to
    final = to in FINAL
    row = {"case_id": case.case_id, "version": case.version, "to": to, "final": final, "now": case.now}
    changed = conn.execute(_sql("step_case"), row).fetchone()
    if changed is None:
        raise StaleVersion(case.case_id, case.version, case.version + 1)
    if step.order:
        order = {
            "order_id": step.order.order_id,
            "to": to,
            "action": step.row.action,
            "now": case.now,
            "person": request.person_id,
            "ends": to in ORDER_ENDS,
            "verify_due": request.calendar.deadline(case.now, *VERIFY_WITHIN) if step.row.action == "finish" else None,
        }
        conn.execute(_sql("step_order"), order)
    if final or to == "ledger":
        conn.execute(_sql("end_helpers"), {"case_id": case.case_id, "to": to, "now": case.now})
    order_id = step.order.order_id if step.order else None
    note(
        conn,
        case,
        step.row.action,
        to,
        from_state=case.state,
        order_id=order_id,
        person_id=request.person_id,
        text=request.reason,
        key=request.key,
    )
    detail = {
        "from": case.state,
        "to": to,
        "order": order_id,
        "approver": request.approver_id,
        "organisation": request.org_id,
        "into": request.into_case_id,
    }
    audit.record(
        conn,
        f"case.{step.row.action}",
        "case",
        str(case.case_id),
        person_id=request.person_id,
        detail={name: value for name, value in detail.items() if value is not None},
    )
    return Done(case.case_id, to, int(changed[0]))


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/cases.sql")[name]
