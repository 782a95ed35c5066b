"""`/login`, `/logout`, `/preferences`: plain forms, so that they work everywhere and need no script.

Steps of a login: password or OpenID provider, then the code of a second factor where there is one.
"""

import hmac
import secrets
from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from watchkeep_console import plain
from watchkeep_console.api.access import COOKIE, House, address, check_csrf, drop_cookie, set_cookie
from watchkeep_console.api.health import LOGINS
from watchkeep_console.api.sessions import limit, log_in
from watchkeep_console.errors import CodeNeeded, NotLoggedIn, StepDue, TooMany
from watchkeep_console.identity import Opened
from watchkeep_console.oidc import PENDING_S, OidcError, Subject
from watchkeep_console.services import Services
from watchkeep_core.database import queries
from watchkeep_core.logs import get_logger

router = APIRouter(include_in_schema=False)
log = get_logger(__name__)
_SQL = queries("watchkeep_console", "sql/account.sql")
FORM_COOKIE = "watchkeep_form"
OIDC_COOKIE = "watchkeep_oidc"
OIDC_RETURN = "/login/oidc/return"
Attempt = Callable[[], Opened | None]
"""None = refused. May raise TooMany, CodeNeeded."""
Next = Annotated[str | None, Query(max_length=500)]


@router.get("/login")
def login_page(request: Request, house: House, next: Next = None) -> Response:
    """Who is logged in goes on: to the page they came for, or to what their account still needs."""
    target = plain.local_path(next)
    try:
        house.identity.session(request.cookies.get(COOKIE))
    except StepDue:
        return RedirectResponse("/account", 303)
    except NotLoggedIn:
        return _page(request, house, target)
    return RedirectResponse(target, 303)


@router.post("/login")
def login(
    request: Request,
    house: House,
    login: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=256)],
    csrf: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str | None, Form(max_length=500)] = None,
) -> Response:
    return _step(request, house, csrf, next, lambda: log_in(house, request, login, password), "login.wrong", login)


@router.post("/login/code")
def code(
    request: Request,
    house: House,
    ticket: Annotated[str, Form(max_length=300)],
    code: Annotated[str, Form(max_length=20)],
    csrf: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str | None, Form(max_length=500)] = None,
) -> Response:
    """The second step."""

    def by_ticket() -> Opened | None:
        limit(house, request, ticket.partition(".")[0])
        agent = request.headers.get("user-agent", "")
        return house.identity.log_in_by_ticket(ticket, code, user_agent=agent, address=address(request))

    return _step(request, house, csrf, next, by_ticket, "second.wrong")


@router.get("/login/oidc")
def to_provider(request: Request, house: House, next: Next = None) -> Response:
    """Off to the OpenID provider; the cookie ties its answer to this browser."""
    if house.oidc is None:
        return RedirectResponse("/login", 303)
    target = plain.local_path(next)
    try:
        url, pending = house.oidc.begin(_return_url(request, house), target, house.clock.now().timestamp())
    except OidcError as error:
        log.warning("oidc_failed", reason=str(error))
        return _page(request, house, target, error=plain.language(request)("second.failed"), status=502)
    response = RedirectResponse(url, 303)
    response.set_cookie(
        OIDC_COOKIE, pending, max_age=PENDING_S, httponly=True, samesite="lax",
        secure=house.settings.secure_cookies, path=OIDC_RETURN,
    )  # fmt: skip
    return response


