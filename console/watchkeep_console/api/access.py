"""Who asks: the session of a request by cookie or bearer token, CSRF for what changes something."""

import hmac
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from watchkeep_console.errors import ConsoleError
from watchkeep_console.identity import Session
from watchkeep_console.services import Services

COOKIE = "watchkeep_session"
CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class BadCsrf(ConsoleError):
    """The CSRF token of a form or header is missing or not this session's."""

    status = 403

    def __init__(self) -> None:
        super().__init__("csrf", f"{CSRF_HEADER} must hold the session's token", CSRF_HEADER)


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def session(request: Request, house: Annotated[Services, Depends(services)]) -> Session:
    """The session behind an API request. Raises NotLoggedIn or BadCsrf."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return house.identity.bearer(token.strip())
    found = house.identity.session(request.cookies.get(COOKIE))
    if request.method not in _SAFE:
        check_csrf(found, request.headers.get(CSRF_HEADER))
    return found


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
        samesite="strict",
        path="/",
    )


def drop_cookie(response: Response, house: Services) -> None:
    response.delete_cookie(COOKIE, path="/", httponly=True, secure=house.settings.secure_cookies, samesite="strict")


def address(request: Request) -> str | None:
    return request.client.host if request.client else None


House = Annotated[Services, Depends(services)]
Current = Annotated[Session, Depends(session)]


class TaggedRoute(APIRoute):
    """Answers to GET carry an ETag; a client that has it already gets 304 and no body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            response = await handle(request)
            if request.method != "GET" or response.status_code != 200 or not hasattr(response, "body"):
                return response
            tag = f'"{sha256(response.body).hexdigest()[:32]}"'
            if tag in request.headers.get("if-none-match", ""):
                return Response(status_code=304, headers={"ETag": tag})
            response.headers["ETag"] = tag
            response.headers["Cache-Control"] = "private, no-cache"
            return response

        return tagged
