"""`/api/v1/rankings`: red and grey lists, appeals and their decisions, grants."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.register import RowId
from watchkeep_console.api.supervising import Made, area_of, asking
from watchkeep_console.errors import Forbidden, NotFound
from watchkeep_dispatch import ranking

router = APIRouter(route_class=TaggedRoute, tags=["supervision"])

COMPANIES = frozenset({"property_manager", "maintainer_manager"})
"""Who appeals, for the own organisation."""


class Draw(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"scheme": "property_quality", "period": "2026-11"}}
    )

    scheme: Annotated[str, Field(max_length=64)]
    period: Annotated[str, Field(max_length=7)]
    area_id: Annotated[str | None, Field(max_length=64, description="default: the area of the own role")] = None


class Appeal(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"subject_id": "prop", "reason": "…"}})

    subject_id: Annotated[str, Field(max_length=64)]
    reason: Annotated[str, Field(min_length=1, max_length=4000)]


class Decision(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"upheld": True, "decision": "核实属实"}})

    upheld: bool
    decision: Annotated[str, Field(min_length=1, max_length=4000)]
    to: Literal["red", "grey", "none", "not_ranked"] = "none"


@router.get("/rankings", summary="Red and grey lists: published ones, and drafts of one's area")
def rankings(house: House, current: Current) -> list[dict[str, Any]]:
    with asking(house, current) as conn:
        return ranking.rankings(conn)


@router.get("/rankings/{ranking_id}", summary="One list with its rows and appeals")
def one_ranking(ranking_id: RowId, house: House, current: Current) -> dict[str, Any]:
    with asking(house, current) as conn:
        return ranking.rankings(conn, ranking_id)[0]


@router.post("/rankings", status_code=201, summary="Draw up the list of a period that is over")
def draw(body: Draw, house: House, current: Current) -> Made:
    area = area_of(current, body.area_id)
    with asking(house, current) as conn:
        zone, who = house.rules.calendar.zone, current.person.person_id
        return Made(id=ranking.draw(conn, body.scheme, body.period, house.clock.now(), zone, area=area, person_id=who))


@router.post("/rankings/{ranking_id}/publish", status_code=204, summary="Publish a list: a second person")
def publish(ranking_id: RowId, house: House, current: Current) -> None:
    with asking(house, current) as conn:
        area_of(current, ranking.rankings(conn, ranking_id)[0]["area_id"])
        ranking.publish(conn, ranking_id, house.clock.now(), person_id=current.person.person_id)


@router.post("/rankings/{ranking_id}/appeals", status_code=201, summary="Appeal for one's own organisation")
def appeal(ranking_id: RowId, body: Appeal, house: House, current: Current) -> Made:
    mine = {item.scope_id for item in current.person.memberships if item.role in COMPANIES}
    if current.person.scopes is not None or body.subject_id not in mine:
        raise Forbidden("ranking:appeal")
    with asking(house, current) as conn:
        now, who = house.clock.now(), current.person.person_id
        return Made(id=ranking.appeal(conn, ranking_id, body.subject_id, body.reason, now, person_id=who))


@router.post("/rankings/{ranking_id}/appeals/{appeal_id}/decision", status_code=204, summary="Decide an appeal")
def decide(ranking_id: RowId, appeal_id: RowId, body: Decision, house: House, current: Current) -> None:
    with asking(house, current) as conn:
        found = ranking.rankings(conn, ranking_id)[0]
        area_of(current, found["area_id"])
        if appeal_id not in [one["appeal_id"] for one in found["appeals"]]:
            raise NotFound("appeal", appeal_id)
        now, who = house.clock.now(), current.person.person_id
        ranking.decide(conn, appeal_id, now, upheld=body.upheld, decision=body.decision, to=body.to, person_id=who)


@router.get("/rankings/{ranking_id}/grants", summary="奖补: a sum shared out by a published list")
def grants(
    ranking_id: RowId, house: House, current: Current, pool: Annotated[int, Query(ge=0, le=10**12, description="yuan")]
) -> Any:
    with asking(house, current) as conn:
        return ranking.grants(conn, ranking_id, pool, house.rules.calendar.zone)
