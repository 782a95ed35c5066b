"""Who is asking: login with lock-out, opaque sessions in PostgreSQL, tokens for programs."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg_pool import ConnectionPool

from watchkeep_console import passwords
from watchkeep_console.errors import NotLoggedIn
from watchkeep_console.permissions import Membership, Person
from watchkeep_core import audit
from watchkeep_core.clock import Clock
from watchkeep_core.database import as_person, queries

LOCK_AFTER = 5
LOCK_FOR = timedelta(minutes=15)
TOUCH_EVERY = timedelta(seconds=60)
"""Idle time is kept to the minute: one write per session and minute, not per request."""
_SQL = queries("watchkeep_console", "sql/identity.sql")

Pool = ConnectionPool[Connection]


@dataclass(frozen=True, slots=True)
class Session:
    """A live session or, without a CSRF token, an API token's request."""

    person: Person
    token_hash: bytes
    csrf_token: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A fresh session; `token` goes into the cookie and is kept nowhere else."""

    token: str
    csrf_token: str
    expires_at: datetime
    person_id: str


class Identity:
    """Sessions and tokens, looked up anew at each request: revocation needs no second road."""

    def __init__(self, pool: Pool, secret: str, clock: Clock, life: timedelta, idle: timedelta) -> None:
        self._pool = pool
        self._secret = secret.encode()
        self._clock = clock
        self._life = life
        self._idle = idle

    def log_in(self, login: str, password: str, *, user_agent: str = "", address: str | None = None) -> Opened | None:
        """A new session, or None: wrong, unknown and locked are told apart by nobody, nor by the time it takes."""
        now = self._clock.now()
        with self._pool.connection() as conn:
            row = conn.execute(_SQL["login_candidate"], {"login": login[:64]}).fetchone()
        person_id, password_hash, _, locked_until, _ = row or (None, None, 0, None, "")
        fits = passwords.verify(password_hash, password)
        if person_id is None:
            return None
        locked = locked_until is not None and locked_until > now
        with as_person(self._pool, person_id) as conn:
            opened = self._open(conn, person_id, now, user_agent) if fits and not locked else None
            if not locked:
                conn.execute(_SQL["record_login"], _attempt(person_id, opened is not None))
            action = "login" if opened else "login_failed"
            audit.record(conn, action, "person", person_id, person_id=person_id, address=address)
        return opened

    def _open(self, conn: Connection, person_id: str, now: datetime, user_agent: str) -> Opened:
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        opened = Opened(token, csrf, now + self._life, person_id)
        conn.execute(
            _SQL["open_session"],
            {
                "token_hash": self.digest(token),
                "person_id": person_id,
                "csrf_token": csrf,
                "now": now,
                "expires_at": opened.expires_at,
                "user_agent": user_agent[:200],
            },
        )
        return opened

    def session(self, token: str | None, *, active: bool = True) -> Session:
        """The live session of a cookie; `active` counts as use. Raises NotLoggedIn."""
        if not token:
            raise NotLoggedIn
        return self.session_by_hash(self.digest(token), active=active)

    def session_by_hash(self, token_hash: bytes, *, active: bool = True) -> Session:
        """As `session`, for a page that keeps the hash only."""
        now = self._clock.now()
        key = {"token_hash": token_hash, "now": now, "idle_since": now - self._idle}
        with self._pool.connection() as conn:
            row = conn.execute(_SQL["find_session"], key).fetchone()
            if row is None:
                raise NotLoggedIn("the session has ended")
            person_id, csrf, last_seen, _ = row
            if active and now - last_seen > TOUCH_EVERY:
                conn.execute(_SQL["touch_session"], key)
        return Session(self._person(person_id), token_hash, csrf)

    def bearer(self, token: str) -> Session:
        """The person behind an API token, limited to the token's scopes. Raises NotLoggedIn."""
        digest = self.digest(token)
        with self._pool.connection() as conn:
            row = conn.execute(_SQL["find_token"], {"token_hash": digest, "now": self._clock.now()}).fetchone()
        if row is None:
            raise NotLoggedIn("the token is unknown, revoked or expired")
        person_id, scopes = row
        return Session(replace(self._person(person_id), scopes=frozenset(scopes)), digest, None)

    def log_out(self, session: Session, address: str | None = None) -> None:
        with as_person(self._pool, session.person.person_id) as conn:
            conn.execute(_SQL["close_session"], {"token_hash": session.token_hash, "now": self._clock.now()})
            who = session.person.person_id
            audit.record(conn, "logout", "person", who, person_id=who, address=address)

    def still_live(self, hashes: Iterable[bytes]) -> set[bytes]:
        """Which of these sessions live: one query for all open pages."""
        now = self._clock.now()
        wanted = {"hashes": list(hashes), "now": now, "idle_since": now - self._idle}
        with self._pool.connection() as conn:
            return {bytes(row[0]) for row in conn.execute(_SQL["live_sessions"], wanted)}

    def digest(self, token: str) -> bytes:
        """What the table holds of a token: keyed, so that write access to the table alone opens nothing."""
        return hmac.digest(self._secret, token.encode(), hashlib.sha256)

    def form_token(self, seed: str) -> str:
        """CSRF token of a form shown before anyone is logged in, bound to the cookie that holds `seed`."""
        return hmac.digest(self._secret, b"form:" + seed.encode(), hashlib.sha256).hex()

    @contextmanager
    def acting(self, session: Session) -> Iterator[Connection]:
        """A transaction under the person's identity."""
        with as_person(self._pool, session.person.person_id) as conn:
            yield conn

    def _person(self, person_id: str) -> Person:
        with as_person(self._pool, person_id) as conn:
            row = conn.execute(_SQL["me"]).fetchone()
            if row is None:
                raise NotLoggedIn("the account is not active")
            memberships = conn.execute(_SQL["memberships"]).fetchall()
        held = tuple(Membership(role, kind, scope, tuple(names)) for role, kind, scope, names in memberships)
        found, login, name, org_id, language = row
        return Person(found, login, name, org_id, language, held)


def _attempt(person_id: str, succeeded: bool) -> dict[str, object]:
    return {"person_id": person_id, "succeeded": succeeded, "lock_after": LOCK_AFTER, "lock_for": LOCK_FOR}
