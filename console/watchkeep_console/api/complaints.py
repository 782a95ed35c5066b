"""`/api/v1/complaints`: intake by people and channels, the list, reporters' numbers, the monthly study."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from watchkeep_console import reads
from watchkeep_console.api.access import Current, House, TaggedRoute, address
from watchkeep_console.api.register import Cursor, Limit, RowId, Word
from watchkeep_console.asking import asking
from watchkeep_console.errors import Forbidden, Invalid, NotFound
from watchkeep_core import audit
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import complaint_file, complaints, study
from watchkeep_dispatch.complaint_file import FileRefused, Imported
from watchkeep_dispatch.complaints import Complaint
from watchkeep_dispatch.errors import DispatchError
from watchkeep_dispatch.reports import period_span, to_html
from watchkeep_dispatch.reports_pdf import to_pdf

router = APIRouter(route_class=TaggedRoute, tags=["complaints"])


class ComplaintBody(BaseModel):
    """A complaint as a channel or a person at the desk enters it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "source": "hotline_12345",
                "channel_no": "WH20261122001",
                "community_id": "garden",
                "condition": "fire_lane_occupied",
                "description": "3 号楼北侧消防通道被车辆堵塞",
                "received_at": "2026-11-22T08:30:00+08:00",
            }
        },
    )

    source: Annotated[str, Field(max_length=64)]
    community_id: Annotated[str, Field(max_length=64)]
    description: Annotated[str, Field(min_length=1, max_length=4000)]
    condition: Annotated[str | None, Field(max_length=64, description="default: by the channel")] = None
    equipment_id: Annotated[str | None, Field(max_length=64)] = None
    channel_no: Annotated[
        str | None, Field(min_length=1, max_length=100, description="repeated: the first answer again")
    ] = None
    place: Annotated[str, Field(max_length=200)] = ""
    contact_name: Annotated[str, Field(max_length=100)] = ""
    contact_phone: Annotated[str, Field(max_length=254, description="number or mail address")] = ""
    received_at: Annotated[AwareDatetime | None, Field(description="default: now")] = None


class TakenIn(BaseModel):
    """`token` is the reporter's key: the page /r/status/TOKEN shows the result."""

    complaint_id: int
    token: str
    case_id: int | None
    attached: bool
    repeated: bool


class Item(BaseModel):
    complaint_id: int
    token: str
    source: str
    channel_no: str | None
    community_id: str
    community: str
    equipment_id: str | None
    equipment: str | None
    condition: str
    place: str
    description: str
    contact_masked: str
    received_at: datetime
    case_id: int | None
    attached: bool
    state: str | None
    refusal: str
    answer_zh: str
    answer_en: str
    answered_at: datetime | None
    satisfied: bool | None
    rated_at: datetime | None


class Items(BaseModel):
    items: list[Item]
    next: str | None = None


class Contact(BaseModel):
    contact_name: str
    contact_phone: str


@router.post("/complaints", status_code=201, summary="Take in a complaint")
def take(body: ComplaintBody, house: House, current: Current) -> TakenIn:
    """It becomes a case, or joins the open one about the same equipment."""
    with asking(house, current) as conn:
        known = {found.community_id: found for found in reads.communities(conn)}
        if body.community_id not in known:
            raise NotFound("community", body.community_id)
        current.person.require("case:file", body.community_id)
        given = body.model_dump() | {
            "condition": body.condition or complaints.default_condition(body.source),
            "received_at": body.received_at or house.clock.now(),
            "property_org_id": known[body.community_id].property_org_id,
        }
        now, who = house.clock.now(), current.person.person_id
        taken = complaints.take(conn, Complaint(**given), now, house.rules, person_id=who)
    return TakenIn(**asdict(taken))


