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

from watchkeep_console import passwords, totp
from watchkeep_console.errors import CodeNeeded, NotLoggedIn, StepDue
from watchkeep_console.permissions import Membership, Person
from watchkeep_console.remembered import Remembered
from watchkeep_core import audit
from watchkeep_core.clock import Clock
from watchkeep_core.database import as_person, queries

LOCK_AFTER = 5
LOCK_FOR = timedelta(minutes=15)
TOUCH_EVERY = timedelta(seconds=60)
"""Idle time is kept to the minute: one write per session and minute, not per request."""
TICKET_S = 300
"""How long the code may take after the password."""
_SQL = queries("watchkeep_console", "sql/identity.sql")

Pool = ConnectionPool[Connection]


@dataclass(frozen=True, slots=True)
class Session:
    """A live session or, without a CSRF token, an API token's request. `due` = what must be set up first."""

    person: Person
    token_hash: bytes
    csrf_token: str | None
    due: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A fresh session; `token` goes into the cookie and is kept nowhere else."""

    token: str
    csrf_token: str
    expires_at: datetime
    person_id: str


class Identity:
    """Sessions and tokens, looked up anew whenever somebody acts; who only looks is remembered for some seconds."""

    def __init__(
        self,
        pool: Pool,
        secret: str,
        clock: Clock,
        life: timedelta,
        idle: timedelta,
        totp_roles: frozenset[str] = frozenset(),
    ) -> None:
        self._pool = pool
        self._secret = secret.encode()
        self._clock = clock
        self._life = life
        self._idle = idle
        self._totp_roles = totp_roles
        self._lately: Remembered[Session] = Remembered()
        self.box = totp.Box(secret)

    def log_in(
        self, login: str, password: str, code: str = "", *, user_agent: str = "", address: str | None = None
    ) -> Opened | None:
        """A new session, or None: wrong, unknown and locked are told apart by nobody, nor by the time it takes.

        Raises CodeNeeded when the password is right and the person has a second factor.
        """
        person_id, password_hash, locked_until = self._candidate(login)
        fits = passwords.verify(password_hash, password)
        if person_id is None:
            return None
        return self._enter(person_id, locked_until, code, user_agent, address, fits=fits)

    def log_in_by_ticket(
        self, ticket: str, code: str, *, user_agent: str = "", address: str | None = None
    ) -> Opened | None:
        """The second step after CodeNeeded. None = wrong code, locked, or the ticket is too old."""
        person_id, _, rest = ticket.partition(".")
        ends, _, _ = rest.partition(".")
        if not hmac.compare_digest(self._ticket(person_id, ends).encode(), ticket.encode()):
            return None
        if not code or int(ends) < self._clock.now().timestamp():
            return None
        return self.log_in_as(person_id, code, user_agent=user_agent, address=address)

    def log_in_as(
        self, person_id: str, code: str = "", *, user_agent: str = "", address: str | None = None
    ) -> Opened | None:
        """For somebody whose first factor has been checked elsewhere. Raises CodeNeeded."""
        with as_person(self._pool, person_id) as conn:
            row = conn.execute(_SQL["me"]).fetchone()
        found, _, locked_until = self._candidate(row[1]) if row else (None, None, None)
        return self._enter(person_id, locked_until, code, user_agent, address, fits=True) if found else None

    def _candidate(self, login: str) -> tuple[str | None, str | None, datetime | None]:
        with self._pool.connection() as conn:
            row = conn.execute(_SQL["login_candidate"], {"login": login[:64]}).fetchone()
        return (row[0], row[1], row[3]) if row else (None, None, None)

    def _enter(
        self,
        person_id: str,
        locked_until: datetime | None,
        code: str,
        user_agent: str,
        address: str | None,
        *,
        fits: bool,
    ) -> Opened | None:
        now = self._clock.now()
        locked = locked_until is not None and locked_until > now
        with as_person(self._pool, person_id) as conn:
            row = conn.execute(_SQL["me"]).fetchone()
            if fits and not locked and row is not None and row[6]:
                if not code:  # nothing is counted yet: else a known password would wipe out wrong codes
                    raise CodeNeeded(self._ticket(person_id, str(int(now.timestamp()) + TICKET_S)))
                fits = totp.accept(conn, self.box, code, self.digest, now)
            opened = self._open(conn, person_id, now, user_agent, address) if fits and not locked else None
            if not locked:
                conn.execute(_SQL["record_login"], _attempt(person_id, opened is not None))
            action = "login" if opened else "login_failed"
            audit.record(conn, action, "person", person_id, person_id=person_id, address=address)
        return opened

    def check_password(self, session: Session, password: str) -> bool:
        """Whether it is the person's own; a wrong one counts towards the lock-out."""
        _, password_hash, locked_until = self._candidate(session.person.login)
        fits = passwords.verify(password_hash, password)
        locked = locked_until is not None and locked_until > self._clock.now()
        if not fits and not locked:
            with self.acting(session) as conn:
                conn.execute(_SQL["record_login"], _attempt(session.person.person_id, False))
        return fits and not locked

    def _ticket(self, person_id: str, ends: str) -> str:
        proof = hmac.digest(self._secret, f"ticket:{person_id}:{ends}".encode(), hashlib.sha256).hex()
        return f"{person_id}.{ends}.{proof}"

    def _open(self, conn: Connection, person_id: str, now: datetime, user_agent: str, address: str | None) -> Opened:
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
                "user_agent": user_agent[:200].replace("\0", ""),
                "address": address,
            },
        )
        return opened

    def session(self, token: str | None, *, active: bool = True, due_ok: bool = False) -> Session:
        """The live session of a cookie; `active` counts as use. Raises NotLoggedIn.

        StepDue (a NotLoggedIn) unless `due_ok`, when a password or second factor must be set first.
        """
        if not token:
            raise NotLoggedIn
        return self.session_by_hash(self.digest(token), active=active, due_ok=due_ok)

    def session_by_hash(self, token_hash: bytes, *, active: bool = True, due_ok: bool = False) -> Session:
        """As `session`, for a page that keeps the hash only."""
        now, look = self._clock.now(), self._lately.look()
        key = {"token_hash": token_hash, "now": now, "idle_since": now - self._idle}
        with self._pool.connection() as conn:
            row = conn.execute(_SQL["find_session"], key).fetchone()
            if row is None:
                raise NotLoggedIn("the session has ended")
            person_id, csrf, last_seen, _ = row
            if active and now - last_seen > TOUCH_EVERY:
                conn.execute(_SQL["touch_session"], key)
        person, due = self._person(person_id)
        found = Session(person, token_hash, csrf, due)
        self._lately.keep(token_hash, look, found)
        return _ready(found, due_ok=due_ok)

    def bearer(self, token: str) -> Session:
        """The person behind an API token, limited to the token's scopes. Raises NotLoggedIn."""
        now, digest, look = self._clock.now(), self.digest(token), self._lately.look()
        key = {"token_hash": digest, "now": now}
        with self._pool.connection() as conn:
            row = conn.execute(_SQL["find_token"], key).fetchone()
            if row is None:
                raise NotLoggedIn("the token is unknown, revoked or expired")
            person_id, scopes, last_used = row
            if last_used is None or now - last_used > TOUCH_EVERY:
                conn.execute(_SQL["touch_token"], key)
        person, _ = self._person(person_id)
        found = Session(replace(person, scopes=frozenset(scopes)), digest, None)
        self._lately.keep(digest, look, found)
        return found

    def lately(self, token: str | None, *, bearer: bool = False, due_ok: bool = False) -> Session | None:
        """The session of a cookie, or a token's, as it was some seconds ago: enough to look, not to act.

        Asks nobody. None = not looked up lately. Raises StepDue as `session` does.
        """
        found = self._lately.find(self.digest(token)) if token else None
        if found is None or (found.csrf_token is None) != bearer:
            return None
        return _ready(found, due_ok=due_ok)

    def forget(self) -> None:
        """Everybody is looked up anew."""
        self._lately.forget()

    def operator(self, login: str) -> Session:
        """Acts as a person, for whoever holds this machine's secrets; no session is opened. Raises NotLoggedIn."""
        person_id, _, _ = self._candidate(login)
        if person_id is None:
            raise NotLoggedIn(f"nobody is called {login!r}, or the account is not active")
        person, _ = self._person(person_id)
        return Session(person, b"", "")

    def log_out(self, session: Session, address: str | None = None) -> None:
        with as_person(self._pool, session.person.person_id) as conn:
            conn.execute(_SQL["close_session"], {"token_hash": session.token_hash, "now": self._clock.now()})
            who = session.person.person_id
            audit.record(conn, "logout", "person", who, person_id=who, address=address)
        self.forget()

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

    def idle_since(self, now: datetime) -> datetime:
        """A session not used since then has ended."""
        return now - self._idle

    def _person(self, person_id: str) -> tuple[Person, str | None]:
        """The person, and what must be set up before anything else."""
        with as_person(self._pool, person_id) as conn:
            row = conn.execute(_SQL["me"]).fetchone()
            if row is None:
                raise NotLoggedIn("the account is not active")
            memberships = conn.execute(_SQL["memberships"]).fetchall()
        held = tuple(Membership(role, kind, scope, tuple(names)) for role, kind, scope, names in memberships)
        found, login, name, org_id, language, password_due, second_factor = row
        needs_totp = not second_factor and any(item.role in self._totp_roles for item in held)
        due = "password" if password_due else "totp" if needs_totp else None
        return Person(found, login, name, org_id, language, held), due


def _ready(found: Session, *, due_ok: bool) -> Session:
    """Raises StepDue."""
    if found.due and not due_ok:
        raise StepDue(found.due)
    return found


def _attempt(person_id: str, succeeded: bool) -> dict[str, object]:
    return {"person_id": person_id, "succeeded": succeeded, "lock_after": LOCK_AFTER, "lock_for": LOCK_FOR}
