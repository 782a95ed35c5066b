"""`/m`: the technician's pages. Plain forms, no script needed; a repeated post does nothing twice."""

import secrets
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response
from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import photos, plain, reads, work
from watchkeep_console.api.access import COOKIE, House, check_csrf
from watchkeep_console.api.login import to_login
from watchkeep_console.api.register import RowId
from watchkeep_console.errors import ConsoleError, NotFound, NotLoggedIn
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_dispatch.actions import Evidence

router = APIRouter(prefix="/m", include_in_schema=False)
ACTIONS = ("accept", "arrive", "finish", "return")
Key = Annotated[str, Form(max_length=100)]
Csrf = Annotated[str, Form(max_length=200)]
Text = Annotated[str, Form(max_length=2000)]
Photo = Annotated[UploadFile | None, File()]


@router.get("")
def my_orders(request: Request, house: House) -> Response:
    try:
        session = _session(request, house)
    except NotLoggedIn:
        return to_login("/m")
    with house.identity.acting(session) as conn:
        orders = reads.orders(conn, mine=True, is_open=True, limit=100).items
        done = reads.orders(conn, mine=True, is_open=False, limit=10).items
    todo = [order for order in orders if order.state not in ("resolved", "verified")]
    done = [order for order in orders if order not in todo] + done
    todo.sort(key=lambda order: (order.case_class, order.due_at.timestamp() if order.due_at else float("inf")))
    return _page(request, session, "orders.html", orders=todo, done=done)


@router.get("/orders/{order_id}")
def one_order(
    order_id: RowId, request: Request, house: House, done: Annotated[str | None, Query(max_length=20)] = None
) -> Response:
    try:
        session = _session(request, house)
    except NotLoggedIn:
        return to_login(request.url.path)
    t = plain.language(request, session.person.language)
    notice = t("m.done", action=t.maybe("action", done)) if done in ACTIONS else ""
    return _order_page(request, house, session, order_id, notice)


@router.post("/orders/{order_id}/finish")
def finish(
    order_id: RowId,
    request: Request,
    house: House,
    csrf: Csrf = "",
    key: Key = "",
    version: Annotated[int | None, Form(ge=1)] = None,
    note: Text = "",
    scan: Text = "",
    reading: Text = "",
    signature: Text = "",
    photo_before: Photo = None,
    photo_after: Photo = None,
) -> Response:
    """Notes and photos become evidence."""
    written = {"note": note, "scan": scan, "reading": reading, "signature": signature}
    pieces = [Evidence(kind, text.strip()) for kind, text in written.items() if text.strip()]
    try:
        for kind, photo in (("photo_before", photo_before), ("photo_after", photo_after)):
            content = photo.file.read(photos.MAX_BYTES + 1) if photo is not None else b""
            if content:
                pieces.append(Evidence(kind, "", photos.media_type(content), content))
    except ConsoleError:
        return _refused(request, house, order_id, csrf, "m.photo_bad")
    return _act(request, house, order_id, work.Act("finish", version, note, evidence=tuple(pieces)), key, csrf)


@router.post("/orders/{order_id}/{action}")
def act(
    order_id: RowId,
    action: str,
    request: Request,
    house: House,
    csrf: Csrf = "",
    key: Key = "",
    version: Annotated[int | None, Form(ge=1)] = None,
    note: Text = "",
    org_id: Annotated[str | None, Form(max_length=64)] = None,
) -> Response:
    if action not in ACTIONS:
        raise NotFound("action", action)
    return _act(request, house, order_id, work.Act(action, version, note, org_id or None), key, csrf)


@router.get("/evidence/{evidence_id}")
def evidence(evidence_id: RowId, request: Request, house: House) -> Response:
    """A photo, with a type we have recognised ourselves."""
    with house.identity.acting(_session(request, house)) as conn:
        media_type, content = reads.evidence_content(conn, evidence_id)
    if media_type not in photos.MEDIA_TYPES:
        raise NotFound("evidence", evidence_id)
    return Response(content, media_type=media_type, headers={"Cache-Control": "private, max-age=86400"})


def _act(request: Request, house: Services, order_id: int, wanted: work.Act, key: str, csrf: str) -> Response:
    try:
        session = _session(request, house)
    except NotLoggedIn:
        return to_login(f"/m/orders/{order_id}")
    check_csrf(session, csrf)
    try:
        work.act_on_order(house, session, order_id, wanted, key or None)
    except NotFound:
        raise
    except ConsoleError as error:
        t = plain.language(request, session.person.language)
        reason = t("m.stale") if error.status == 409 else t("m.not_done", reason=str(error))
        return _order_page(request, house, session, order_id, reason, "error", error.status)
    return RedirectResponse(f"/m/orders/{order_id}?done={wanted.action}", 303)


def _refused(request: Request, house: Services, order_id: int, csrf: str, text: str) -> Response:
    session = _session(request, house)
    check_csrf(session, csrf)
    t = plain.language(request, session.person.language)
    return _order_page(request, house, session, order_id, t(text), "error", 422)


def _order_page(
    request: Request,
    house: Services,
    session: Session,
    order_id: int,
    notice: str = "",
    notice_kind: str = "ok",
    status: int = 200,
) -> Response:
    with house.identity.acting(session) as conn:
        order, organisations = _read(conn, session, order_id)
    steps = [
        ("respond", order.responded_at, order.respond_due),
        ("arrive", order.arrived_at, order.arrive_due),
        ("finish", order.finished_at, order.finish_due),
    ]
    return _page(
        request,
        session,
        "order.html",
        status,
        order=order,
        organisations=organisations,
        steps=steps,
        missing_evidence=_missing(order),
        keys={action: secrets.token_urlsafe(12) for action in order.actions},
        notice=notice,
        notice_kind=notice_kind,
    )


def _missing(order: m.OrderDetail) -> list[str]:
    """Kinds of evidence that the duty asks for and nobody has given yet; a note comes with the form anyway."""
    given = {item.kind for item in order.evidence} | {"note"}
    return [kind for kind in order.evidence_needed if kind not in given]


def _read(conn: Connection, session: Session, order_id: int) -> tuple[m.OrderDetail, list[tuple[str, str]]]:
    found = reads.order(conn, order_id)
    allowed = [name for name in work.order_actions(session.person, conn, found) if name in ACTIONS]
    proposable = reads.proposable(conn, found.case_id) if "return" in allowed else []
    return reads.order_detail(conn, order_id, allowed), proposable


def _page(request: Request, session: Session, template: str, status: int = 200, **values: object) -> Response:
    t = plain.language(request, session.person.language)
    shared: dict[str, object] = {"notice": "", "notice_kind": "ok"}
    return plain.render(
        request, template, t, status, **(shared | values), person=session.person, csrf=session.csrf_token
    )


def _session(request: Request, house: Services) -> Session:
    return house.identity.session(request.cookies.get(COOKIE))
