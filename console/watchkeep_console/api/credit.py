"""`/api/v1`: credit events, inspections, and what a community's notice board says."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from watchkeep_console import reads
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.supervising import Made, Period, area_of, asking, scope_of
from watchkeep_console.errors import Forbidden, NotFound
from watchkeep_dispatch import credit, notice_board

router = APIRouter(route_class=TaggedRoute, tags=["supervision"])


class CreditBody(BaseModel):
    """A person only with the number of a judgment that is in force."""

    model_config = ConfigDict(extra="forbid")

    org_id: Annotated[str, Field(max_length=64)]
    kind: Literal["good", "bad", "veto", "withdrawal"]
    code: Annotated[str, Field(max_length=64)]
    reason: Annotated[str, Field(max_length=4000)]
    evidence_ref: Annotated[str, Field(max_length=400)]
    occurred_on: date
    points: Annotated[float, Field(ge=0, le=1000)] = 0.0
    valid_until: date | None = None
    person_name: Annotated[str, Field(max_length=100)] = ""
    judgment_no: Annotated[str, Field(max_length=100)] = ""
    case_id: int | None = None
    withdraws_id: int | None = None


class InspectionBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: Literal["half_year", "monthly_patrol"]
    subject_kind: Literal["company", "community", "subdistrict"]
    subject_id: Annotated[str, Field(max_length=64)]
    heading: Annotated[str, Field(min_length=1, max_length=200)]
    points: Annotated[float, Field(ge=0)]
    possible: Annotated[float, Field(gt=0)]
    inspected_on: date
    note: Annotated[str, Field(max_length=2000)] = ""


class NoticeBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"title": "物业费", "body": "1.2 元/㎡·月"}}
    )

    title: Annotated[str, Field(min_length=1, max_length=200)]
    body: Annotated[str, Field(max_length=2000)] = ""
    amount_yuan: Annotated[Decimal | None, Field(max_digits=14, decimal_places=2)] = None
    period: Annotated[str, Field(max_length=50)] = ""


@router.post("/credit-events", status_code=201, summary="Record a credit event with its evidence")
def record_credit(body: CreditBody, house: House, current: Current) -> Made:
    area_of(current, None)
    with asking(house, current) as conn:
        event = credit.CreditEvent(**body.model_dump())
        return Made(id=credit.record(conn, event, house.clock.now(), person_id=current.person.person_id))


@router.get("/credit-events", summary="Credit events of a period with their evidence, for export")
def credit_events(house: House, current: Current, period: Period) -> list[dict[str, Any]]:
    asked = scope_of(house, period, "all", None, None)
    with asking(house, current) as conn:
        return credit.export(conn, asked.since, asked.until)


@router.post("/inspections", status_code=201, summary="Record one heading of a patrol or half-year inspection")
def inspect(body: InspectionBody, house: House, current: Current) -> Made:
    area_of(current, None)
    with asking(house, current) as conn:
        found = credit.Inspection(**body.model_dump())
        return Made(id=credit.inspect(conn, found, house.clock.now(), person_id=current.person.person_id))


@router.get("/communities/{community}/notices", summary="What stands on a community's notice board")
def notices(community: str, house: House, current: Current) -> list[dict[str, Any]]:
    with asking(house, current) as conn:
        return notice_board.board(conn, community)


@router.put("/communities/{community}/notices/{section}", status_code=204, summary="Replace a section of the board")
def post_notices(
    community: str,
    section: str,
    body: Annotated[list[NoticeBody], Field(max_length=200)],
    house: House,
    current: Current,
) -> None:
    """For the property company's manager and the subdistrict's office."""
    with asking(house, current) as conn:
        found = next((one for one in reads.communities(conn) if one.community_id == community), None)
        if found is None:
            raise NotFound("community", community)
        roles = current.person.roles(community, [found.property_org_id])
        if current.person.scopes is not None or not roles & {"property_manager", "subdistrict_office"}:
            raise Forbidden("notice:post")
        entries = [notice_board.Notice(**entry.model_dump()) for entry in body]
        now, who = house.clock.now(), current.person.person_id
        notice_board.post(conn, community, section, entries, now, person_id=who)
