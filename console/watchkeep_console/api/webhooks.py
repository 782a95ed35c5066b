"""`/api/v1/webhooks`: where other programs want to be told."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from watchkeep_console import exchange_models as x
from watchkeep_console import webhooks as service
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.register import RowId

router = APIRouter(route_class=TaggedRoute, tags=["webhooks"])


class WebhookBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"url": "https://example.org/hook", "events": ["case.filed", "case.changed"]}},
    )

    url: Annotated[str, Field(min_length=10, max_length=500)]
    events: Annotated[
        list[str], Field(min_length=1, max_length=len(service.EVENTS), description=", ".join(service.EVENTS))
    ]


@router.get("/webhooks", summary="My webhooks")
def listing(house: House, current: Current) -> list[x.Webhook]:
    with house.identity.acting(current) as conn:
        return service.listing(conn)


@router.post("/webhooks", status_code=201, summary="Ask to be told", openapi_extra={"x-secret": True})
def make(body: WebhookBody, house: House, current: Current) -> x.NewWebhook:
    """Messages hold what I may see when they are sent. `Watchkeep-Signature: t=SECONDS,v1=HEX` is HMAC-SHA256 of
    `SECONDS.BODY` under `secret`; `Watchkeep-Delivery` stays the same when a message comes again."""
    return service.make(house, current, body.url, body.events)


@router.delete("/webhooks/{webhook_id}", status_code=204, summary="Remove a webhook")
def remove(webhook_id: RowId, house: House, current: Current) -> Response:
    service.remove(house, current, webhook_id)
    return Response(status_code=204)


@router.get("/webhooks/{webhook_id}/deliveries", summary="The newest messages of a webhook")
def deliveries(webhook_id: RowId, house: House, current: Current) -> list[x.Delivery]:
    with house.identity.acting(current) as conn:
        return service.deliveries(conn, webhook_id)


@router.post("/webhooks/{webhook_id}/test", status_code=202, summary="Send a test message", response_class=Response)
def test(webhook_id: RowId, house: House, current: Current) -> Response:
    service.send_test(house, current, webhook_id)
    return Response(status_code=202)
