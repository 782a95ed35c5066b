"""`/api/v1`: communities, equipment, readings, duties, summary."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from watchkeep_console import models as m
from watchkeep_console import reads
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.errors import Invalid
from watchkeep_core.storage.series import MOST_POINTS

router = APIRouter(route_class=TaggedRoute, tags=["register"])

Limit = Annotated[int, Query(ge=1, le=reads.MAX_PAGE)]
Cursor = Annotated[str | None, Query(max_length=400, description="`next` of the page before")]
SeriesId = Annotated[int, Path(ge=1, le=2**31 - 1)]
RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Word = Annotated[str | None, Query(max_length=64)]
MAX_WINDOW = timedelta(days=400)
MAX_CHART = timedelta(days=3653)
"""Longer than any rollup is kept by default."""


@router.get("/communities", summary="Communities I see")
def communities(house: House, current: Current) -> list[m.Community]:
    with house.identity.acting(current) as conn:
        return reads.communities(conn)


@router.get("/equipment", summary="Equipment register")
def equipment(
    house: House,
    current: Current,
    community: Word = None,
    kind: Word = None,
    q: Annotated[str | None, Query(max_length=100, description="part of the name or id")] = None,
    cursor: Cursor = None,
    limit: Limit = reads.PAGE,
) -> m.Page[m.Equipment]:
    with house.identity.acting(current) as conn:
        return reads.equipment(conn, community=community, kind=kind, text=q, cursor=cursor, limit=limit)


@router.get("/communities/{community}/equipment/{equipment_id}", summary="One piece of equipment, with last values")
def equipment_detail(community: str, equipment_id: str, house: House, current: Current) -> m.EquipmentDetail:
    with house.identity.acting(current) as conn:
        return reads.equipment_detail(conn, community, equipment_id)


@router.get("/series/{series_id}/readings", summary="Raw readings of one point")
def readings(
    series_id: SeriesId,
    house: House,
    current: Current,
    since: Annotated[datetime, Query(alias="from", description="inclusive, with a time zone")],
    until: Annotated[datetime, Query(alias="to", description="exclusive, with a time zone")],
    limit: Annotated[int, Query(ge=1, le=reads.MAX_READINGS)] = reads.MAX_READINGS,
) -> m.Series:
    """The newest readings of the window, oldest first; `complete` says whether these are all."""
    _check(since, until, MAX_WINDOW)
    with house.identity.acting(current) as conn:
        return reads.readings(conn, series_id, since, until, limit)


@router.get("/series/{series_id}/window", summary="One point over any time, in few buckets that keep its extremes")
def series_window(
    series_id: SeriesId,
    house: House,
    current: Current,
    since: Annotated[datetime, Query(alias="from", description="inclusive, with a time zone")],
    until: Annotated[datetime, Query(alias="to", description="exclusive, with a time zone")],
    points: Annotated[int, Query(ge=1, le=MOST_POINTS, description="most buckets wanted")] = 1000,
) -> m.SeriesWindow:
    """Raw readings while they are few, else minutes or hours, as wide as the window needs and as old data is kept."""
    _check(since, until, MAX_CHART)
    with house.identity.acting(current) as conn:
        return reads.series_window(conn, series_id, since, until, points)


def _check(since: datetime, until: datetime, most: timedelta) -> None:
    for field, moment in (("from", since), ("to", until)):
        if moment.tzinfo is None:
            raise Invalid(field, "must name its time zone, e.g. 2026-11-22T08:00:00Z")
    if not timedelta(0) < until - since <= most:
        raise Invalid("to", f"must be after from, by at most {most.days} days")


@router.get("/duties", summary="Responsibility list in force")
def duties(house: House, current: Current) -> list[m.Duty]:
    with house.identity.acting(current) as conn:
        return reads.duties(conn)


@router.get("/summary", summary="Counts for a header")
def summary(house: House, current: Current) -> m.Summary:
    with house.identity.acting(current) as conn:
        return reads.summary(conn)
