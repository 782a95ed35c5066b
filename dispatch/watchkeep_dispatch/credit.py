"""信用信息: credit events with evidence, inspections, and their export to the city's credit system (plan item 12)."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch.errors import FieldRefused


class CreditRefused(FieldRefused):
    """A credit event or an inspection is not acceptable; `field` says what of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditEvent:
    """What is reported about an organisation; about a person only what a court has judged (`judgment_no`)."""

    org_id: str
    kind: Literal["good", "bad", "veto", "withdrawal"]
    code: str
    reason: str
    evidence_ref: str
    occurred_on: date
    points: float = 0.0
    valid_until: date | None = None
    """Default: one year (Yantai 2022)."""
    person_name: str = ""
    judgment_no: str = ""
    case_id: int | None = None
    withdraws_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One heading of a patrol or a half-year inspection: points given of points possible."""

    kind: Literal["half_year", "monthly_patrol"]
    subject_kind: Literal["company", "community", "subdistrict"]
    subject_id: str
    heading: str
    points: float
    possible: float
    inspected_on: date
    note: str = ""


def record(conn: Connection, event: CreditEvent, now: datetime, *, person_id: str | None) -> int:
    """Append a credit event; returns its id. Raises CreditRefused that names the field."""
    check(event, now)
    if event.withdraws_id is not None:
        wrong = conn.execute(_sql("withdrawable"), [event.withdraws_id]).fetchone()
        if wrong is None or wrong[0] == "withdrawal":
            raise CreditRefused("withdraws_id", f"{event.withdraws_id} is no credit event")
        if wrong[1] != event.org_id:
            raise CreditRefused("withdraws_id", f"{event.withdraws_id} is about {wrong[1]}, not {event.org_id}")
    row = asdict(event) | {"now": now, "person_id": person_id}
    row["valid_until"] = event.valid_until or _year_later(event.occurred_on)
    found = _insert(conn, "add_credit", row)
    detail = {"kind": event.kind, "code": event.code, "org": event.org_id}
    audit.record(conn, "credit.record", "credit_event", str(found), person_id=person_id, detail=detail)
    return found


def check(event: CreditEvent, now: datetime) -> None:
    """Raises CreditRefused. Pure."""
    if event.person_name.strip() and not event.judgment_no.strip():
        raise CreditRefused("judgment_no", "a person is reported only by a judgment that is in force")
    for field in ("code", "reason", "evidence_ref"):
        if not str(getattr(event, field)).strip():
            raise CreditRefused(field, "must be given")
    if event.occurred_on > now.date():
        raise CreditRefused("occurred_on", "is in the future")
    if event.valid_until is not None and event.valid_until < event.occurred_on:
        raise CreditRefused("valid_until", "is before it occurred")
    if not 0 <= event.points <= 1000:
        raise CreditRefused("points", "must be between 0 and 1000; `kind` says whether they are added or taken away")
    if (event.kind == "withdrawal") != (event.withdraws_id is not None):
        raise CreditRefused("withdraws_id", "belongs to a withdrawal, and to nothing else")


def export(conn: Connection, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Events recorded in a span, each with its evidence and the SHA-256 of its case's files."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql("export_credit"), {"since": since, "until": until}).fetchall()


def inspect(conn: Connection, found: Inspection, now: datetime, *, person_id: str | None) -> int:
    """Append a result of an inspection; returns its id. Raises CreditRefused."""
    if not 0 <= found.points <= found.possible or found.possible <= 0:
        raise CreditRefused("points", f"must be between 0 and possible ({found.possible})")
    if found.inspected_on > now.date():
        raise CreditRefused("inspected_on", "is in the future")
    kind = {"company": "org", "community": "community", "subdistrict": "area"}[found.subject_kind]
    if not conn.execute(queries("watchkeep_dispatch", "sql/known.sql")[kind], [found.subject_id]).rowcount:
        raise CreditRefused("subject_id", f"no {found.subject_kind} {found.subject_id!r}")
    number = _insert(conn, "add_inspection", asdict(found) | {"now": now, "person_id": person_id})
    detail = {"kind": found.kind, "subject": found.subject_id}
    audit.record(conn, "inspection.record", "inspection", str(number), person_id=person_id, detail=detail)
    return number


def _insert(conn: Connection, statement: str, row: dict[str, Any]) -> int:
    try:
        with conn.transaction():
            found = conn.execute(_sql(statement), row).fetchone()
    except psycopg.errors.ForeignKeyViolation as error:
        field = next(name for name in ("org_id", "case_id") if name in str(error.diag.constraint_name))
        raise CreditRefused(field, f"{row[field]!r} is not there") from None
    except psycopg.errors.UniqueViolation:
        raise CreditRefused("withdraws_id", "has been withdrawn already") from None
    except psycopg.errors.CheckViolation as error:
        raise CreditRefused("value", str(error.diag.constraint_name)) from None
    return int(found[0]) if found else 0


def _year_later(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year + 1, day=28)


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/scores.sql")[name]
