"""`/login`, `/logout`, `/preferences`: plain forms, so that they work everywhere and need no script."""

import hmac
import secrets
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from watchkeep_console import plain
from watchkeep_console.api.access import COOKIE, House, address, check_csrf, drop_cookie, set_cookie
from watchkeep_console.api.health import LOGINS
from watchkeep_console.api.sessions import log_in
from watchkeep_console.errors import NotLoggedIn, TooMany
from watchkeep_console.services import Services

router = APIRouter(include_in_schema=False)
FORM_COOKIE = "watchkeep_form"


@router.get("/login")
def login_page(request: Request, house: House, next: Annotated[str | None, Query(max_length=500)] = None) -> Response:
    return _page(request, house, plain.local_path(next))


@router.post("/login")
def login(
    request: Request,
    house: House,
    login: Annotated[str, Form(max_length=64)],
    password: Annotated[str, Form(max_length=256)],
    csrf: Annotated[str, Form(max_length=200)] = "",
    next: Annotated[str | None, Form(max_length=500)] = None,
) -> Response:
    target = plain.local_path(next)
    t = plain.language(request)
    seed = request.cookies.get(FORM_COOKIE, "")
    if not seed or not hmac.compare_digest(house.identity.form_token(seed).encode(), csrf.encode()):
        return _page(request, house, target, login, t("login.stale"), 403)
    try:
        opened = log_in(house, request, login, password)
    except TooMany as error:
        return _page(request, house, target, login, t("login.too_many", seconds=error.retry_after_s), 429)
    LOGINS.labels("ok" if opened else "refused").inc()
    if opened is None:
        return _page(request, house, target, login, t("login.wrong"), 401)
    response = RedirectResponse(target, 303)
    set_cookie(response, house, opened.token)
    response.delete_cookie(FORM_COOKIE, path="/login")
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


def _page(
    request: Request, house: Services, target: str, login: str = "", error: str = "", status: int = 200
) -> Response:
    seed = secrets.token_urlsafe(16)
    t = plain.language(request)
    csrf = house.identity.form_token(seed)
    response = plain.render(request, "login.html", t, status, csrf=csrf, next=target, login=login, error=error)
    response.set_cookie(
        FORM_COOKIE, seed, httponly=True, samesite="strict", secure=house.settings.secure_cookies, path="/login"
    )
    return response
