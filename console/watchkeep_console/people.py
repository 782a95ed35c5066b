"""People and their memberships, made with an administrator's connection: the console's own login cannot."""

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import Connection

from watchkeep_console import passwords
from watchkeep_console.errors import Invalid
from watchkeep_core.vocabulary import load

_SCOPES = ("area", "organisation", "community")


@dataclass(frozen=True, slots=True)
class NewMembership:
    """A role of the vocabulary within a scope."""

    role: str
    scope_kind: str
    scope_id: str

    @classmethod
    def parse(cls, text: str) -> "NewMembership":
        """`role@kind:id`, e.g. `technician@organisation:lift-co`. Raises Invalid."""
        role, at, scope = text.partition("@")
        kind, colon, scope_id = scope.partition(":")
        if not (role and kind and scope_id and at and colon):
            raise Invalid("membership", f"{text!r} must look like technician@organisation:lift-co")
        return cls(role, kind, scope_id)


def create_person(
    conn: Connection,
    login: str,
    name: str,
    password: str | None,
    org_id: str | None = None,
    memberships: Sequence[NewMembership] = (),
    *,
    language: str = "zh",
    phone: str = "",
    email: str = "",
) -> str:
    """Create a person, or bring one of this login up to date; returns the person's id. Ends all their sessions.

    `conn` belongs to an administrator with the role `watchkeep_owner`; the caller commits. Without a password the
    person cannot log in. Memberships are added and end never here. Raises Invalid that names the field.
    """
    if password is not None:
        passwords.check_policy(login, password)
    for membership in memberships:
        check_membership(membership)
    try:
        row = conn.execute(
            _SAVE,
            {
                "login": login.lower(),
                "name": name,
                "org_id": org_id,
                "password_hash": None if password is None else passwords.hash_password(password),
                "language": language,
                "phone": phone,
                "email": email,
            },
        ).fetchone()
    except (psycopg.errors.CheckViolation, psycopg.errors.ForeignKeyViolation) as error:
        raise Invalid(_field(error), error.diag.message_primary or "is not valid") from None
    assert row is not None  # noqa: S101  # RETURNING after an upsert
    person_id = str(row[0])
    for membership in memberships:
        conn.execute(
            "INSERT INTO memberships (person_id, role, scope_kind, scope_id) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [person_id, membership.role, membership.scope_kind, membership.scope_id],
        )
    conn.execute("UPDATE sessions SET revoked_at = now() WHERE person_id = %s AND revoked_at IS NULL", [person_id])
    return person_id


_SAVE = """
INSERT INTO people (login, name, org_id, password_hash, language, phone, email)
VALUES (%(login)s, %(name)s, %(org_id)s, %(password_hash)s, %(language)s, %(phone)s, %(email)s)
ON CONFLICT (login) DO UPDATE SET name = excluded.name, org_id = excluded.org_id, language = excluded.language,
    password_hash = coalesce(excluded.password_hash, people.password_hash), phone = excluded.phone,
    email = excluded.email, failed_logins = 0, locked_until = NULL, active = true
RETURNING person_id"""


def check_membership(membership: NewMembership) -> None:
    """Raises Invalid(`membership`)."""
    if membership.role not in load().roles:
        raise Invalid("membership", f"no role {membership.role!r}")
    if membership.scope_kind not in _SCOPES:
        raise Invalid("membership", f"no scope {membership.scope_kind!r}: area, organisation or community")


def _field(error: psycopg.Error) -> str:
    return next(
        (name for name in ("login", "org_id", "language") if name in (error.diag.constraint_name or "")), "name"
    )