@router.post("/complaints/import", summary="Take in a channel's CSV file: all rows or none")
def import_file(
    content: Annotated[bytes, Body(media_type="text/csv")],
    house: House,
    current: Current,
    source: Annotated[str, Query(max_length=64)],
    dry_run: bool = False,
    content_type: Annotated[str, Header()] = "",
) -> Imported:
    """The body is the file. With errors nothing is taken in; each names line and column."""
    if not content_type.startswith(("text/csv", "application/octet-stream")):
        raise Invalid("content-type", "must be text/csv")
    if not current.person.may_somewhere("case:file"):
        raise Forbidden("case:file")
    who, now = current.person.person_id, house.clock.now()
    with asking(house, current) as conn:
        try:
            return complaint_file.import_csv(conn, content, source, now, house.rules, person_id=who, dry_run=dry_run)
        except FileRefused as error:
            raise Invalid("file", str(error)) from error


@router.get("/complaints", summary="Complaints, newest first")
def listing(
    house: House,
    current: Current,
    community: Word = None,
    source: Word = None,
    answered: bool | None = None,
    refused: bool | None = None,
    cursor: Cursor = None,
    limit: Limit = reads.PAGE,
) -> Items:
    """`refused`: could not be filed by itself, a person has to look."""
    if cursor is not None and not cursor.isdecimal():
        raise Invalid("cursor", "is not one of ours")
    before = int(cursor) if cursor else None
    with house.identity.acting(current) as conn:
        rows = complaints.listing(
            conn,
            community=community,
            source=source,
            answered=answered,
            refused=refused,
            before=before,
            limit=limit + 1,
        )
    items = [Item(**row) for row in rows[:limit]]
    return Items(items=items, next=str(items[-1].complaint_id) if len(rows) > limit else None)


@router.get("/complaints/study", summary="Monthly study by community and cause")
def monthly_study(
    house: House,
    current: Current,
    month: Annotated[str, Query(max_length=7, description="2026-11; 2026-H2 for a half-year")],
    area: Word = None,
    shape: Annotated[str, Query(alias="format", pattern="^(json|html|pdf)$")] = "json",
    language: Annotated[str, Query(pattern="^(zh|en)$")] = "zh",
) -> Any:
    """Counts what this person may see."""
    zone = house.rules.calendar.zone
    try:
        since, until = period_span(month, zone)
    except ValueError:
        raise Invalid("month", f"{month!r} is no month such as 2026-11") from None
    with house.identity.acting(current) as conn:
        found = study.study(conn, since, until, area)
    if shape == "json":
        return found
    return document(study.report(found, load(), zone, "en" if language == "en" else "zh"), shape)


@router.get("/complaints/{complaint_id}", summary="One complaint")
def one(complaint_id: RowId, house: House, current: Current) -> Item:
    with house.identity.acting(current) as conn:
        rows = complaints.listing(conn, complaint_id=complaint_id, limit=1)
    if not rows:
        raise NotFound("complaint", complaint_id)
    return Item(**rows[0])


@router.get("/complaints/{complaint_id}/contact", summary="Name and number of the reporter, to call back")
def contact(complaint_id: RowId, request: Request, house: House, current: Current) -> Contact:
    """For those who may file in the community; every look is in the audit trail."""
    who = current.person.person_id
    with house.identity.acting(current) as conn:
        rows = complaints.listing(conn, complaint_id=complaint_id, limit=1)
        if not rows:
            raise NotFound("complaint", complaint_id)
        current.person.require("case:file", rows[0]["community_id"])
        found = conn.execute("SELECT contact_name, contact_phone FROM complaint_contact(%s)", [complaint_id]).fetchone()
        if found is None:
            raise NotFound("complaint", complaint_id)
        where = address(request)
        audit.record(conn, "complaint.contact", "complaint", str(complaint_id), person_id=who, address=where)
    return Contact(contact_name=found[0], contact_phone=found[1])


def document(report: Any, shape: str) -> Response:
    """A report as a page or a PDF file."""
    if shape == "html":
        return HTMLResponse(
            to_html(report), headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )
    try:
        content = to_pdf(report)
    except DispatchError as error:
        raise Invalid("shape", str(error)) from error
    return Response(
        content, media_type="application/pdf", headers={"Content-Disposition": "attachment; filename=report.pdf"}
    )
