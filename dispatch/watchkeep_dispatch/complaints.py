"""Complaints and calls: each finds its case (a new one, or an open one about the same equipment), and gets its answer.

Residents' reports arrive as bare rows (schema function report_problem) and are filed by the service; what people,
programs and files bring in is filed in the same transaction. The caller opens it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_core.errors import PermanentError
from watchkeep_core.logs import get_logger
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_dispatch import casework, evidence_files, parties, planning
from watchkeep_dispatch.errors import DispatchError, FieldRefused, GuardFailed
from watchkeep_dispatch.orders import Case, load_case
from watchkeep_dispatch.planning import Finding, Rules

_log = get_logger(__name__)

CHANNELS = ("hotline_12345", "minxin", "minsheng_110", "smart_community", "walk_in", "patrol")
"""Case sources that people and files may name; qr_code comes through the public page alone."""
REPORTABLE = ("resident_service", "community_order")
"""Domains of conditions that no sensor tells: repairs, hotline cases, what joint enforcement sees to (plan item 7)."""
PLACES = ("building", "public_space", "household", "fire_lane", "unknown")
"""Kinds that are places: two reports there are two matters, where two about one machine are one."""
PER_ROUND = 50
"""Filed or answered in one transaction, about 0.3 s."""
_ROUNDS = 5
_ANSWERS = {
    "closed": (
        "您反映的问题已处理完毕并通过核查，于 {at} 结案。",
        "The matter you reported has been dealt with and checked; it was closed on {at}.",
    ),
    "not_filed": (
        "经核实，您反映的问题不成立或已不存在。说明：{note}",
        "We have looked into it: there is nothing (left) to repair. Note: {note}",
    ),
}


class ComplaintRefused(FieldRefused):
    """A complaint cannot be taken in; `field` says what of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What somebody reports; `received_at` by the channel, UTC. `channel_no` makes a repeated import harmless."""

    source: str
    community_id: str
    condition: str
    description: str
    received_at: datetime
    equipment_id: str | None = None
    channel_no: str | None = None
    place: str = ""
    contact_name: str = ""
    contact_phone: str = ""
    """A number, or a mail address: the result goes there."""
    property_org_id: str | None = None
    """Who manages the community now."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Where a complaint went: its case, whether that was open before, and whether it had been taken in before."""

    complaint_id: int
    token: str
    case_id: int | None
    attached: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class _Waiting:
    complaint_id: int
    source: str
    channel_no: str | None
    community_id: str
    equipment_id: str | None
    condition: str
    place: str
    description: str
    received_at: datetime
    photo: bytes | None = None
    photo_type: str = ""


def reportable(vocabulary: Vocabulary) -> list[str]:
    """Conditions a person may report without a sensor, in the vocabulary's order."""
    return [name for name, known in vocabulary.conditions.items() if known.domain in REPORTABLE]


def default_condition(source: str) -> str:
    """What a complaint is about when its channel does not say."""
    return "hotline_case" if source == "hotline_12345" else "resident_repair"


def take(conn: Connection, complaint: Complaint, now: datetime, rules: Rules, *, person_id: str | None) -> Taken:
    """Take a complaint in and give it to a case. Raises ComplaintRefused that names the field, DispatchError."""
    check(complaint, now, rules.vocabulary)
    row = {name: getattr(complaint, name) for name in Complaint.__dataclass_fields__} | {"person_id": person_id}
    try:
        with conn.transaction():
            saved = conn.execute(_sql("save"), row).fetchone()
    except psycopg.errors.ForeignKeyViolation:
        raise ComplaintRefused("equipment_id", f"{complaint.equipment_id!r} is not in this community") from None
    if saved is None:
        found = conn.execute(_sql("by_channel_no"), [complaint.source, complaint.channel_no]).fetchone()
        if found is None:
            raise ComplaintRefused("channel_no", f"{complaint.channel_no!r} was taken in for another community")
        return Taken(found[0], found[1], found[2], repeated=True)
    fields = [name for name in Complaint.__dataclass_fields__ if name in _Waiting.__dataclass_fields__]
    waiting = _Waiting(complaint_id=saved[0], **{name: getattr(complaint, name) for name in fields})
    case, attached = _file(conn, waiting, now, rules, person_id)
    detail = {"source": complaint.source, "case": case.case_id, "attached": attached}
    audit.record(conn, "complaint.take", "complaint", str(saved[0]), person_id=person_id, detail=detail)
    return Taken(saved[0], saved[1], case.case_id, attached)


def check(complaint: Complaint, now: datetime, vocabulary: Vocabulary) -> None:
    """Raises ComplaintRefused that names the field. Pure."""
    known = vocabulary.conditions.get(complaint.condition)
    if complaint.source not in CHANNELS:
        raise ComplaintRefused("source", f"{complaint.source!r} is none of {', '.join(CHANNELS)}")
    if known is None or (known.domain not in REPORTABLE and complaint.equipment_id is None):
        raise ComplaintRefused("condition", f"{complaint.condition!r} cannot be reported without equipment")
    if not complaint.description.strip() or len(complaint.description) > 4000:
        raise ComplaintRefused("description", "must have 1 to 4000 characters")
    if complaint.received_at > now:
        raise ComplaintRefused("received_at", "is in the future")
    for field, longest in (("place", 200), ("contact_name", 100), ("contact_phone", 254), ("channel_no", 100)):
        if len(getattr(complaint, field) or "") > longest:
            raise ComplaintRefused(field, f"may have at most {longest} characters")


