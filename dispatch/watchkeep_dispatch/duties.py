"""Responsibility lists: stored as versions, published with effective dates by a second person, found again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from psycopg import Connection, sql
from psycopg.rows import dict_row

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch.duty_file import default_list
from watchkeep_dispatch.errors import DutyListError
from watchkeep_dispatch.routing import Deadline, Duty

PUBLISHERS = ("city_office", "authority_officer", "supervisor")
"""Roles that put a list into force: the leading group's office and the authorities (seed plan items 1 and 14)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What `load_default` found or wrote; `rows` is 0 when the list was there already."""

    list_id: int
    name: str
    rows: int
    published: bool


@dataclass(frozen=True, slots=True)
class InForce:
    """The list that decides now."""

    list_id: int
    name: str
    rows: tuple[Duty, ...]


def load_default(
    conn: Connection, now: datetime, *, created_by: str | None = None, published_by: str | None = None
) -> Loaded:
    """Write the packaged list as a version and publish it, in the caller's transaction; a second time does nothing.

    Its name carries a digest of its content. It is not published over a list that somebody made by hand: then it stays
    a draft. Raises DutyListError when both persons are the same one.
    """
    title, rows = default_list()
    name = version_name(title, rows)
    conn.execute(_sql("lock_lists"))
    known = conn.execute(_sql("list_by_name"), [name]).fetchone()
    if known:
        return Loaded(known[0], name, 0, known[1] == "published")
    list_id = save_draft(conn, name, rows, created_by=created_by)
    current = conn.execute(_sql("list_in_force"), {"now": now}).fetchone()
    ours = current is None or str(current[1]).startswith(title)
    if ours:
        publish(conn, list_id, now, person_id=published_by)
    return Loaded(list_id, name, len(rows), ours)


def version_name(title: str, rows: Sequence[Duty]) -> str:
    """A name that changes with the content."""
    return f"{title} {hashlib.sha256(msgspec.json.encode(rows)).hexdigest()[:8]}"


def save_draft(conn: Connection, name: str, rows: Sequence[Duty], *, created_by: str | None) -> int:
    """Write a new draft in the caller's transaction; returns its id. Raises DutyListError when the name is taken."""
    if conn.execute(_sql("list_by_name"), [name]).fetchone():
        raise DutyListError(f"responsibility list {name!r} is there already; choose another name")
    found = conn.execute(_sql("save_list"), [name, created_by]).fetchone()
    list_id = int(found[0]) if found else 0
    with conn.cursor() as cursor:
        cursor.executemany(_sql("save_duty"), [_columns(row) | {"list_id": list_id} for row in rows])
    audit.record(conn, "duties.draft", "duty_list", str(list_id), person_id=created_by, detail={"name": name})
    return list_id


def publish(
    conn: Connection, list_id: int, now: datetime, *, person_id: str | None, since: datetime | None = None
) -> None:
    """Publish a draft from `since` (default `now`) on; the list in force then ends. Four eyes: not by who made it.

    Raises DutyListError.
    """
    since = since or now
    if since < now:
        raise DutyListError(f"responsibility list {list_id}: cannot begin in the past ({since:%Y-%m-%d %H:%M} UTC)")
    conn.execute(_sql("lock_lists"))
    draft = conn.execute(_sql("draft"), [list_id]).fetchone()
    if draft is None:
        raise DutyListError(f"responsibility list {list_id} is no draft")
    if person_id is not None and draft[0] is not None and str(draft[0]) == person_id:
        raise DutyListError(f"responsibility list {list_id}: published by the person who made it; a second person must")
    conn.execute(_sql("end_lists"), {"since": since})
    conn.execute(_sql("publish"), {"list_id": list_id, "person_id": person_id, "now": now, "since": since})
    detail = {"since": since.isoformat()}
    audit.record(conn, "duties.publish", "duty_list", str(list_id), person_id=person_id, detail=detail)


