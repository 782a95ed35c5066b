"""`/api/v1`: preventive visits, the hand-over log of duty rooms, who was told of a case."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeep_console import reads
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.register import RowId, Word
from watchkeep_console.asking import asking
from watchkeep_console.errors import Forbidden, Invalid
from watchkeep_console.work import person_id
from watchkeep_dispatch import handover, preventive

router = APIRouter(route_class=TaggedRoute, tags=["preventive"])


class VisitBody(BaseModel):
    """What was found, item by item."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"results": {"brake": "ok", "pit": "failed"}, "signature": "张伟"}},
    )

    results: Annotated[dict[str, Literal["ok", "failed", "na"]], Field(max_length=100)]
    signature: Annotated[str, Field(min_length=1, max_length=200)]
    note: Annotated[str, Field(max_length=2000)] = ""


class HandoverBody(BaseModel):
    """A hand-over by the person who is logged in."""

    model_config = ConfigDict(extra="forbid")

    to: Annotated[str, Field(max_length=64, description="login of who comes")]
    note: Annotated[str, Field(min_length=1, max_length=4000)]
    post: Literal["control_room", "duty_desk"] = "control_room"


class Visit(BaseModel):
    """A piece of preventive work, to be made or done."""

    visit_id: int
    plan_id: str
    title_zh: str
    title_en: str
    community_id: str
    equipment_id: str
    equipment: str
    org_id: str
    due_at: datetime
    done_at: datetime | None
    overdue_case: int | None
    found_cases: list[int] | None
    items: list[dict[str, Any]]
    results: dict[str, str] | None


class Handover(BaseModel):
    """An entry of the log."""

    handover_id: int
    post: str
    from_name: str
    to_name: str
    at: datetime
    note: str
    open_cases: list[int]
    open_warnings: int
    acknowledged_at: datetime | None


class Told(BaseModel):
    """Who was told, when and how."""

    at: datetime
    sent_at: datetime | None
    channel: str
    status: str
    organisation: str | None
    person: str | None
    title: str


@router.get("/visits", summary="Preventive work, to be made first")
def visits(
    house: House,
    current: Current,
    org: Word = None,
    community: Word = None,
    is_open: Annotated[bool | None, Query(alias="open")] = True,
) -> list[Visit]:
    with house.identity.acting(current) as conn:
        found = preventive.visits(conn, org=org, community=community, open=is_open)
    return [Visit.model_validate(row) for row in found]


@router.post("/visits/{visit_id}", summary="Record a visit, item by item")
def complete(visit_id: RowId, body: VisitBody, house: House, current: Current) -> Response:
    """Signed; a case is filed for what failed."""
    if current.person.scopes is not None and "case:act" not in current.person.scopes:
        raise Forbidden("case:act")
    with asking(house, current) as conn:
        who, now = current.person.person_id, house.clock.now()
        preventive.complete(conn, visit_id, body.results, now, person_id=who, signature=body.signature, note=body.note)
    return Response(status_code=204)


@router.get("/communities/{community}/handovers", summary="Hand-over log of the duty rooms")
def handovers(community: str, house: House, current: Current) -> list[Handover]:
    with house.identity.acting(current) as conn:
        return [Handover.model_validate(row) for row in handover.log(conn, community)]


@router.post("/communities/{community}/handovers", summary="Hand a post over")
def hand_over(community: str, body: HandoverBody, house: House, current: Current) -> dict[str, int]:
    current.person.require("case:file", community)
    with asking(house, current) as conn:
        to = person_id(conn, body.to, "to")
        if to is None:
            raise Invalid("to", "must be a login")
        who, now = current.person.person_id, house.clock.now()
        return {"handover": handover.hand_over(conn, community, body.post, who, to, body.note, now)}


@router.post("/handovers/{handover_id}/acknowledgement", summary="Take a post over")
def acknowledge(handover_id: RowId, house: House, current: Current) -> Response:
    with asking(house, current) as conn:
        handover.acknowledge(conn, handover_id, current.person.person_id, house.clock.now())
    return Response(status_code=204)


@router.get("/cases/{case_id}/told", summary="Who was told of a case, when and how")
def told(case_id: RowId, house: House, current: Current) -> list[Told]:
    with house.identity.acting(current) as conn:
        reads.case(conn, case_id)
        return [Told.model_validate(row) for row in handover.told(conn, case_id)]
