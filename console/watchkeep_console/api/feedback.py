"""`/api/v1`: why a warning came, and what people say of it."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from watchkeep_console import explained, feedback
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.register import RowId
from watchkeep_console.errors import NotFound

router = APIRouter(route_class=TaggedRoute, tags=["work"])
Why = Annotated[str, Field(min_length=1, max_length=2000)]


class SayBody(BaseModel):
    """What one thinks of a warning, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"said": "normal", "reason": "夏季高峰用水，压力本来如此"}}
    )

    said: feedback.Said
    reason: Why


class RevokeBody(BaseModel):
    """Why it is taken back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "复查后确认设备有故障"}})

    reason: Why


@router.get(
    "/warnings/{warning_id}/explanation", summary="Why a warning came: expected band, peers, what helped before"
)
def explanation(warning_id: RowId, house: House, current: Current) -> explained.Explanation:
    """404 until analytics has written it, a few seconds after the warning."""
    with house.identity.acting(current) as conn:
        found = explained.explanation(conn, warning_id)
    if found is None:
        raise NotFound("explanation of warning", warning_id)
    return found


@router.get("/warnings/{warning_id}/feedback", summary="What was said of a warning, and what it changed")
def said(warning_id: RowId, house: House, current: Current) -> feedback.Opinion:
    with house.identity.acting(current) as conn:
        return feedback.opinion(conn, warning_id)


@router.post("/warnings/{warning_id}/feedback", summary="Say that a learned warning is real, false or normal here")
def say(warning_id: RowId, body: SayBody, house: House, current: Current) -> feedback.Opinion:
    """409 `not_learned` for rules, limits and life safety, 409 `said_before` until the former word is revoked."""
    return feedback.say(house, current, warning_id, body.said, body.reason)


@router.post("/warnings/{warning_id}/feedback/{feedback_id}/revocation", summary="Take back what was said")
def revoke(warning_id: RowId, feedback_id: RowId, body: RevokeBody, house: House, current: Current) -> feedback.Opinion:
    return feedback.revoke(house, current, warning_id, feedback_id, body.reason)