def file_reports(conn: Connection, now: datetime, rules: Rules) -> int:
    """Give residents' reports to cases; one that cannot be filed is marked and waits for a person. Returns how many."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = [_Waiting(**row) for row in cursor.execute(_sql("waiting"), [PER_ROUND])]
    for waiting in found:
        try:
            with conn.transaction():
                _file(conn, waiting, now, rules, None)
        except (PermanentError, psycopg.DataError, psycopg.IntegrityError) as error:
            conn.execute(_sql("refuse"), {"complaint_id": waiting.complaint_id, "why": str(error)[:500]})
            _log.error("report_not_filed", complaint=waiting.complaint_id, error=str(error))
    return len(found)


def answer_settled(conn: Connection, now: datetime, rules: Rules) -> int:
    """Answer every complaint whose case is over, take back answers of cases opened again; returns how many."""
    conn.execute(_sql("withdraw_answer"), {"now": now})
    with conn.cursor(row_factory=dict_row) as cursor:
        settled = cursor.execute(_sql("settled"), [PER_ROUND]).fetchall()
    for row in settled:
        zh, en = _ANSWERS.get(row["state"], _ANSWERS["closed"])
        values = {
            "at": row["closed_at"].astimezone(rules.calendar.zone).strftime("%Y-%m-%d %H:%M"),
            "note": row["note"] or "—",
        }
        words = {"zh": zh.format_map(values), "en": en.format_map(values), "complaint_id": row["complaint_id"]}
        conn.execute(_sql("answer"), words | {"now": now})
    return len(settled)


def listing(
    conn: Connection,
    *,
    complaint_id: int | None = None,
    community: str | None = None,
    source: str | None = None,
    answered: bool | None = None,
    refused: bool | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Complaints this login may see, newest first; numbers of reporters masked."""
    wanted = {
        "id": complaint_id,
        "community": community,
        "source": source,
        "answered": answered,
        "refused": refused,
        "before": before,
        "limit": limit,
    }
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql("list"), wanted).fetchall()


def _file(conn: Connection, waiting: _Waiting, now: datetime, rules: Rules, person_id: str | None) -> tuple[Case, bool]:
    """The case this complaint now belongs to, and whether it was there before."""
    condition = rules.vocabulary.conditions.get(waiting.condition)
    site = parties.read_site(conn, waiting.community_id, waiting.equipment_id, waiting.received_at, now)
    finding = Finding(
        community_id=waiting.community_id,
        equipment_id=waiting.equipment_id,
        condition=waiting.condition,
        source=waiting.source,
        event_at=min(waiting.received_at, site.now),
        life_safety=condition.life_safety if condition else False,
    )
    plan = planning.plan(conn, finding, site, now, rules)
    text = _text(waiting)
    case = _open_case(conn, finding, site, now, rules)
    if case is not None:
        casework.recur(conn, case, plan, now, text=text)
        _give(conn, waiting, case, now, attached=True)
        return case, True
    for _ in range(_ROUNDS):
        case = casework.known(conn, finding, site, now, rules)
        if case is not None and case.closed_at is None:
            casework.recur(conn, case, plan, now, text=text)
        elif case is not None:
            casework.reopen(conn, case, plan, rules, now)
        elif opened := casework.open_case(conn, plan, rules, now, text=text, person_id=person_id):
            _give(conn, waiting, opened.case, now, attached=False)
            return opened.case, False
        if case is not None:
            _give(conn, waiting, case, now, attached=True)
            return case, True
    raise DispatchError(f"complaint {waiting.complaint_id}: its case keeps changing")


def _open_case(conn: Connection, finding: Finding, site: parties.Site, now: datetime, rules: Rules) -> Case | None:
    """For an unspecific report about a machine: whatever is open about it. Life safety gets a case of its own."""
    condition = rules.vocabulary.conditions.get(finding.condition)
    vague = condition is not None and condition.domain == "resident_service"
    if not vague or finding.life_safety or finding.equipment_id is None or site.kind in PLACES:
        return None
    key = {"community": finding.community_id, "equipment": finding.equipment_id}
    found = conn.execute(_sql("any_open_case"), key).fetchone()
    return load_case(conn, found[0], now) if found else None


def _give(conn: Connection, waiting: _Waiting, case: Case, now: datetime, *, attached: bool) -> None:
    if waiting.photo:
        _keep_photo(conn, waiting, waiting.photo, case)
    given = {"case_id": case.case_id, "attached": attached, "complaint_id": waiting.complaint_id}
    conn.execute(_sql("give_to_case"), given)


def _keep_photo(conn: Connection, waiting: _Waiting, content: bytes, case: Case) -> None:
    """As a technician's photo: checked, made smaller, with time, place and the hash of the file as it came."""
    note = f"complaint {waiting.complaint_id}"
    row: dict[str, Any] = {"case_id": case.case_id, "now": case.now}
    try:
        photo = evidence_files.photo(content)
    except GuardFailed as error:  # the form has checked it; what comes past it must not hold up the complaint
        conn.execute(_sql("no_photo"), row | {"note": f"{note}: {error}"})
        return
    kept = {"original": photo.original_sha256} | {name: getattr(photo, name) for name in _KEPT}
    conn.execute(_sql("photo"), row | kept | {"note": note})


_KEPT = ("media_type", "content", "sha256", "latitude", "longitude", "taken_at")


def _text(waiting: _Waiting) -> str:
    """What the case's history says of it: never who reported it."""
    parts: Iterable[str | None] = (waiting.source, waiting.channel_no, waiting.place, waiting.description)
    return f"complaint {waiting.complaint_id}: " + " · ".join(part for part in parts if part)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/complaints.sql")[name]
