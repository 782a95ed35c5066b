"""`/account`: plain forms for the own password, second factor, sessions and tokens."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from watchkeep_console import accounts, person_channels, plain
from watchkeep_console.api.access import COOKIE, House, check_csrf
from watchkeep_console.api.login import to_login
from watchkeep_console.errors import ConsoleError, NotLoggedIn
from watchkeep_console.identity import Session
from watchkeep_console.permissions import SCOPES
from watchkeep_console.refusals import told
from watchkeep_console.services import Services
from watchkeep_console.texts import catalogue

router = APIRouter(prefix="/account", include_in_schema=False)
Csrf = Annotated[str, Form(max_length=200)]
Secret = Annotated[str, Form(max_length=256)]
Clock = Annotated[str, Form(max_length=5)]
"""Such as 22:00."""
Id = Annotated[int, Form(ge=1, le=2**63 - 1)]


@router.get("")
def account(request: Request, house: House, done: str = "") -> Response:
    try:
        session = _session(request, house)
    except NotLoggedIn:
        return to_login("/account")
    notice = plain.language(request, session.person.language)("account.done") if done == "1" else ""
    return _page(request, house, session, notice=notice)


@router.post("/password")
def password(
    request: Request, house: House, csrf: Csrf = "", old: Secret = "", new: Secret = "", again: Secret = ""
) -> Response:
    def change(session: Session) -> None:
        if new != again:
            raise _Unlike
        accounts.change_password(house, session, old, new)

    return _do(request, house, csrf, change)


@router.post("/totp")
def offer(request: Request, house: House, csrf: Csrf = "") -> Response:
    return _show(request, house, csrf, lambda session: {"offer": accounts.offer_totp(house, session)})


@router.post("/totp/confirm")
def confirm(request: Request, house: House, csrf: Csrf = "", code: Secret = "") -> Response:
    return _show(request, house, csrf, lambda session: {"codes": accounts.confirm_totp(house, session, code)})


@router.post("/totp/remove")
def remove(request: Request, house: House, csrf: Csrf = "", code: Secret = "") -> Response:
    return _do(request, house, csrf, lambda session: accounts.remove_totp(house, session, code))


@router.post("/sessions/end")
def end_session(request: Request, house: House, session_id: Id, csrf: Csrf = "") -> Response:
    return _do(request, house, csrf, lambda session: accounts.end_session(house, session, session_id))


@router.post("/tokens")
def make_token(
    request: Request,
    house: House,
    csrf: Csrf = "",
    name: Annotated[str, Form(max_length=100)] = "",
    days: Annotated[int, Form(ge=1, le=366)] = 90,
    scopes: Annotated[list[str] | None, Form()] = None,
) -> Response:
    def made(session: Session) -> dict[str, Any]:
        return {"token": accounts.make_token(house, session, name.strip() or "token", scopes or [], days)}

    return _show(request, house, csrf, made)


@router.post("/tokens/revoke")
def revoke_token(request: Request, house: House, token_id: Id, csrf: Csrf = "") -> Response:
    return _do(request, house, csrf, lambda session: accounts.revoke_token(house, session, token_id))


@router.post("/channels")
def add_channel(
    request: Request,
    house: House,
    csrf: Csrf = "",
    kind: Annotated[str, Form(max_length=20)] = "",
    since: Clock = "",
    until: Clock = "",
) -> Response:
    quiet = f"{since}-{until}" if since or until else ""
    return _do(request, house, csrf, lambda session: person_channels.add(house, session, _me(session), kind, quiet))


@router.post("/channels/switch")
def switch_channel(
    request: Request,
    house: House,
    channel_id: Id,
    to: Annotated[Literal["on", "off", "gone"], Form()],
    csrf: Csrf = "",
) -> Response:
    enabled = {"on": True, "off": False}.get(to)

    def switch(session: Session) -> None:
        person_channels.switch(house, session, _me(session), channel_id, enabled=enabled)

    return _do(request, house, csrf, switch)


@router.post("/channels/test")
def try_channels(request: Request, house: House, csrf: Csrf = "") -> Response:
    return _do(request, house, csrf, lambda session: person_channels.test(house, session, _me(session)))


def _me(session: Session) -> str:
    return session.person.person_id


class _Unlike(ConsoleError):
    """The two new passwords differ."""

    def __init__(self) -> None:
        super().__init__("unlike", "the two new passwords differ", "again")


def _do(request: Request, house: Services, csrf: str, act: Callable[[Session], object]) -> Response:
    """One act, then the page anew by a redirect."""

    def acted(session: Session) -> dict[str, Any]:
        act(session)
        return {}

    answer = _show(request, house, csrf, acted)
    return RedirectResponse("/account?done=1", 303) if answer.status_code == 200 else answer


def _show(request: Request, house: Services, csrf: str, act: Callable[[Session], dict[str, Any]]) -> Response:
    """One act whose result is shown this once."""
    try:
        session = _session(request, house)
    except NotLoggedIn:
        return to_login("/account")
    check_csrf(session, csrf)
    try:
        shown = act(session)
    except ConsoleError as error:
        t = plain.language(request, session.person.language)
        own = f"account.wrong_{error.field}"
        return _page(
            request, house, session, status=error.status, error=t(own) if own in catalogue() else told(t, error)
        )
    return _page(request, house, _session(request, house), **shown)


def _page(request: Request, house: Services, session: Session, status: int = 200, **values: Any) -> Response:
    t = plain.language(request, session.person.language)
    shown = {"notice": "", "error": "", "offer": None, "codes": None, "token": None} | values
    ready = session.due is None
    return plain.render(
        request,
        "account.html",
        t,
        status,
        person=session.person,
        csrf=session.csrf_token,
        due=session.due,
        has_totp=accounts.has_totp(house, session),
        sessions=accounts.sessions(house, session) if ready else [],
        tokens=accounts.tokens(house, session) if ready else [],
        scopes=SCOPES,
        channels=person_channels.listing(house, session, _me(session)) if ready else [],
        channel_kinds=person_channels.KINDS,
        **shown,
    )


def _session(request: Request, house: Services) -> Session:
    return house.identity.session(request.cookies.get(COOKIE), due_ok=True)
