"""`/api/v1/session` and `/api/v1/me`: log in, log out, who am I."""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from watchkeep_console import models as m
from watchkeep_console.api.access import Current, House, TaggedRoute, address, drop_cookie, set_cookie
from watchkeep_console.errors import NotLoggedIn
from watchkeep_console.identity import Opened
from watchkeep_console.permissions import PERMISSIONS
from watchkeep_console.services import Services

router = APIRouter(route_class=TaggedRoute, tags=["session"])


class Login(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"login": "duty", "password": "…"}})

    login: str = Field(min_length=1, max_length=64)
    password: SecretStr = Field(min_length=1, max_length=256)
    code: str = Field(default="", max_length=20, description="of the authenticator app, where one is set up")


def limit(house: Services, request: Request, account: str) -> None:
    """How often one may try, per address and per account. Raises TooMany."""
    where = address(request) or ""
    house.logins.hit(address=where, account=f"{where} {account.lower()[:64]}")


def log_in(house: Services, request: Request, login: str, password: str, code: str = "") -> Opened | None:
    """With rate limits. Raises TooMany, CodeNeeded."""
    limit(house, request, login)
    agent = request.headers.get("user-agent", "")
    return house.identity.log_in(login, password, code, user_agent=agent, address=address(request))


@router.post("/session", status_code=201, summary="Log in")
def open_session(body: Login, request: Request, response: Response, house: House) -> m.Started:
    """With a second factor in force the answer to a right password is 401 `code_needed`: send it again with `code`.

    Sets the session cookie; `csrf_token` belongs into `X-CSRF-Token` of every request that changes something."""
    opened = log_in(house, request, body.login, body.password.get_secret_value(), body.code)
    if opened is None:
        raise NotLoggedIn("login or password is wrong, or the account is locked for a while")
    set_cookie(response, house, opened.token)
    return m.Started(person_id=opened.person_id, csrf_token=opened.csrf_token, expires_at=opened.expires_at)


@router.delete("/session", status_code=204, summary="Log out")
def close_session(request: Request, house: House, current: Current) -> Response:
    house.identity.log_out(current, address(request))
    response = Response(status_code=204)
    drop_cookie(response, house)
    return response


@router.get("/me", summary="Who am I, and what may I do")
def me(current: Current) -> m.Me:
    person = current.person
    return m.Me(
        person_id=person.person_id,
        login=person.login,
        name=person.name,
        org_id=person.org_id,
        language=person.language,
        memberships=[
            m.Membership(role=item.role, scope_kind=item.scope_kind, scope_id=item.scope_id)
            for item in person.memberships
        ],
        permissions=[name for name in PERMISSIONS if person.may_somewhere(name)],
    )
