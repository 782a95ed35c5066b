"""`/api/v1`: indicators, scores, red and grey lists, credit events, inspections, reports, notices."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from psycopg import Connection
from pydantic import BaseModel, ConfigDict, Field

from watchkeep_console import reads
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.complaints import document
from watchkeep_console.api.register import RowId, Word
from watchkeep_console.errors import Forbidden, Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_dispatch import credit, indicators, notice_board, ranking, scores, supervision_report
from watchkeep_dispatch.credit import CreditRefused
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.indicators import By, Scope
from watchkeep_dispatch.notice_board import NoticeRefused
from watchkeep_dispatch.ranking import RankingRefused

router = APIRouter(route_class=TaggedRoute, tags=["supervision"])

SUPERVISORS = frozenset({"supervisor", "subdistrict_office", "city_office", "authority_officer"})
"""Who draws up, publishes and decides, in the area of the membership."""
COMPANIES = frozenset({"property_manager", "maintainer_manager"})
"""Who appeals, for the own organisation."""

Period = Annotated[str, Query(max_length=7, description="2026-11, 2026-H2 or 2026")]
AsOf = Annotated[date | None, Query(alias="date", description="as known at the end of this day; default now")]
Shape = Annotated[Literal["json", "html", "pdf"], Query(alias="format")]


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


class Made(BaseModel):
    id: int


@router.get("/indicators", summary="Indicators by company, maintainer, community or subdistrict")
def figures(
    house: House, current: Current, period: Period, by: By = "company", area: Word = None, day: AsOf = None
) -> list[dict[str, Any]]:
    """Of the orders this person may see. Every count opens to its orders: `/indicators/orders`."""
    with _asking(house, current) as conn:
        found = indicators.figures(conn, _scope(house, period, by, area, day))
    return [
        {
            "subject": one.subject,
            "name": one.name,
            "ranked": one.ranked,
            "rates": {name: one.rate(name) for name in indicators.RATES},
            "excluded": one.excluded(),
            "counts": dict(one.counts),
        }
        for one in found
    ]


@router.get("/indicators/orders", summary="The orders that a figure is made of")
def behind(
    house: House,
    current: Current,
    period: Period,
    flag: Annotated[str, Query(max_length=20, description="a key of `counts` or `excluded`")],
    by: By = "company",
    subject: Word = None,
    area: Word = None,
    day: AsOf = None,
) -> list[dict[str, int]]:
    if flag not in indicators.FLAGS:
        raise Invalid("flag", f"is none of {', '.join(sorted(indicators.FLAGS))}")
    with _asking(house, current) as conn:
        found = indicators.behind(conn, _scope(house, period, by, area, day), subject, flag)
    return [{"order_id": order, "case_id": case} for order, case in found]


@router.get("/protected-minutes", summary="Protected minutes per building")
def protected(house: House, current: Current, period: Period, community: Word = None, day: AsOf = None) -> Any:
    """Minutes in which all watched equipment of a building was heard of and no class-A warning was open."""
    with _asking(house, current) as conn:
        known = {one.community_id for one in reads.communities(conn)}
        found = indicators.protected(conn, _scope(house, period, "community", None, day))
    fields = (*indicators.Protected.__dataclass_fields__, "protected")
    return [
        {name: getattr(one, name) for name in fields}
        for one in found
        if one.community_id in known and community in (None, one.community_id)
    ]


@router.get("/scores", summary="Scores as they stood at the end of a day")
def score(
    house: House,
    current: Current,
    day: Annotated[date, Query(alias="date")],
    scheme: Annotated[str, Query(max_length=64)] = "property_quality",
    period: Annotated[str | None, Query(max_length=7)] = None,
) -> Any:
    """The same for ever, whatever has happened since. For supervisors, over their area."""
    area = _area(current, None)
    zone = house.rules.calendar.zone
    end = scores.end_of_day(day, zone)
    with _asking(house, current) as conn:
        spec = scores.in_force(conn, scheme, end, end, zone)
        since, until = scores.span_of(period or scores.period_of(spec, day), zone)
        return scores.scores(conn, scheme, since, until, end, zone, area)


@router.get("/reports/supervision", summary="The monthly or half-yearly report of supervision")
def report(
    house: House,
    current: Current,
    period: Period,
    area: Word = None,
    day: AsOf = None,
    shape: Shape = "html",
    language: Literal["zh", "en"] = "zh",
) -> Any:
    asked = _scope(house, period, "all", area, day)
    with _asking(house, current) as conn:
        found = supervision_report.gather(conn, asked.since, asked.until, asked.as_of, area)
    return (
        found
        if shape == "json"
        else document(supervision_report.report(found, house.rules.calendar.zone, language), shape)
    )


@router.get("/rankings", summary="Red and grey lists: published ones, and drafts of one's area")
def rankings(house: House, current: Current) -> list[dict[str, Any]]:
    with _asking(house, current) as conn:
        return ranking.rankings(conn)


@router.get("/rankings/{ranking_id}", summary="One list with its rows and appeals")
def one_ranking(ranking_id: RowId, house: House, current: Current) -> dict[str, Any]:
    with _asking(house, current) as conn:
        return ranking.rankings(conn, ranking_id)[0]


@router.post("/rankings", status_code=201, summary="Draw up the list of a period that is over")
def draw(body: Draw, house: House, current: Current) -> Made:
    area = _area(current, body.area_id)
    with _asking(house, current) as conn:
        zone, who = house.rules.calendar.zone, current.person.person_id
        return Made(id=ranking.draw(conn, body.scheme, body.period, house.clock.now(), zone, area=area, person_id=who))


@router.post("/rankings/{ranking_id}/publish", status_code=204, summary="Publish a list: a second person")
def publish(ranking_id: RowId, house: House, current: Current) -> None:
    with _asking(house, current) as conn:
        _area(current, ranking.rankings(conn, ranking_id)[0]["area_id"])
        ranking.publish(conn, ranking_id, house.clock.now(), person_id=current.person.person_id)


@router.post("/rankings/{ranking_id}/appeals", status_code=201, summary="Appeal for one's own organisation")
def appeal(ranking_id: RowId, body: Appeal, house: House, current: Current) -> Made:
    mine = {item.scope_id for item in current.person.memberships if item.role in COMPANIES}
    if current.person.scopes is not None or body.subject_id not in mine:
        raise Forbidden("ranking:appeal")
    with _asking(house, current) as conn:
        now, who = house.clock.now(), current.person.person_id
        return Made(id=ranking.appeal(conn, ranking_id, body.subject_id, body.reason, now, person_id=who))


@router.post("/rankings/{ranking_id}/appeals/{appeal_id}/decision", status_code=204, summary="Decide an appeal")
def decide(ranking_id: RowId, appeal_id: RowId, body: Decision, house: House, current: Current) -> None:
    with _asking(house, current) as conn:
        found = ranking.rankings(conn, ranking_id)[0]
        _area(current, found["area_id"])
        if appeal_id not in [one["appeal_id"] for one in found["appeals"]]:
            raise NotFound("appeal", appeal_id)
        now, who = house.clock.now(), current.person.person_id
        ranking.decide(conn, appeal_id, now, upheld=body.upheld, decision=body.decision, to=body.to, person_id=who)


@router.get("/rankings/{ranking_id}/grants", summary="奖补: a sum shared out by a published list")
def grants(
    ranking_id: RowId, house: House, current: Current, pool: Annotated[int, Query(ge=0, le=10**12, description="yuan")]
) -> Any:
    with _asking(house, current) as conn:
        return ranking.grants(conn, ranking_id, pool, house.rules.calendar.zone)


@router.post("/credit-events", status_code=201, summary="Record a credit event with its evidence")
def record_credit(body: CreditBody, house: House, current: Current) -> Made:
    _area(current, None)
    with _asking(house, current) as conn:
        event = credit.CreditEvent(**body.model_dump())
        return Made(id=credit.record(conn, event, house.clock.now(), person_id=current.person.person_id))


@router.get("/credit-events", summary="Credit events of a period with their evidence, for export")
def credit_events(house: House, current: Current, period: Period) -> list[dict[str, Any]]:
    asked = _scope(house, period, "all", None, None)
    with _asking(house, current) as conn:
        return credit.export(conn, asked.since, asked.until)


@router.post("/inspections", status_code=201, summary="Record one heading of a patrol or half-year inspection")
def inspect(body: InspectionBody, house: House, current: Current) -> Made:
    _area(current, None)
    with _asking(house, current) as conn:
        found = credit.Inspection(**body.model_dump())
        return Made(id=credit.inspect(conn, found, house.clock.now(), person_id=current.person.person_id))


@router.get("/communities/{community}/notices", summary="What stands on a community's notice board")
def notices(community: str, house: House, current: Current) -> list[dict[str, Any]]:
    with _asking(house, current) as conn:
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
    with _asking(house, current) as conn:
        found = next((one for one in reads.communities(conn) if one.community_id == community), None)
        if found is None:
            raise NotFound("community", community)
        roles = current.person.roles(community, [found.property_org_id])
        if current.person.scopes is not None or not roles & {"property_manager", "subdistrict_office"}:
            raise Forbidden("notice:post")
        entries = [notice_board.Notice(**entry.model_dump()) for entry in body]
        now, who = house.clock.now(), current.person.person_id
        notice_board.post(conn, community, section, entries, now, person_id=who)


@contextmanager
def _asking(house: Services, current: Session) -> Iterator[Connection]:
    """A transaction as the person; dispatch's refusals become ours."""
    try:
        with house.identity.acting(current) as conn:
            yield conn
    except (RankingRefused, CreditRefused, NoticeRefused) as error:
        raise Invalid(error.field, str(error).partition(": ")[2]) from error
    except DispatchError as error:
        raise Invalid("request", str(error)) from error


def _scope(house: Services, period: str, by: By, area: str | None, day: date | None) -> Scope:
    zone = house.rules.calendar.zone
    try:
        since, until = scores.span_of(period, zone)
    except DispatchError as error:
        raise Invalid("period", str(error)) from None
    as_of: datetime = scores.end_of_day(day, zone) if day else house.clock.now()
    return Scope(since=since, until=until, as_of=as_of, by=by, area=area)


def _area(current: Session, wanted: str | None) -> str:
    """The area a supervisor acts for. Raises Forbidden; an API token never supervises."""
    mine = [
        item.scope_id for item in current.person.memberships if item.role in SUPERVISORS and item.scope_kind == "area"
    ]
    if current.person.scopes is not None or not mine or (wanted is not None and wanted not in mine):
        raise Forbidden("supervise")
    return wanted or mine[0]
