"""Who asks: the session of a request by cookie or bearer token, CSRF for what changes something."""

import hmac
import time
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool

from watchkeep_console import once
from watchkeep_console.api import files, permits
from watchkeep_console.errors import ConsoleError, NotLoggedIn
from watchkeep_console.identity import Session
from watchkeep_console.services import Services

COOKIE = "watchkeep_session"
KEY = once.HEADER
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class BadCsrf(ConsoleError):
    """The CSRF token of a form or header is missing or not this session's."""

    status = 403

    def __init__(self) -> None:
        super().__init__("csrf", f"{CSRF_HEADER} must hold the session's token", CSRF_HEADER)


async def services(request: Request) -> Services:
    """No work: as a plain function it would cost a thread."""
    found: Services = request.app.state.services
    return found


async def session(request: Request, house: Annotated[Services, Depends(services)]) -> Session:
    """The session behind an API request, if it may use the route at all; who reads is remembered for some seconds.

    Raises NotLoggedIn, BadCsrf, Forbidden, TooMany.
    """
    route: str = request.scope["route"].path
    try:
        found = _lately(request, house, route)
        if found is None:
            found = await run_in_threadpool(_who, request, house, route)
    except NotLoggedIn:
        house.strangers.hit(address(request) or "", time.monotonic())
        raise
    house.requests.hit(found.token_hash.hex(), time.monotonic())
    permits.check(found.person, request.method, route)
    return found


def _lately(request: Request, house: Services, route: str) -> Session | None:
    """Without the database; None for whoever changes something, and whoever has not been here for some seconds."""
    if request.method not in _SAFE:
        return None
    token, due_ok = _bearer(request), _before_anything(request, route)
    if token is not None:
        return house.identity.lately(token, bearer=True)
    return house.identity.lately(request.cookies.get(COOKIE), due_ok=due_ok)


def _who(request: Request, house: Services, route: str) -> Session:
    token = _bearer(request)
    if token is not None:
        return house.identity.bearer(token)
    found = house.identity.session(request.cookies.get(COOKIE), due_ok=_before_anything(request, route))
    if request.method not in _SAFE:
        check_csrf(found, request.headers.get(CSRF_HEADER))
    return found


def _bearer(request: Request) -> str | None:
    """None without such a header; may be empty."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _before_anything(request: Request, route: str) -> bool:
    """Whether it is open to those who must set a password or a second factor first."""
    return permits.needed(request.method, route) in (permits.OWN, permits.ME)


def check_csrf(found: Session, given: str | None) -> None:
    """Raises BadCsrf."""
    if found.csrf_token is None or not hmac.compare_digest(found.csrf_token.encode(), (given or "").encode()):
        raise BadCsrf


def set_cookie(response: Response, house: Services, token: str) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(house.settings.session_hours * 3600),
        httponly=True,
        secure=house.settings.secure_cookies,
        samesite="lax",  # a link from a chat or a mail finds one logged in; what changes something asks for the token
        path="/",
    )


def drop_cookie(response: Response, house: Services) -> None:
    response.delete_cookie(COOKIE, path="/", httponly=True, secure=house.settings.secure_cookies, samesite="lax")


def address(request: Request) -> str | None:
    return request.client.host if request.client else None


House = Annotated[Services, Depends(services)]
Current = Annotated[Session, Depends(session)]


class TaggedRoute(APIRoute):
    """What all routes of the API have: ETags, lists as files, answers kept for a repeated `Idempotency-Key`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        keeps = {param.field_info.alias or param.name for param in self.dependant.header_params}
        by_itself = KEY in keeps  # in the transaction of the act, which is better still
        secret = bool((self.openapi_extra or {}).get("x-secret"))
        shaped = "format" not in {param.field_info.alias or param.name for param in self.dependant.query_params}

        async def answer(request: Request) -> Response:
            if request.method == "GET":
                return _read(request, await handle(request), shaped=shaped)
            key = request.headers.get(KEY)
            if key is None or by_itself or permits.needed(request.method, self.path) == permits.PUBLIC:
                return await handle(request)
            return await _once(request, handle, key, secret=secret)

        return answer


def _read(request: Request, response: Response, *, shaped: bool) -> Response:
    if response.status_code != 200 or not hasattr(response, "body"):
        return response
    kind = files.wanted(request.query_params.get("format"), request.headers.get("accept", "")) if shaped else None
    if kind is not None and response.headers.get("content-type") == "application/json":
        house: Services = request.app.state.services
        house.exports.hit(request.headers.get("authorization") or request.cookies.get(COOKIE, ""), time.monotonic())
        response = files.shaped(bytes(response.body), kind, request.scope["route"].name)
    tag = files.etag(bytes(response.body))
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept, Cookie, Authorization"
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    return response


async def _once(
    request: Request, handle: Callable[[Request], Coroutine[Any, Any, Response]], key: str, *, secret: bool
) -> Response:
    """The first answer again. The key is taken before the act: of two at a time one acts, the other gets 409."""
    house: Services = request.app.state.services
    current = await session(request, house)
    body = await request.body()
    digest = sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode() + body).digest()
    kept = await run_in_threadpool(once.take, house, current, key, digest)
    if kept is not None:
        return Response(kept.body, kept.status, media_type="application/json" if kept.body else None)
    try:
        response = await handle(request)
    except BaseException:
        await run_in_threadpool(once.drop, house, current, key)
        raise
    if response.status_code >= 400:
        await run_in_threadpool(once.drop, house, current, key)
        return response
    content = bytes(response.body) if hasattr(response, "body") and not secret else b""
    await run_in_threadpool(once.keep, house, current, key, response.status_code, content, secret=secret)
    return response
