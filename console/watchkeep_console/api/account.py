"""`/api/v1/me…`: password, second factor, sessions, tokens; `/people/…`: what administrators do to an account."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from watchkeep_console import accounts
from watchkeep_console import exchange_models as x
from watchkeep_console.api.access import Current, House, TaggedRoute
from watchkeep_console.api.register import RowId

router = APIRouter(route_class=TaggedRoute, tags=["account"])
Code = Annotated[
    str, Field(min_length=6, max_length=20, description="6 digits of the app; to remove, also a recovery code")
]


class PasswordBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"old": "…", "password": "…"}})

    old: SecretStr = Field(min_length=1, max_length=256)
    password: SecretStr = Field(min_length=12, max_length=256)


class CodeBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"code": "492039"}})

    code: Code


class TokenBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"name": "city data centre", "scopes": ["read"], "days": 90}},
    )

    name: Annotated[str, Field(min_length=1, max_length=100)]
    scopes: Annotated[list[str], Field(max_length=20, description="read, and permissions such as case:act")]
    days: Annotated[int, Field(ge=1, le=366)] = 90


class ReasonBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "离职，本人申请注销"}})

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class Offer(BaseModel):
    """`qr` is an SVG as a data URI."""

    secret: str
    uri: str
    qr: str


class RecoveryCodes(BaseModel):
    recovery_codes: list[str]


class OnePassword(BaseModel):
    password: str


@router.post("/me/password", status_code=204, summary="Change the own password")
def change_password(body: PasswordBody, house: House, current: Current) -> Response:
    """All other sessions end; API tokens stay, and are revoked one by one."""
    accounts.change_password(house, current, body.old.get_secret_value(), body.password.get_secret_value())
    return Response(status_code=204)


@router.post("/me/totp", status_code=201, summary="Begin to set up an authenticator app")
def offer(house: House, current: Current) -> Offer:
    """Not in force before `PUT` has proven it with a code."""
    found = accounts.offer_totp(house, current)
    return Offer(secret=found.secret, uri=found.uri, qr=found.qr)


@router.put("/me/totp", summary="Put the authenticator app in force")
def confirm(body: CodeBody, house: House, current: Current) -> RecoveryCodes:
    """The recovery codes are shown this once."""
    return RecoveryCodes(recovery_codes=accounts.confirm_totp(house, current, body.code))


@router.delete("/me/totp", status_code=204, summary="Remove the authenticator app")
def remove(body: CodeBody, house: House, current: Current) -> Response:
    accounts.remove_totp(house, current, body.code)
    return Response(status_code=204)


@router.get("/me/sessions", summary="Where I am logged in")
def sessions(house: House, current: Current) -> list[x.OwnSession]:
    return accounts.sessions(house, current)


@router.delete("/me/sessions/{session_id}", status_code=204, summary="End one of my sessions")
def end_session(session_id: RowId, house: House, current: Current) -> Response:
    accounts.end_session(house, current, session_id)
    return Response(status_code=204)


@router.get("/me/tokens", summary="My API tokens")
def tokens(house: House, current: Current) -> list[x.Token]:
    return accounts.tokens(house, current)


@router.post("/me/tokens", status_code=201, summary="Make an API token", openapi_extra={"x-secret": True})
def make_token(body: TokenBody, house: House, current: Current) -> x.NewToken:
    """It acts as me, within its scopes and what my roles allow at that moment. Shown this once."""
    return accounts.make_token(house, current, body.name, body.scopes, body.days)


@router.delete("/me/tokens/{token_id}", status_code=204, summary="Revoke one of my API tokens")
def revoke_token(token_id: RowId, house: House, current: Current) -> Response:
    accounts.revoke_token(house, current, token_id)
    return Response(status_code=204)


@router.get("/me/data", summary="Everything held on me")
def my_data(house: House, current: Current) -> dict[str, Any]:
    return accounts.data(house, current, current.person.person_id)


@router.post("/people/{person_id}/reset", summary="A password for once", openapi_extra={"x-secret": True})
def reset(person_id: UUID, house: House, current: Current) -> OnePassword:
    """For an account whose every role I administer. Its sessions, tokens and second factor end; the person must set a
    password of their own at the next login."""
    return OnePassword(password=accounts.reset(house, current, str(person_id)))


@router.get("/people/{person_id}/data", summary="Everything held on a person")
def person_data(person_id: UUID, house: House, current: Current) -> dict[str, Any]:
    """For an account whose every role I administer; each export is in the audit trail."""
    return accounts.data(house, current, str(person_id))


@router.post("/people/{person_id}/erasure", status_code=202, summary="Ask for a person to be anonymised")
def ask_erasure(person_id: UUID, body: ReasonBody, house: House, current: Current) -> dict[str, int]:
    return {"erasure": accounts.ask_erasure(house, current, str(person_id), body.reason)}


@router.post(
    "/people/{person_id}/erasure/approval", status_code=204, summary="Anonymise a person: a second administrator"
)
def approve_erasure(person_id: UUID, house: House, current: Current) -> Response:
    """Name, login, phone and address go; ids in evidence and audit trail stay."""
    accounts.approve_erasure(house, current, str(person_id))
    return Response(status_code=204)
