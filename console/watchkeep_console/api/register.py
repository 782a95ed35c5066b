"""`/api/v1`: communities, equipment, readings, duties, summary."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Body, Header, Path, Query
from fastapi.responses import Response

from watchkeep_console import exchange_models as x
from watchkeep_console import imports, reads
from watchkeep_console import models as m
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.files import TYPES
from watchkeep_console.errors import Invalid
from watchkeep_core.storage.series import MOST_POINTS

router = APIRouter(route_class=TaggedRoute, tags=["register"])

Limit = Annotated[int, Query(ge=1, le=reads.MAX_PAGE)]
Cursor = Annotated[str | None, Query(max_length=400, description="`next` of the page before")]
SeriesId = Annotated[int, Path(ge=1, le=2**31 - 1)]
RowId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Word = Annotated[str | None, Query(max_length=64)]
XLSX = TYPES["xlsx"]
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


@router.get(
    "/equipment/workbook",
    summary="The register as a workbook, to be changed and imported again",
    response_class=Response,
    responses={200: {"content": {XLSX: {"schema": {"type": "string", "format": "binary"}}}}},
)
def workbook(
    house: House,
    current: Current,
    community: Word = None,
    empty: Annotated[bool, Query(description="the form")] = False,
) -> Response:
    with house.identity.acting(current) as conn:
        wanted = dict.fromkeys(("building", "kind", "status", "text")) | {"community": community}
        content = imports.template() if empty else imports.export_register(conn, wanted)
    return Response(content, media_type=XLSX, headers={"Content-Disposition": "attachment; filename=equipment.xlsx"})


@router.post("/equipment/import", summary="Import a workbook into the register: all rows or none")
def import_equipment(
    content: Annotated[bytes, Body(media_type=XLSX)],
    house: House,
    current: Current,
    dry_run: bool = False,
    content_type: Annotated[str, Header()] = "",
) -> x.RegisterImport:
    """The body is the file, up to 10,000 rows. With wrong cells nothing is written; each is named by its address."""
    if not content_type.startswith((XLSX, "application/octet-stream")):
        raise Invalid("content-type", f"must be {XLSX}")
    done = imports.import_register(house, current, content, dry_run=dry_run)
    return x.RegisterImport(
        rows=done.rows,
        new=done.new,
        changed=done.changed,
        unchanged=done.unchanged,
        points=done.points,
        wrong=done.wrong,
        written=done.written,
        errors=[
            x.WrongCell(cell=one.cell, column=one.column, code=one.problem.code, values=dict(one.problem.values))
            for one in done.errors
        ],
    )


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
async def summary(house: House, current: Current) -> m.Summary:
    return await house.shared.get(current.person.person_id, "summary", reads.summary)