def withdraw(conn: Connection, list_id: int, *, person_id: str) -> None:
    """Put a draft aside; it can no longer be published. Raises DutyListError."""
    if conn.execute(_sql("withdraw"), [list_id]).fetchone() is None:
        raise DutyListError(f"responsibility list {list_id} is no draft")
    audit.record(conn, "duties.withdraw", "duty_list", str(list_id), person_id=person_id)


def person(conn: Connection, login: str) -> str:
    """The id of an active person. Raises DutyListError."""
    found = conn.execute(_sql("person"), [login]).fetchone()
    if found is None:
        raise DutyListError(f"no person {login!r}")
    return str(found[0])


def may_publish(conn: Connection, person_id: str) -> bool:
    """Whether somebody holds one of the roles that publish a list."""
    found = conn.execute(_sql("may_publish"), [person_id, list(PUBLISHERS)]).fetchone()
    return bool(found and found[0])


def areas(conn: Connection) -> frozenset[str]:
    """Ids of all areas of the register."""
    return frozenset(area_id for (area_id,) in conn.execute(_sql("areas")))


def read_list(conn: Connection, list_id: int) -> InForce:
    """A list by its id, published or not. Raises DutyListError."""
    found = conn.execute(_sql("list_by_id"), [list_id]).fetchone()
    if found is None:
        raise DutyListError(f"responsibility list {list_id} is not there")
    return InForce(found[0], found[1], rows_of(conn, list_id))


def in_force(conn: Connection, now: datetime) -> InForce | None:
    """The published list whose dates hold `now`; None when there is none."""
    found = conn.execute(_sql("list_in_force"), {"now": now}).fetchone()
    return None if found is None else InForce(found[0], found[1], rows_of(conn, found[0]))


def rows_of(conn: Connection, list_id: int) -> tuple[Duty, ...]:
    """The rows of a list, by row number."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return tuple(_duty(row) for row in cursor.execute(_sql("duties_of_list"), [list_id]))


class Lists:
    """Remembers the rows of published lists: a published version never changes."""

    def __init__(self) -> None:
        self._known: InForce | None = None

    def in_force(self, conn: Connection, now: datetime) -> InForce | None:
        """As `in_force`, but reads the rows of a version once."""
        found = conn.execute(_sql("list_in_force"), {"now": now}).fetchone()
        if found is None:
            return None
        if self._known is None or self._known.list_id != found[0]:
            self._known = InForce(found[0], found[1], rows_of(conn, found[0]))
        return self._known


def versions(conn: Connection) -> list[dict[str, Any]]:
    """All lists with their dates and the number of their rows."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql("lists")).fetchall()


def duty(conn: Connection, duty_id: int) -> Duty:
    """One row by its id. Raises DutyListError."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_sql("duty_by_id"), [duty_id]).fetchone()
    if row is None:
        raise DutyListError(f"duty {duty_id} is not there")
    return _duty(row)


@lru_cache(maxsize=1)
def _statements() -> dict[str, sql.SQL]:
    return queries("watchkeep_dispatch", "sql/duties.sql")


def _sql(name: str) -> sql.SQL:
    return _statements()[name]


_CLOCKS = ("respond", "arrive", "finish")


def _columns(row: Duty) -> dict[str, Any]:
    columns = {
        name: getattr(row, name)
        for name in Duty.__dataclass_fields__
        if name not in (*_CLOCKS, "duty_id", "case_class", "copied", "evidence")
    }
    columns |= {"class": row.case_class, "copied": list(row.copied), "evidence": list(row.evidence)}
    for clock in _CLOCKS:
        deadline: Deadline | None = getattr(row, clock)
        columns |= {f"{clock}_in": deadline and deadline.amount, f"{clock}_kind": deadline and deadline.kind}
    return columns


def _duty(row: dict[str, Any]) -> Duty:
    columns = {name: row[name] for name in Duty.__dataclass_fields__ if name in row}
    columns |= {"case_class": row["class"], "copied": tuple(row["copied"]), "evidence": tuple(row["evidence"])}
    for clock in _CLOCKS:
        amount = row[f"{clock}_in"]
        columns[clock] = None if amount is None else Deadline(amount, row[f"{clock}_kind"])
    return Duty(**columns)
