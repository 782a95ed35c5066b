"""Passwords: argon2id, and a policy that refuses short and guessable ones."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from watchkeep_console.errors import Invalid

MIN_LENGTH = 12
MAX_LENGTH = 256
"""Hashing is linear in the length, so that a long one is no way to keep the server busy."""
MIN_DISTINCT = 5

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's minimum for argon2id (RELIABILITY §3.2)."""
_NOBODY = _HASHER.hash("no person has this password")


def hash_password(password: str) -> str:
    return _HASHER.hash(password)


def check_policy(login: str, password: str) -> None:
    """Raises Invalid(field `password`) when it is too short, too long, too uniform or holds the login."""
    if len(password) < MIN_LENGTH:
        raise Invalid("password", f"must have at least {MIN_LENGTH} characters")
    if len(password) > MAX_LENGTH:
        raise Invalid("password", f"must have at most {MAX_LENGTH} characters")
    if len(set(password)) < MIN_DISTINCT or login.lower() in password.lower():
        raise Invalid("password", "is too easy to guess")


def verify(password_hash: str | None, password: str) -> bool:
    """Whether it fits; takes as long when there is no such person (`password_hash` None)."""
    try:
        fits = _HASHER.verify(password_hash or _NOBODY, password[:MAX_LENGTH])
    except (VerificationError, InvalidHashError):
        return False
    return fits and password_hash is not None