@router.get(OIDC_RETURN)
def from_provider(
    request: Request,
    house: House,
    state: Annotated[str, Query(max_length=500)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
) -> Response:
    """Back from the provider."""
    if house.oidc is None:
        return RedirectResponse("/login", 303)
    try:
        limit(house, request, "oidc")
        now_s = house.clock.now().timestamp()
        cookie = request.cookies.get(OIDC_COOKIE, "")
        who, target = house.oidc.finish(cookie, state, code, _return_url(request, house), now_s)
    except TooMany as error:
        return _too_many(request, house, "/", error)
    except OidcError as error:
        log.warning("oidc_failed", reason=str(error))
        return _page(request, house, "/", error=plain.language(request)("second.failed"), status=401)
    target = plain.local_path(target)
    response = _opened(request, house, target, lambda: log_in_by_subject(house, who, request), "second.refused")
    response.delete_cookie(OIDC_COOKIE, path=OIDC_RETURN)
    return response


@router.post("/logout")
def logout(request: Request, house: House, csrf: Annotated[str, Form(max_length=200)] = "") -> Response:
    response = RedirectResponse("/login", 303)
    try:
        session = house.identity.session(request.cookies.get(COOKIE), active=False)
    except NotLoggedIn:
        return response
    check_csrf(session, csrf)
    house.identity.log_out(session, address(request))
    drop_cookie(response, house)
    return response


@router.get("/preferences")
def preferences(
    next: Annotated[str | None, Query(max_length=500)] = None,
    language: Annotated[str | None, Query(pattern="^(zh|en)$")] = None,
    theme: Annotated[str | None, Query(pattern="^(light|dark)$")] = None,
) -> Response:
    """Language and theme are this browser's: two cookies, and back."""
    response = RedirectResponse(plain.local_path(next), 303)
    if language:
        plain.prefer(response, plain.LANGUAGE_COOKIE, language)
    if theme:
        plain.prefer(response, plain.THEME_COOKIE, theme)
    return response


def to_login(path: str) -> RedirectResponse:
    return RedirectResponse(f"/login?next={quote(path)}", 303)


def log_in_by_subject(house: Services, who: Subject, request: Request) -> Opened | None:
    """A session for the account that belongs to it; None when there is none. Raises CodeNeeded."""
    with house.pool.connection() as conn:
        wanted = {"issuer": who.issuer, "subject": who.subject, "email": who.email}
        row = conn.execute(_SQL["oidc_candidate"], wanted).fetchone()
    if row is None or row[0] is None:
        return None
    agent = request.headers.get("user-agent", "")
    return house.identity.log_in_as(row[0], user_agent=agent, address=address(request))


def _return_url(request: Request, house: Services) -> str:
    """As registered at the provider: by `public_url`, else by the address the browser used."""
    return (house.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")) + OIDC_RETURN


def _ours(request: Request, house: Services, csrf: str) -> bool:
    """Whether the form is one we gave to this browser."""
    seed = request.cookies.get(FORM_COOKIE, "")
    return bool(seed) and hmac.compare_digest(house.identity.form_token(seed).encode(), csrf.encode())


def _step(
    request: Request, house: Services, csrf: str, next: str | None, attempt: Attempt, refusal: str, login: str = ""
) -> Response:
    """A form of ours: what it attempts, or what keeps it from that; `refusal` is a text of the catalogue."""
    target = plain.local_path(next)
    if not _ours(request, house, csrf):
        return _page(request, house, target, login, plain.language(request)("login.stale"), 403)
    return _opened(request, house, target, attempt, refusal, login)


def _opened(
    request: Request, house: Services, target: str, attempt: Attempt, refusal: str, login: str = ""
) -> Response:
    try:
        opened = attempt()
    except TooMany as error:
        return _too_many(request, house, target, error, login)
    except CodeNeeded as error:
        return _form(request, house, "login_code.html", 200, next=target, ticket=error.ticket)
    LOGINS.labels("ok" if opened else "refused").inc()
    if opened is None:
        return _page(request, house, target, login, plain.language(request)(refusal), 401)
    response = RedirectResponse(target, 303)
    set_cookie(response, house, opened.token)
    response.delete_cookie(FORM_COOKIE, path="/login")
    return response


def _page(
    request: Request, house: Services, target: str, login: str = "", error: str = "", status: int = 200
) -> Response:
    other = house.settings.oidc_label if house.oidc else None
    return _form(request, house, "login.html", status, next=target, login=login, error=error, other=other)


def _too_many(request: Request, house: Services, target: str, error: TooMany, login: str = "") -> Response:
    said = plain.language(request)("login.too_many", seconds=error.retry_after_s)
    return _page(request, house, target, login, said, error.status)


def _form(request: Request, house: Services, template: str, status: int, **values: object) -> Response:
    seed = secrets.token_urlsafe(16)
    csrf = house.identity.form_token(seed)
    response = plain.render(request, template, plain.language(request), status, csrf=csrf, **values)
    response.set_cookie(
        FORM_COOKIE, seed, httponly=True, samesite="strict", secure=house.settings.secure_cookies, path="/login"
    )
    return response
