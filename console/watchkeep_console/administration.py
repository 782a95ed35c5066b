"""People, their roles and organisations, as administrators change them: the database decides about scopes once more."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import accounts
from watchkeep_console.asking import asking
from watchkeep_console.errors import Conflict, Forbidden, Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.people import NewMembership, check_membership
from watchkeep_console.services import Services
from watchkeep_core import audit, estate
from watchkeep_core.database import queries
from watchkeep_core.topics import is_id
from watchkeep_core.vocabulary import load

_SQL = queries("watchkeep_console", "sql/admin.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Of a person. `phone` empty = leave it as it is: the console cannot read numbers."""

    name: str
    org_id: str | None
    phone: str = ""
    email: str = ""
    language: str = "zh"
    active: bool = True


def create(house: Services, session: Session, login: str, details: Details) -> tuple[str, str]:
    """A new person: (id, first password, shown this once). Raises Forbidden, Invalid that names the field."""
    person = _save(house, session, None, login.strip().lower(), details)
    return person, accounts.reset(house, session, person)


def change(house: Services, session: Session, person: str, details: Details) -> None:
    """Raises Forbidden, Invalid, NotFound. Making somebody inactive ends all their sessions and tokens."""
    if person == session.person.person_id and not details.active:
        raise Invalid("active", "nobody shuts himself out")
    _save(house, session, person, "", details)


def _save(house: Services, session: Session, person: str | None, login: str, details: Details) -> str:
    session_may(session)
    if not details.name.strip():
        raise Invalid("name", "must be given")
    row = {
        "person": person,
        "login": login,
        "name": details.name.strip(),
        "org": details.org_id or None,
        "phone": details.phone.strip() or None,
        "email": details.email.strip(),
        "language": details.language,
        "hash": None,
        "active": details.active,
    }
    with _refusing("person"), asking(house, session) as conn:
        if person is not None:
            _visible(conn, person)
        ((saved,),) = conn.execute(_SQL["save_person"], row).fetchall()
        what = {"new": person is None, "active": details.active, "organisation": details.org_id}
        audit.record(conn, "person.save", "person", saved, person_id=session.person.person_id, detail=what)
    house.forget()
    found: str = saved
    return found


def grant(house: Services, session: Session, person: str, membership: NewMembership, until: datetime | None) -> int:
    """Give a role, until a time or without an end. Nobody gives one to himself. Raises Forbidden, Invalid, NotFound."""
    session_may(session)
    check_membership(membership)
    if person == session.person.person_id:
        raise Forbidden("people:edit (nobody gives a role to himself)")
    if until is not None and until <= house.clock.now():
        raise Invalid("until", "must be in the future")
    row = {"person": person, "role": membership.role, "kind": membership.scope_kind, "scope": membership.scope_id}
    with _refusing("scope"), asking(house, session) as conn:
        _visible(conn, person)
        ((made,),) = conn.execute(_SQL["grant"], row | {"until": until}).fetchall()
        what = {name: value for name, value in row.items() if name != "person"}
        what["until"] = until.isoformat() if until else ""
        audit.record(conn, "membership.grant", "person", person, person_id=session.person.person_id, detail=what)
    house.forget()
    return int(made)


def end(house: Services, session: Session, membership: int) -> None:
    """Raises Forbidden, NotFound."""
    session_may(session)
    with _refusing("scope"), asking(house, session) as conn:
        ((person,),) = conn.execute(_SQL["end"], {"id": membership}).fetchall()
        if person is None:
            raise NotFound("membership", membership)
        detail = {"membership": membership}
        audit.record(conn, "membership.end", "person", person, person_id=session.person.person_id, detail=detail)
    house.forget()


def save_organisation(house: Services, session: Session, organisation: estate.Organisation, *, new: bool) -> None:
    """Raises Forbidden, Conflict(`exists`), Invalid."""
    session_may(session)
    if not is_id(organisation.org_id):
        raise Invalid("org_id", "only letters, digits, - and _, at most 64")
    if organisation.kind not in load().parties:
        raise Invalid("kind", f"no party {organisation.kind!r}")
    with asking(house, session) as conn:
        known = conn.execute("SELECT FROM organisations WHERE org_id = %s", [organisation.org_id]).fetchone()
        if new and known is not None:
            raise Conflict("exists", f"there is an organisation {organisation.org_id} already", "org_id")
        scope = {"kind": "organisation", "scope": organisation.org_id}
        if new:
            scope = {"kind": "area", "scope": organisation.area_id or ""}
        ((mine,),) = conn.execute(_SQL["administers"], scope).fetchall()
        if not mine:
            raise Forbidden("people:edit")
        try:
            estate.save(conn, estate.Estate(organisations=[organisation]))
        except estate.EstateError as error:
            raise Invalid("area_id", str(error)) from error
        who, detail = session.person.person_id, {"new": new}
        audit.record(conn, "organisation.save", "organisation", organisation.org_id, person_id=who, detail=detail)


def person(conn: Connection, person_id: str) -> dict[str, Any]:
    """With all memberships, present and past. Raises NotFound."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_SQL["person"], {"person": _uuid(person_id)}).fetchone()
        if found is None:
            raise NotFound("person", person_id)
        return found | {"memberships": cursor.execute(_SQL["person_memberships"], {"person": person_id}).fetchall()}


def session_may(session: Session) -> None:
    """Raises Forbidden: an API token never administers people."""
    if session.person.scopes is not None or not session.person.may_somewhere("people:edit"):
        raise Forbidden("people:edit")


def _visible(conn: Connection, person_id: str) -> None:
    if conn.execute("SELECT FROM people WHERE person_id = %s", [_uuid(person_id)]).fetchone() is None:
        raise NotFound("person", person_id)


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise NotFound("person", text) from None


@contextmanager
def _refusing(field: str) -> Iterator[None]:
    """The database's refusals as ours."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege:
        raise Forbidden("people:edit") from None
    except psycopg.errors.UniqueViolation:
        raise Conflict("exists", "there is a person of this login already", "login") from None
    except (psycopg.errors.CheckViolation, psycopg.errors.ForeignKeyViolation) as error:
        named = error.diag.constraint_name or ""
        raise Invalid(
            next((one for one in ("login", "org_id", "language") if one in named), field), "is not valid"
        ) from None
