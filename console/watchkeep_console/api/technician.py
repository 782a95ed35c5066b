"""`/m`: the technician's pages. Plain forms, no script needed; a repeated post does nothing twice."""

import secrets
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from fastapi.responses import JSONResponse, RedirectResponse, Response
from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import photos, plain, reads, work
from watchkeep_console.api.access import COOKIE, House, check_csrf
from watchkeep_console.api.login import to_login
from watchkeep_console.api.register import RowId
from watchkeep_console.errors import ConsoleError, NotFound, NotLoggedIn
from watchkeep_console.identity import Session
from watchkeep_console.refusals import told
from watchkeep_console.services import Services
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import evidence_files
from watchkeep_dispatch.actions import Evidence

router = APIRouter(prefix="/m", include_in_schema=False)
ACTIONS = ("accept", "arrive", "finish", "return")
WITH_EVIDENCE = ("arrive", "finish")
QUEUED = "X-Queued"
"""Header of a post that a phone kept while it had no network."""
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
    notice = t("case.pause_asked") if done == "ask_pause" else notice
    return _order_page(request, house, session, order_id, notice)


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
    scan: Text = "",
    reading: Text = "",
    signature: Text = "",
    photo_before: Photo = None,
    photo_after: Photo = None,
    drawn: Photo = None,
) -> Response:
    """What is written, scanned, photographed or drawn becomes evidence of arriving and finishing.

    A post from the queue of a phone (`X-Queued`) is answered in JSON: the phone must know what became of it.
    """
    if action not in ACTIONS:
        raise NotFound("action", action)
    written = {"note": note if action == "finish" else "", "scan": scan, "reading": reading, "signature": signature}
    given = (("photo_before", photo_before), ("photo_after", photo_after), ("signature", drawn))
    queued = QUEUED in request.headers
    try:
        pieces = _pieces(written, given) if action in WITH_EVIDENCE else ()
    except ConsoleError as error:
        return (
            _answer(422, "queue.photo_bad", str(error))
            if queued
            else _refused(request, house, order_id, csrf, "m.photo_bad")
        )
    wanted = work.Act(action, version, note, org_id or None, evidence=pieces)
    send = _queued if queued else _act
    return send(request, house, order_id, wanted, key, csrf)


def _pieces(written: dict[str, str], given: Sequence[tuple[str, UploadFile | None]]) -> tuple[Evidence, ...]:
    """Raises Invalid(`photo`)."""
    pieces = [Evidence(kind, text.strip()) for kind, text in written.items() if text.strip()]
    for kind, photo in given:
        content = photo.file.read(evidence_files.MAX_BYTES + 1) if photo is not None else b""
        if content:
            pieces.append(Evidence(kind, "", photos.media_type(content, evidence_files.MAX_BYTES), content))
    return tuple(pieces)


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
        done = work.act_on_order(house, session, order_id, wanted, key or None)
    except NotFound:
        raise
    except ConsoleError as error:
        t = plain.language(request, session.person.language)
        reason = t("m.stale") if error.status == 409 else t("m.not_done", reason=told(t, error))
        return _order_page(request, house, session, order_id, reason, "error", error.status)
    return RedirectResponse(f"/m/orders/{order_id}?done={work.happened(wanted.action, done)}", 303)


def _queued(request: Request, house: Services, order_id: int, wanted: work.Act, key: str, csrf: str) -> Response:
    """As `_act`, answered for the phone's queue: what became of it, and the version that its next post expects."""
    try:
        session = _session(request, house)
    except NotLoggedIn:
        return _answer(401, "queue.q_login")
    try:
        check_csrf(session, csrf)
        done = work.act_on_order(house, session, order_id, wanted, key or None)
    except ConsoleError as error:
        text = (
            "queue.q_conflict" if error.status == 409 else "queue.q_gone" if error.status == 404 else "queue.q_refused"
        )
        return _answer(error.status, text, told(plain.language(request, session.person.language), error))
    return JSONResponse({"state": done.state, "version": done.version})


def _answer(status: int, text: str, reason: str = "") -> Response:
    """A refusal with the key of the text that tells the person what to do."""
    return JSONResponse({"text": text.partition(".")[2], "reason": reason}, status)


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
        order, later, organisations = _read(conn, session, order_id)
        place = next((c for c in reads.communities(conn) if c.community_id == order.community_id), None)
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
        keys={action: secrets.token_urlsafe(12) for action in (*order.actions, *later)},
        later=later,
        shown=[name for name in ACTIONS if name in (*order.actions, *later)],
        place=place,
        advice=load().conditions.get(order.condition),
        notice=notice,
        notice_kind=notice_kind,
    )


def _missing(order: m.OrderDetail) -> list[str]:
    """Kinds of evidence that the duty asks for and nobody has given yet; a note comes with the form anyway."""
    given = {item.kind for item in order.evidence} | {"note"}
    return [kind for kind in order.evidence_needed if kind not in given]


def _read(conn: Connection, session: Session, order_id: int) -> tuple[m.OrderDetail, list[str], list[tuple[str, str]]]:
    """The order; what can be done once somebody is on site, for a phone that has no network there; other parties."""
    found = reads.order(conn, order_id)
    allowed = [name for name in work.order_actions(session.person, conn, found) if name in ACTIONS]
    later: list[str] = []
    if allowed and "finish" not in allowed:
        on_site = reads.case(conn, found.case_id).model_copy(update={"state": "on_site"})
        later = [name for name in work.actions(session.person, on_site) if name == "finish"]
    proposable = reads.proposable(conn, found.case_id) if "return" in allowed else []
    return reads.order_detail(conn, order_id, allowed), later, proposable


def _page(request: Request, session: Session, template: str, status: int = 200, **values: object) -> Response:
    t = plain.language(request, session.person.language)
    made = request.app.state.services.clock.now()
    shared: dict[str, object] = {"notice": "", "notice_kind": "ok"}
    return plain.render(
        request, template, t, status, **(shared | values), person=session.person, csrf=session.csrf_token, made=made
    )


def _session(request: Request, house: Services) -> Session:
    return house.identity.session(request.cookies.get(COOKIE))
