"""`/api/v1`: plans of preventive work, and what comes next by them."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from watchkeep_console import visit_plans
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.register import Word
from watchkeep_dispatch.duty_file import span_text

router = APIRouter(route_class=TaggedRoute, tags=["preventive"])

Key = Annotated[str, Field(max_length=64)]
Span = Annotated[str, Field(pattern=r"^[1-9]\d{0,3} (min|h|d)$")]
_EXAMPLE: dict[str, JsonValue] = {
    "title_zh": "电梯旬检", "kinds": ["elevator"], "party": "lift_maintainer", "every": "10 d", "ahead": "3 d",
    "basis": "维保合同第 5 条", "overdue": "maintenance_overdue", "reason": "合同约定缩短周期",
    "items": [{"zh": "制动器动作", "condition": "brake_fault"}],
}  # fmt: skip


class ItemBody(BaseModel):
    """What is looked at; without an id it is new. `condition` is what a failure opens a case of."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z0-9_]{0,64}$")] = ""
    zh: Annotated[str, Field(min_length=1, max_length=200)]
    en: Annotated[str, Field(max_length=200)] = ""
    condition: Key


class PlanBody(BaseModel):
    """`equipment` empty = all of these kinds in the community; `ahead` = listed so long before it is due."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    title_zh: Annotated[str, Field(min_length=1, max_length=200)]
    title_en: Annotated[str, Field(max_length=200)] = ""
    kinds: Annotated[list[Key], Field(min_length=1, max_length=50)]
    party: Annotated[Key, Field(description="whose contract it is; without one the property company")]
    every: Annotated[Span, Field(description="at least 1 h")]
    ahead: Span
    basis: Annotated[str, Field(min_length=1, max_length=1000)]
    items: Annotated[list[ItemBody], Field(min_length=1, max_length=100)]
    overdue: Annotated[Key | None, Field(description="condition of the case when it is overdue; null = none")] = None
    equipment: Annotated[list[Key], Field(max_length=1000)] = []
    enabled: bool = True
    reason: Annotated[str, Field(max_length=1000)] = ""

    def draft(self) -> visit_plans.Draft:
        return msgspec.convert(self.model_dump(include=set(PlanBody.model_fields)), visit_plans.Draft)


class NewPlan(PlanBody):
    """`replaces` = the general plan in whose place it stands for this equipment; it needs a `reason`."""

    replaces: Key | None = None
    first: Annotated[AwareDatetime | None, Field(description="when the first visits are due")] = None


class MadePlan(BaseModel):
    plan_id: str


class VisitPlan(BaseModel):
    """A plan with what comes next by it, of the equipment one sees; without a community it is a general one."""

    plan_id: str
    community_id: str | None
    replaces: str | None
    equipment: list[str] | None
    title_zh: str
    title_en: str
    kinds: list[str]
    party: str
    every: str
    ahead: str
    overdue: str | None
    items: list[ItemBody]
    basis: str
    enabled: bool
    reason: str
    pieces: int
    next_due: datetime | None
    soon: Annotated[int, Field(description="due within 7 days")]
    late: int


class Ahead(BaseModel):
    """The next visit of a piece of equipment: open with `visit_id`, else still to come."""

    plan_id: str
    title_zh: str
    title_en: str
    enabled: bool
    community_id: str
    equipment_id: str
    equipment: str
    org: str | None
    visit_id: int | None
    done_at: datetime | None
    due_at: datetime


@router.get("/visit-plans", summary="Plans of preventive work, with what comes next")
def plans(house: House, current: Current, community: Word = None) -> list[VisitPlan]:
    with house.identity.acting(current) as conn:
        found = visit_plans.plans(conn, house.clock.now(), community)
    texts = [row | {"every": span_text(row["every"]), "ahead": span_text(row["ahead"])} for row in found]
    return [VisitPlan.model_validate(row) for row in texts]


@router.get("/visits-ahead", summary="The next visit of each piece of equipment by each plan")
def ahead(
    house: House,
    current: Current,
    plan: Word = None,
    community: Word = None,
    equipment: Word = None,
    shown: Literal["all", "late", "soon"] = "all",
) -> list[Ahead]:
    """What is due first, at most 500."""
    now = house.clock.now()
    with house.identity.acting(current) as conn:
        found = visit_plans.ahead(
            conn, now, plan=plan, community=community, equipment=equipment, shown=shown, limit=500
        )
    return [Ahead.model_validate(row) for row in found]


@router.post("/communities/{community}/visit-plans", status_code=201, summary="Plan preventive work of a community")
def make(community: str, body: NewPlan, house: House, current: Current) -> MadePlan:
    """Of its own, or in the place of a general plan."""
    made = visit_plans.make(house, current, community, body.draft(), replaces=body.replaces, first=body.first)
    return MadePlan(plan_id=made)


@router.put("/visit-plans/{plan_id}", status_code=204, summary="Change or stop a plan of a community")
def change(plan_id: str, body: PlanBody, house: House, current: Current) -> Response:
    """Open visits stay; the next ones follow the plan as it is then."""
    visit_plans.change(house, current, plan_id, body.draft())
    return Response(status_code=204)
