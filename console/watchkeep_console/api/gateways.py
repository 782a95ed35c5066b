"""`/api/v1/gateways`: list, connect a new one, watch it come alive."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeep_console import gateways as service
from watchkeep_console import models as m
from watchkeep_console import reads, work
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.register import Word
from watchkeep_console.api.work import Key

router = APIRouter(route_class=TaggedRoute, tags=["gateways"])
ID = r"^[A-Za-z0-9_-]{1,64}$"


class NewGateway(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"community_id": "sunshine", "gateway_id": "gw-01", "name": "1 号楼弱电间"}},
    )

    community_id: Annotated[str, Field(pattern=ID)]
    gateway_id: Annotated[str, Field(pattern=ID)]
    name: Annotated[str, Field(max_length=200)] = ""


@router.get("/gateways", summary="Gateways and whether they are online")
def gateways(house: House, current: Current, community: Word = None) -> list[m.Gateway]:
    with house.identity.acting(current) as conn:
        return reads.gateways(conn, community)


@router.post("/gateways", status_code=201, summary="Connect a new gateway", openapi_extra={"x-secret": True})
def create(body: NewGateway, house: House, current: Current) -> m.Credentials:
    """The answer holds the password: it is shown this once."""
    return service.create(house, current, body.community_id, body.gateway_id, body.name)


@router.get("/communities/{community}/gateways/{gateway_id}", summary="One gateway and its newest values")
def gateway(community: str, gateway_id: str, house: House, current: Current) -> m.GatewayDetail:
    with house.identity.acting(current) as conn:
        return reads.gateway(conn, community, gateway_id)


@router.post(
    "/communities/{community}/gateways/{gateway_id}/password",
    summary="Make a new password",
    openapi_extra={"x-secret": True},
)
def renew(community: str, gateway_id: str, house: House, current: Current) -> m.Credentials:
    return service.renew(house, current, community, gateway_id)


@router.post("/communities/{community}/gateways/{gateway_id}/revocation", summary="Shut a gateway out")
def revoke(community: str, gateway_id: str, house: House, current: Current) -> m.Revoked:
    """Its password is void at once and its connection ends. `broker_user` says whether the broker has confirmed it;
    `by_hand`: run `watchkeep gateway revoke`. A new password lets it in again."""
    return service.revoke(house, current, community, gateway_id)


@router.post("/communities/{community}/gateways/{gateway_id}/test-alarm", summary="File a test case")
def send_test_alarm(community: str, gateway_id: str, house: House, current: Current, key: Key = None) -> m.Done:
    """A class C case with source `test`, its order and its notifications; close it afterwards."""
    return work.send_test_alarm(house, current, community, gateway_id, key)


@router.post("/test-notification", status_code=202, summary="Send a test notification", response_class=Response)
def send_test_notification(
    house: House, current: Current, org_id: Annotated[str | None, Query(max_length=64)] = None
) -> Response:
    """Through every channel of one of my organisations, the first of mine unless named."""
    work.send_test_notification(house, current, org_id)
    return Response(status_code=202)
