"""`/api/v1`: warnings, cases and orders, and what people do to them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from watchkeep_console import models as m
from watchkeep_console import reads, work
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.register import Cursor, Limit, RowId, Word
from watchkeep_console.errors import Conflict, Invalid, PreconditionFailed
from watchkeep_dispatch.actions import Evidence

router = APIRouter(route_class=TaggedRoute, tags=["work"])
Key = Annotated[
    str | None,
    Header(alias=work.KEY, min_length=1, max_length=100, description="a repeated request gets the first answer"),
]
Match = Annotated[
    str | None,
    Header(
        alias="If-Match", max_length=200, description="ETag of the case or order as it was read; 412 when it moved on"
    ),
]


@dataclass(frozen=True, slots=True)
class _Narrowed:
    """What a list of warnings or cases is narrowed to, and where it goes on."""

    of_class: Annotated[m.Class | None, Query(alias="class")] = None
    community: Word = None
    equipment_id: Annotated[str | None, Query(alias="equipment", max_length=64)] = None
    cursor: Cursor = None
    limit: Limit = reads.PAGE


Narrowed = Annotated[_Narrowed, Depends()]


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"note": "保洁误碰，现场正常"}})

    note: Annotated[str, Field(max_length=2000)] = ""


class Piece(BaseModel):
    """A note, a scanned code or a reading; photos go through the technician's page."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["scan", "note", "reading", "signature"]
    note: Annotated[str, Field(min_length=1, max_length=2000)]


class ActBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"version": 3, "note": "更换门机皮带，试运行 10 次正常"}}
    )

    version: Annotated[
        int | None, Field(ge=1, description="the case's version as it was read; 409 when it moved on")
    ] = None
    note: Annotated[str, Field(max_length=2000, description="reason or what was done")] = ""
    org_id: Annotated[str | None, Field(max_length=64, description="return, redispatch: the organisation meant")] = None
    approver: Annotated[str | None, Field(max_length=64, description="suspend: login of the superior who is asked")] = (
        None
    )
    into_case_id: Annotated[int | None, Field(ge=1, description="merge: the open case that takes this one in")] = None
    to_class: Annotated[Literal["", "A", "B", "C"], Field(description="raise_class: the new class")] = ""
    evidence: Annotated[list[Piece], Field(max_length=20)] = []
    assignee: Annotated[str | None, Field(max_length=64, description="assign: login of who gets the order")] = None
    due: Annotated[AwareDatetime | None, Field(description="extend: the new finish deadline")] = None
    reached: Annotated[bool, Field(description="call_back: whether the reporter could be reached")] = True
    satisfied: Annotated[bool | None, Field(description="call_back: whether the reporter is satisfied")] = None

    def wanted(self, action: str, match: str | None) -> work.Act:
        """Raises Invalid(`If-Match`)."""
        pieces = tuple(Evidence(piece.kind, piece.note) for piece in self.evidence)
        return work.Act(
            action,
            self.version if match is None else _version(match),
            self.note,
            self.org_id,
            self.approver,
            self.into_case_id,
            self.to_class,
            pieces,
            self.assignee,
            self.due,
            self.reached,
            self.satisfied,
        )


def _version(tag: str) -> int | None:
    """What the ETag of a case or order says of its version; `*` = whatever it is now. Raises Invalid(`If-Match`)."""
    if tag.strip() == "*":
        return None
    found = re.fullmatch(r'"v(\d{1,9})-[0-9a-f]{32}"', tag.strip())
    if found is None:
        raise Invalid("If-Match", "must be one ETag of a case or an order")
    return int(found[1])


@contextmanager
def _matching(match: str | None) -> Iterator[None]:
    """Who asks by `If-Match` is refused by 412, who asks by `version` by 409."""
    try:
        yield
    except Conflict as error:
        if match is not None and error.code == "stale":
            raise PreconditionFailed(str(error), error.version) from error
        raise


@router.get("/warnings", summary="Warnings, newest first")
def warnings(
    house: House,
    current: Current,
    narrowed: Narrowed,
    status: Annotated[Literal["open", "cleared"] | None, Query()] = None,
) -> m.Page[m.Warning]:
    with house.identity.acting(current) as conn:
        return reads.warnings(conn, status=status, **asdict(narrowed))


@router.get("/warnings/{warning_id}", summary="One warning with its evidence")
def warning(warning_id: RowId, house: House, current: Current) -> m.WarningDetail:
    with house.identity.acting(current) as conn:
        return reads.warning(conn, warning_id)


@router.post("/warnings/{warning_id}/confirm", summary="File a warning that waits")
def confirm(warning_id: RowId, house: House, current: Current, key: Key = None) -> m.Done:
    return work.confirm(house, current, warning_id, key)


@router.post("/warnings/{warning_id}/dismiss", summary="Judge a warning that waits a false alarm")
def dismiss(warning_id: RowId, body: Note, house: House, current: Current, key: Key = None) -> m.Done:
    return work.dismiss(house, current, warning_id, body.note, key)


@router.get("/cases", summary="Cases, newest first")
def cases(
    house: House,
    current: Current,
    narrowed: Narrowed,
    is_open: Annotated[bool | None, Query(alias="open")] = None,
    state: Word = None,
) -> m.Page[m.Case]:
    with house.identity.acting(current) as conn:
        return reads.cases(conn, state=state, is_open=is_open, **asdict(narrowed))


@router.get("/cases/{case_id}", summary="One case: warnings, orders, history, clocks, what I may do")
def case(case_id: RowId, house: House, current: Current) -> m.CaseDetail:
    with house.identity.acting(current) as conn:
        return work.open_case(conn, current.person, case_id, house.clock.now())


@router.post("/cases/{case_id}/actions/{action}", summary="Take one step of a case")
def act(
    case_id: RowId, action: str, body: ActBody, house: House, current: Current, key: Key = None, match: Match = None
) -> m.Done:
    """Actions: accept, arrive, finish, return, redispatch, suspend, resume, rework, verify, close, dismiss,
    enter_ledger, strike; which are possible stands in `actions` of the case. Also raise_class, extend (by a superior,
    with `due`), assign (a person), assist (call in an organisation) and call_back (of a closed case).

    suspend by whoever works on it asks for a pause; suspend by a superior within 24 hours approves it, refuse_pause
    refuses it."""
    with _matching(match):
        return work.act(house, current, case_id, body.wanted(action, match), key)


@router.get("/orders", summary="Orders, newest first")
def orders(
    house: House,
    current: Current,
    mine: bool = False,
    is_open: Annotated[bool | None, Query(alias="open")] = None,
    state: Word = None,
    cursor: Cursor = None,
    limit: Limit = reads.PAGE,
) -> m.Page[m.Order]:
    """`mine`: assigned to me, or to my organisation and nobody yet."""
    with house.identity.acting(current) as conn:
        return reads.orders(conn, mine=mine, is_open=is_open, state=state, cursor=cursor, limit=limit)


@router.get("/orders/{order_id}", summary="One order and what I may do")
def order(order_id: RowId, house: House, current: Current) -> m.OrderDetail:
    with house.identity.acting(current) as conn:
        found = reads.order(conn, order_id)
        return reads.order_detail(conn, order_id, work.order_actions(current.person, conn, found))


@router.post("/orders/{order_id}/actions/{action}", summary="Take one step of an order's case")
def act_on_order(
    order_id: RowId, action: str, body: ActBody, house: House, current: Current, key: Key = None, match: Match = None
) -> m.Done:
    with _matching(match):
        return work.act_on_order(house, current, order_id, body.wanted(action, match), key)
