"""One row of a responsibility list changed on a page: always a new draft, so that what cases were judged by stays."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from psycopg import Connection

from watchkeep_console.asking import asking
from watchkeep_console.errors import Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_console.tuning import edits_duties
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import duties
from watchkeep_dispatch.duty_file import deadline, problems
from watchkeep_dispatch.errors import DutyListError
from watchkeep_dispatch.routing import Duty
from watchkeep_dispatch.work_order import CLASSES

DEADLINES = ("respond", "arrive", "finish")
PARTIES = ("first_responder", "responsible", "supervising")
TEXTS = ("closing_condition", "basis")
FIELDS = ("case_class", *PARTIES, *DEADLINES, *TEXTS)
_NUMBERED = re.compile(r" \((\d+)\)$")


def change_row(house: Services, session: Session, list_id: int, row_no: int, given: Mapping[str, str]) -> int:
    """The list with this row as it is `given`, as a new draft; a draft that it replaces is put aside. Returns its id.

    Raises Forbidden, NotFound, Invalid that names the field.
    """
    edits_duties(session)
    with asking(house, session) as conn:
        try:
            found = duties.read_list(conn, list_id)
        except DutyListError:
            raise NotFound("list", list_id) from None
        rows = [changed(row, given) if row.row_no == row_no else row for row in found.rows]
        if tuple(rows) == tuple(found.rows):
            raise Invalid("row_no", "nothing has been changed")
        who = session.person.person_id
        versions = {one["list_id"]: one for one in duties.versions(conn)}
        made = duties.save_draft(conn, _name(conn, found.name), rows, created_by=who)
        if versions[list_id]["status"] == "draft":
            duties.withdraw(conn, list_id, person_id=who)
        return made


def changed(row: Duty, given: Mapping[str, str]) -> Duty:
    """The row with what is given; an empty deadline is none. Raises Invalid that names the field. Pure."""
    new: dict[str, Any] = {name: given[name].strip() for name in (*PARTIES, *TEXTS, "case_class")}
    for name in DEADLINES:
        try:
            new[name] = deadline(given[name].strip()) if given[name].strip() else None
        except DutyListError as error:
            raise Invalid(name, str(error)) from None
    if new["case_class"] not in CLASSES:
        raise Invalid("case_class", f"one of {', '.join(CLASSES)}")
    if not new["basis"]:
        raise Invalid("basis", "must be given: a clause, a decision")
    made = replace(row, **new)
    for field, problem in problems(made, load()):
        raise Invalid(field, problem)
    return made


def _name(conn: Connection, name: str) -> str:
    """The next free one: "清单 (2)"."""
    base = _NUMBERED.sub("", name)
    taken = {one["name"] for one in duties.versions(conn)}
    return next(f"{base} ({n})" for n in range(2, len(taken) + 3) if f"{base} ({n})" not in taken)
