"""The second factor: codes of an authenticator app (RFC 6238) and recovery codes, each good for once."""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pyotp
import segno
from cryptography.fernet import Fernet
from psycopg import Connection

from watchkeep_console.errors import Conflict, Invalid
from watchkeep_core.database import queries

ISSUER = "Watchkeep"
STEP_S = 30
DRIFT_STEPS = 1
"""A telephone's clock may be half a minute off, either way."""
RECOVERY_CODES = 10
_SQL = queries("watchkeep_console", "sql/account.sql")

Digest = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the app scans or a person types; `qr` is an SVG as a data URI."""

    secret: str
    uri: str
    qr: str


class Box:
    """Encrypts what must come out again (TOTP and webhook secrets), with a key derived from the session secret."""

    def __init__(self, secret: str) -> None:
        key = hashlib.blake2b(secret.encode(), digest_size=32, person=b"watchkeep-box").digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Raises cryptography.fernet.InvalidToken when the session secret has changed since."""
        return self._fernet.decrypt(bytes(sealed)).decode()


def begin(conn: Connection, box: Box, login: str) -> Offer:
    """A fresh secret, in force once a code has proven it. Raises Conflict when there is one in force."""
    secret = pyotp.random_base32()
    if conn.execute(_SQL["begin_totp"], {"secret": box.seal(secret)}).fetchone() is None:
        raise Conflict("exists", "there is a second factor already; remove it first")
    uri = pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)
    return Offer(secret, uri, segno.make(uri, error="m").svg_data_uri(scale=4))


def confirm(conn: Connection, box: Box, code: str, digest: Digest, now: datetime) -> list[str]:
    """Put the offered secret in force; returns the recovery codes. Raises Conflict, Invalid(`code`)."""
    row = conn.execute(_SQL["totp"]).fetchone()
    if row is None or row[2] is not None:
        raise Conflict("not_offered", "nothing is waiting to be confirmed")
    if not _take(conn, box, code, now):
        raise Invalid("code", "does not fit; is the telephone's clock right?")
    codes = ["-".join(secrets.token_hex(2) for _ in range(3)) for _ in range(RECOVERY_CODES)]
    conn.execute(_SQL["drop_codes"])
    conn.execute(_SQL["keep_codes"], {"hashes": [digest(_plain(code)) for code in codes]})
    return codes


def accept(conn: Connection, box: Box, code: str, digest: Digest, now: datetime) -> bool:
    """Whether this code, or recovery code, opens the account now; it never does again."""
    if _take(conn, box, code, now):
        return True
    used = {"code_hash": digest(_plain(code)), "now": now}
    return conn.execute(_SQL["use_code"], used).fetchone() is not None


def remove(conn: Connection) -> None:
    """Factor and recovery codes."""
    conn.execute(_SQL["drop_codes"])
    conn.execute(_SQL["drop_totp"])


def codes_left(conn: Connection) -> int:
    row = conn.execute(_SQL["codes_left"]).fetchone()
    return int(row[0]) if row else 0


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The 30-second step whose code this is, the newest that fits; None = none around `now`."""
    here = int(now.timestamp()) // STEP_S
    totp = pyotp.TOTP(secret)
    for step in range(here + DRIFT_STEPS, here - DRIFT_STEPS - 1, -1):
        if secrets.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            return step
    return None


def _take(conn: Connection, box: Box, code: str, now: datetime) -> bool:
    row = conn.execute(_SQL["totp"]).fetchone()
    if row is None:
        return False
    step = step_of(box.open(row[0]), code.replace(" ", ""), now)
    return step is not None and conn.execute(_SQL["take_step"], {"step": step, "now": now}).fetchone() is not None


def _plain(code: str) -> str:
    return "recovery:" + code.strip().lower().replace("-", "").replace(" ", "")
