"""`/api/v1`: the ledger and its monthly study, agendas of meetings, emergency use of the maintenance fund."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from watchkeep_console import reads
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.register import RowId, Word
from watchkeep_console.asking import asking
from watchkeep_console.errors import Forbidden
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_dispatch import fund, ledger
from watchkeep_dispatch.actions import Request

router = APIRouter(route_class=TaggedRoute, tags=["ledger"])
Yuan = Annotated[Decimal, Field(ge=0, lt=fund.MOST, decimal_places=2)]


class StudyBody(BaseModel):
    """The monthly study of an entry."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"finding": "列入大修", "org_id": "anda", "due_on": "2027-01-31"}}
    )

    finding: Annotated[str, Field(min_length=1, max_length=4000)]
    org_id: Annotated[str, Field(max_length=64, description="responsible unit")]
    due_on: date


class FundBody(BaseModel):
    """A request for money."""

    model_config = ConfigDict(extra="forbid")

    trigger: Annotated[str, Field(max_length=64)]
    estimate: Yuan
    reason: Annotated[str, Field(min_length=1, max_length=4000)]


class StepBody(BaseModel):
    """The record of a step."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(min_length=1, max_length=4000)]
    settled: Annotated[Yuan | None, Field(description="settle: yuan spent")] = None


class Entry(BaseModel):
    """A case that could not be solved."""

    case_id: int
    title_zh: str
    title_en: str
    community: str
    reason: str
    responsible_org_id: str | None
    responsible: str | None
    entered_at: datetime
    due_on: date | None
    struck_at: datetime | None
    studies: int
    studied: bool
    finding: str | None


class Topic(BaseModel):
    """A case for a meeting."""

    model_config = ConfigDict(from_attributes=True)

    case_id: int
    title_zh: str
    title_en: str
    community: str
    case_class: str
    responsible: str | None
    filed_at: datetime
    reasons: list[str]
    finding: str | None


class FundRequest(BaseModel):
    """A request with its steps."""

    request_id: int
    case_id: int
    trigger: str
    estimate: float
    reason: str
    state: str
    due_at: datetime | None
    opened_at: datetime
    settled: float | None
    closed_at: datetime | None
    steps: list[dict[str, Any]]


@router.get("/ledger", summary="What could not be solved (挂账)")
def entries(
    house: House,
    current: Current,
    area: Word = None,
    struck: Annotated[bool, Query(description="those struck off as well")] = False,
    unstudied: Annotated[bool, Query(description="only those not studied this month")] = False,
) -> list[Entry]:
    today = house.clock.now().date()
    with house.identity.acting(current) as conn:
        found = ledger.entries(conn, today, area=area, struck=struck, unstudied=unstudied)
    return [Entry.model_validate(row) for row in found]


@router.post("/ledger/{case_id}/studies", summary="Monthly study of an entry: responsible unit and time limit")
def study(case_id: RowId, body: StudyBody, house: House, current: Current) -> Response:
    with _acting(house, current) as conn:
        reads.case(conn, case_id)
        asked = _request(house, current, org_id=body.org_id)
        ledger.study(conn, case_id, asked.now.date(), body.finding, body.due_on, asked)
    return Response(status_code=204)


@router.get("/areas/{area}/agenda", summary="Agenda of a meeting, from what is unsolved")
def agenda(
    area: str, house: House, current: Current, meeting: Annotated[Literal["joint", "plenary"], Query()] = "joint"
) -> list[Topic]:
    """Of what the person may see."""
    with _acting(house, current) as conn:
        return [Topic.model_validate(topic) for topic in ledger.agenda(conn, area, meeting, house.clock.now())]


@router.get("/cases/{case_id}/fund", summary="Requests for money of a case, with their steps")
def requests(case_id: RowId, house: House, current: Current) -> list[FundRequest]:
    with house.identity.acting(current) as conn:
        reads.case(conn, case_id)
        return [FundRequest.model_validate(row) for row in fund.requests(conn, case_id)]


@router.post("/cases/{case_id}/fund", summary="Ask for emergency money from the maintenance fund")
def request(case_id: RowId, body: FundBody, house: House, current: Current) -> dict[str, int]:
    with _acting(house, current) as conn:
        reads.case(conn, case_id)
        asked = _request(house, current, reason=body.reason)
        return {"request": fund.request(conn, case_id, asked, body.trigger, body.estimate)}


@router.post("/fund/{request_id}/actions/{action}", summary="verify, publicise, approve, settle or refuse a request")
def take(request_id: RowId, action: str, body: StepBody, house: House, current: Current) -> dict[str, str]:
    with _acting(house, current) as conn:
        asked = _request(house, current, reason=body.note)
        return {"state": fund.take(conn, request_id, action, asked, settled=body.settled)}


@contextmanager
def _acting(house: Services, current: Session) -> Iterator[Connection]:
    if current.person.scopes is not None and "case:act" not in current.person.scopes:
        raise Forbidden("case:act")
    with asking(house, current) as conn:
        yield conn


def _request(house: Services, current: Session, *, reason: str = "", org_id: str | None = None) -> Request:
    return Request(
        person_id=current.person.person_id,
        now=house.clock.now(),
        reason=reason,
        org_id=org_id,
        calendar=house.rules.calendar,
    )
