"""`/api/v1/open-data`: data for the city's data centre, and the register of what was given to whom."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from watchkeep_console import exchange_models as x
from watchkeep_console import models as m
from watchkeep_console import open_data as service
from watchkeep_console import reads
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.register import Cursor, Limit
from watchkeep_console.errors import Invalid
from watchkeep_console.permissions import ROLES

router = APIRouter(route_class=TaggedRoute, tags=["open data"])


class ShareBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "recipient": "市大数据中心",
                "purpose": "城市运行月报",
                "fields": ["case_id", "condition", "class", "filed_at", "closed_at"],
                "area_id": "city",
                "since": "2026-11-01T00:00:00+08:00",
                "until": "2026-12-01T00:00:00+08:00",
            }
        },
    )

    recipient: Annotated[str, Field(min_length=1, max_length=200)]
    purpose: Annotated[str, Field(min_length=1, max_length=400)]
    fields: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50, description="empty: all")] = []
    area_id: Annotated[str | None, Field(max_length=64)] = None
    since: AwareDatetime
    until: AwareDatetime


@router.get("/open-data", summary="What can be given away, field by field")
def datasets(current: Current) -> list[x.Dataset]:
    return list(service.DATASETS)


@router.post(
    "/open-data/{dataset}",
    summary="Give data away: the rows, entered in the register",
    response_class=Response,
    responses={200: {"content": {"application/json": {"example": [{"case_id": 17, "condition": "entrapment"}]}}}},
)
def share(dataset: str, body: ShareBody, house: House, current: Current) -> Response:
    """Of communities in an area where I supervise. No personal data: codes, ids, classes and times only."""
    mine = {
        name for item in current.person.memberships if "data:share" in ROLES[item.role] for name in item.communities
    }
    wanted = service.Wanted(
        dataset=dataset,
        recipient=body.recipient,
        purpose=body.purpose,
        since=body.since,
        until=body.until,
        fields=body.fields,
        area=body.area_id,
    )
    with house.identity.acting(current) as conn:
        who = current.person.person_id
        content = service.share(conn, wanted, house.clock.now(), person_id=who, communities=sorted(mine))
    return Response(content, media_type="application/json")


@router.get("/data-shares", summary="Register of data given away")
def shares(house: House, current: Current, cursor: Cursor = None, limit: Limit = reads.PAGE) -> m.Page[x.Share]:
    """My own entries; all of them for auditors, security administrators and the city's office."""
    if cursor is not None and not (cursor.isdecimal() and len(cursor) < 19):
        raise Invalid("cursor", "is not one of ours")
    with house.identity.acting(current) as conn:
        return service.shares(conn, int(cursor) if cursor else None, limit)
