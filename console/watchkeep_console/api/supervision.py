"""`/api/v1`: indicators, scores and reports; with them the rest of supervision (rankings, credit)."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from watchkeep_console import reads
from watchkeep_console.api import credit, rankings
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.complaints import document
from watchkeep_console.api.register import Word
from watchkeep_console.api.supervising import Period, area_of, asking, scope_of
from watchkeep_console.errors import Invalid
from watchkeep_dispatch import indicators, scores, supervision_report
from watchkeep_dispatch.indicators import By

router = APIRouter(route_class=TaggedRoute, tags=["supervision"])

AsOf = Annotated[date | None, Query(alias="date", description="as known at the end of this day; default now")]
Shape = Annotated[Literal["json", "html", "pdf"], Query(alias="format")]


@router.get("/indicators", summary="Indicators by company, maintainer, community or subdistrict")
def figures(
    house: House, current: Current, period: Period, by: By = "company", area: Word = None, day: AsOf = None
) -> list[dict[str, Any]]:
    """Of the orders this person may see. Every count opens to its orders: `/indicators/orders`."""
    with asking(house, current) as conn:
        found = indicators.figures(conn, scope_of(house, period, by, area, day))
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
    with asking(house, current) as conn:
        found = indicators.behind(conn, scope_of(house, period, by, area, day), subject, flag)
    return [{"order_id": order, "case_id": case} for order, case in found]


@router.get("/protected-minutes", summary="Protected minutes per building")
def protected(house: House, current: Current, period: Period, community: Word = None, day: AsOf = None) -> Any:
    """Minutes in which all watched equipment of a building was heard of and no class-A warning was open."""
    with asking(house, current) as conn:
        known = {one.community_id for one in reads.communities(conn)}
        found = indicators.protected(conn, scope_of(house, period, "community", None, day))
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
    area = area_of(current, None)
    zone = house.rules.calendar.zone
    end = scores.end_of_day(day, zone)
    with asking(house, current) as conn:
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
    asked = scope_of(house, period, "all", area, day)
    with asking(house, current) as conn:
        found = supervision_report.gather(conn, asked.since, asked.until, asked.as_of, area)
    return (
        found
        if shape == "json"
        else document(supervision_report.report(found, house.rules.calendar.zone, language), shape)
    )


for part in (rankings.router, credit.router):
    router.include_router(part)
