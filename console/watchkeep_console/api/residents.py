"""`/r`: what residents reach without a login: report a problem from a QR code, see the result, the notice board.

The database knows them by nothing but the secret in the code or the link; no table is open to these pages.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import RedirectResponse, Response
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import photos, plain
from watchkeep_console.api.access import House, address
from watchkeep_console.errors import Invalid, NotFound, TooMany
from watchkeep_console.services import Services
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import evidence_files
from watchkeep_dispatch.errors import GuardFailed

router = APIRouter(include_in_schema=False)

REPORTS_PER_HOUR = 30
"""From one code, whoever sends them: a bound of the database, besides the one per address."""
CHOICES = ("resident_repair", "resident_repair_urgent")
"""What equipment is reported with; the code of a community or of a place also offers what enforcement sees to."""
PLACE_CHOICES = (
    *CHOICES,
    "fire_lane_occupied",
    "ebike_charging_violation",
    "waste_dumped",
    "illegal_parking",
    "unlicensed_building",
)
SECTIONS = (
    "company",
    "manager",
    "phone",
    "maintainer",
    "service",
    "fee",
    "parking",
    "shared_utilities",
    "income",
    "expense",
)
_PLACE_KINDS = ("building", "public_space", "household", "fire_lane")
_SQL = queries("watchkeep_console", "sql/residents.sql")
Short = Annotated[str, Form(max_length=200)]
Photo = Annotated[UploadFile | None, File()]


@router.get("/r/status/{token}")
def status(token: UUID, request: Request, house: House) -> Response:
    """The result of one report, for whoever has its link."""
    return _status(request, house, token)


@router.post("/r/status/{token}")
def rate(
    token: UUID,
    request: Request,
    house: House,
    satisfied: Annotated[bool, Form()],
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """The reporter's verdict on the answer, once."""
    _limit(request, house)
    with house.pool.connection() as conn:
        conn.execute(_SQL["rate"], {"token": token, "satisfied": satisfied, "note": note.strip()})
    return RedirectResponse(f"/r/status/{token}", 303)


@router.get("/r/{code}")
def form(code: UUID, request: Request, house: House) -> Response:
    """The form behind a QR code."""
    return _form(request, house, code)


@router.post("/r/{code}")
def report(
    code: UUID,
    request: Request,
    house: House,
    condition: Annotated[str, Form(max_length=64)] = "",
    description: Annotated[str, Form(max_length=4000)] = "",
    place: Short = "",
    contact_name: Annotated[str, Form(max_length=100)] = "",
    contact_phone: Annotated[str, Form(max_length=254)] = "",
    website: Short = "",
    photo: Photo = None,
) -> Response:
    """Store a report; dispatch files it within a second. `website` is a field that only programs see and fill in."""
    t = plain.language(request)
    if website:
        return plain.render(request, "report_thanks.html", t)
    try:
        _limit(request, house)
    except TooMany as error:
        return _form(request, house, code, t("report.too_many", minutes=1 + error.retry_after_s // 60), 429)
    content = photo.file.read(photos.MAX_BYTES + 1) if photo is not None else b""
    try:
        kind = photos.media_type(content) if content else ""
        if content:
            evidence_files.photo(content)  # whether it can be read; dispatch stores it, smaller, with the case
    except (Invalid, GuardFailed):
        return _form(request, house, code, t("m.photo_bad"), 422)
    with house.pool.connection() as conn:
        choices = _choices(_place(conn, code))
        if condition not in choices or not description.strip():
            return _form(request, house, code, t("report.incomplete"), 422)
        row = {
            "code": code,
            "condition": condition,
            "description": description.strip(),
            "place": place.strip(),
            "name": contact_name.strip(),
            "phone": contact_phone.strip(),
            "photo": content or None,
            "kind": kind,
            "at_most": REPORTS_PER_HOUR,
        }
        found = conn.execute(_SQL["report"], row).fetchone()
    if found is None or found[0] is None:
        return _form(request, house, code, t("report.too_many", minutes=60), 429)
    return RedirectResponse(f"/r/status/{found[0]}", 303)


@router.get("/board/{community}")
def board(community: str, request: Request, house: House) -> Response:
    """公示栏: who manages the community, what it costs, where the money goes (seed plan item 16)."""
    with house.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL["board"], {"community": community[:64]}).fetchall()
    head = next((row for row in rows if row["section"] == "community"), None)
    if head is None:
        raise NotFound("community", community)
    t = plain.language(request)
    sections = [(name, [row for row in rows if row["section"] == name]) for name in SECTIONS]
    return plain.render(request, "notice_board.html", t, head=head, sections=[pair for pair in sections if pair[1]])


def _status(request: Request, house: Services, token: UUID) -> Response:
    with house.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_SQL["status"], {"token": token}).fetchone()
    if found is None:
        raise NotFound("report", token)
    return plain.render(request, "report_status.html", plain.language(request), report=found, token=token)


def _form(request: Request, house: Services, code: UUID, notice: str = "", status: int = 200) -> Response:
    with house.pool.connection() as conn:
        place = _place(conn, code)
    t = plain.language(request)
    return plain.render(
        request, "report.html", t, status, place=place, code=code, choices=_choices(place), notice=notice
    )


def _place(conn: Connection, code: UUID) -> dict[str, str | None]:
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_SQL["place"], {"code": code}).fetchone()
    if found is None:
        raise NotFound("code", code)
    return found


def _choices(place: dict[str, str | None]) -> list[str]:
    whole = place["equipment_id"] is None or place["kind"] in _PLACE_KINDS
    return [name for name in (PLACE_CHOICES if whole else CHOICES) if name in load().conditions]


def _limit(request: Request, house: Services) -> None:
    """Raises TooMany."""
    house.reports.hit(address=address(request) or "")
