"""A person's own account: password, second factor, sessions, tokens; and what administrators do to one."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg.rows import class_row

from watchkeep_console import exchange_models as x
from watchkeep_console import passwords, totp
from watchkeep_console.errors import Conflict, Forbidden, Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.permissions import SCOPES
from watchkeep_console.services import Services
from watchkeep_core import audit
from watchkeep_core.database import queries

TOKEN_PREFIX = "wk_"  # noqa: S105  # what scanners for leaked secrets look for
MAX_TOKENS = 50
_SQL = queries("watchkeep_console", "sql/account.sql")


def change_password(house: Services, session: Session, old: str, new: str) -> None:
    """All other sessions of the person end. Raises Invalid(`old` or `password`)."""
    if not house.identity.check_password(session, old):
        raise Invalid("old", "is not your present password, or the account is locked for a while")
    passwords.check_policy(session.person.login, new)
    if old == new:
        raise Invalid("password", "must be another one")
    with house.identity.acting(session) as conn:
        conn.execute(_SQL["set_password"], {"hash": passwords.hash_password(new)})
        conn.execute(_SQL["close_other_sessions"], {"keep": session.token_hash, "now": house.clock.now()})
        _record(conn, session, "password_changed")
    house.forget()


def offer_totp(house: Services, session: Session) -> totp.Offer:
    """Raises Conflict when there is one in force."""
    with house.identity.acting(session) as conn:
        return totp.begin(conn, house.identity.box, session.person.login)


def confirm_totp(house: Services, session: Session, code: str) -> list[str]:
    """Returns the recovery codes, shown this once. Raises Conflict, Invalid(`code`)."""
    with house.identity.acting(session) as conn:
        codes = totp.confirm(conn, house.identity.box, code, house.identity.digest, house.clock.now())
        _record(conn, session, "totp_set")
    house.forget()
    return codes


def remove_totp(house: Services, session: Session, code: str) -> None:
    """With a present code or a recovery code, so that an unattended screen is not enough. Raises Invalid(`code`)."""
    with house.identity.acting(session) as conn:
        if not totp.accept(conn, house.identity.box, code, house.identity.digest, house.clock.now()):
            raise Invalid("code", "does not fit")
        totp.remove(conn)
        _record(conn, session, "totp_removed")
    house.forget()


def has_totp(house: Services, session: Session) -> bool:
    with house.identity.acting(session) as conn:
        row = conn.execute(_SQL["totp"]).fetchone()
        return row is not None and row[2] is not None


def sessions(house: Services, session: Session) -> list[x.OwnSession]:
    """Where the person is logged in now."""
    now = house.clock.now()
    wanted = {"own": session.token_hash, "now": now, "idle_since": house.identity.idle_since(now)}
    with house.identity.acting(session) as conn:
        return conn.cursor(row_factory=class_row(x.OwnSession)).execute(_SQL["sessions"], wanted).fetchall()


def end_session(house: Services, session: Session, session_id: int) -> None:
    """Raises NotFound for one that is not the person's, or over."""
    with house.identity.acting(session) as conn:
        if conn.execute(_SQL["end_session"], {"id": session_id, "now": house.clock.now()}).fetchone() is None:
            raise NotFound("session", session_id)
        _record(conn, session, "session_ended")
    house.forget()


def tokens(house: Services, session: Session) -> list[x.Token]:
    with house.identity.acting(session) as conn:
        wanted = {"now": house.clock.now()}
        return conn.cursor(row_factory=class_row(x.Token)).execute(_SQL["tokens"], wanted).fetchall()


def make_token(house: Services, session: Session, name: str, scopes: Sequence[str], days: int) -> x.NewToken:
    """A token for a program, which acts as this person within `scopes`; shown this once. Raises Invalid, Conflict."""
    if session.csrf_token is None:
        raise Forbidden("session")
    if unknown := set(scopes) - set(SCOPES):
        raise Invalid("scopes", f"{', '.join(sorted(unknown))} is none of {', '.join(SCOPES)}")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    now = house.clock.now()
    expires_at = now + timedelta(days=days)
    with house.identity.acting(session) as conn:
        if len(conn.execute(_SQL["tokens"], {"now": now}).fetchall()) >= MAX_TOKENS:
            raise Conflict("too_many_tokens", f"at most {MAX_TOKENS}; revoke some first")
        row = {"token_hash": house.identity.digest(token), "name": name, "scopes": sorted(set(scopes)), "now": now}
        made = conn.execute(_SQL["make_token"], row | {"expires_at": expires_at}).fetchone()
        token_id = int(made[0]) if made else 0
        _record(conn, session, "token_made", token_id=token_id, scopes=sorted(set(scopes)))
    return x.NewToken(token_id=token_id, token=token, name=name, scopes=sorted(set(scopes)), expires_at=expires_at)


def revoke_token(house: Services, session: Session, token_id: int) -> None:
    """Raises NotFound for one that is not the person's, or revoked already."""
    with house.identity.acting(session) as conn:
        if conn.execute(_SQL["revoke_token"], {"id": token_id, "now": house.clock.now()}).fetchone() is None:
            raise NotFound("token", token_id)
        _record(conn, session, "token_revoked", token_id=token_id)
    house.forget()


def reset(house: Services, session: Session, person_id: str) -> str:
    """A password for once, for an account the administrator answers for; its sessions, tokens and second factor end.

    Raises NotFound.
    """
    password = "-".join(secrets.token_urlsafe(4) for _ in range(3))
    with house.identity.acting(session) as conn:
        wanted = {"person": person_id, "hash": passwords.hash_password(password)}
        row = conn.execute(_SQL["reset_account"], wanted).fetchone()
        if row is None or row[0] is None:
            raise NotFound("person", person_id)
        _record(conn, session, "account_reset", person_id)
    house.forget()
    return password


def data(house: Services, session: Session, person_id: str) -> dict[str, Any]:
    """Everything held on a person, for that person or an administrator of the account. Raises NotFound."""
    with house.identity.acting(session) as conn:
        row = conn.execute(_SQL["person_data"], {"person": person_id}).fetchone()
        if row is None or row[0] is None:
            raise NotFound("person", person_id)
        _record(conn, session, "person_data_exported", person_id)
        found: dict[str, Any] = row[0]
        return found


def ask_erasure(house: Services, session: Session, person_id: str, reason: str) -> int:
    """The first of two administrators. Raises NotFound."""
    with house.identity.acting(session) as conn:
        row = conn.execute(_SQL["request_erasure"], {"person": person_id, "reason": reason}).fetchone()
        if row is None or row[0] is None:
            raise NotFound("person", person_id)
        _record(conn, session, "erasure_requested", person_id)
        return int(row[0])


def approve_erasure(house: Services, session: Session, person_id: str) -> None:
    """The second administrator; the person is anonymised now. Raises NotFound, Conflict."""
    with house.identity.acting(session) as conn:
        row = conn.execute(_SQL["approve_erasure"], {"person": person_id}).fetchone()
        if row != (True,):
            if conn.execute(_SQL["visible_person"], {"person": person_id}).fetchone() is None:
                raise NotFound("person", person_id)
            raise Conflict("no_request", "another administrator must have asked for it first")
        _record(conn, session, "person_anonymised", person_id)
    house.forget()


def _record(conn: Any, session: Session, action: str, about: str | None = None, **detail: Any) -> None:
    who = session.person.person_id
    audit.record(conn, action, "person", about or who, person_id=who, detail=detail)
