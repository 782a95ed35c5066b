"""Answers kept for a repeated `Idempotency-Key`, for acts that do not keep theirs in their own transaction."""

import json
from dataclasses import dataclass
from datetime import timedelta

from psycopg.types.json import Jsonb

from watchkeep_console.errors import Conflict, Invalid
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_core.database import queries

HEADER = "Idempotency-Key"
MAX_KEY = 100
KEPT = timedelta(hours=48)
_PENDING = 0
"""Status of a key whose request has not been answered yet, or whose process died over it."""
_SQL = queries("watchkeep_console", "sql/identity.sql")


@dataclass(frozen=True, slots=True)
class Kept:
    """The first answer."""

    status: int
    body: bytes


def take(house: Services, session: Session, key: str, digest: bytes) -> Kept | None:
    """The key's answer; None = the key is ours now, and the request is to be served.

    Raises Invalid for another request's key, Conflict while the first is being served or when its answer held a secret.
    """
    if not 0 < len(key) <= MAX_KEY:
        raise Invalid(HEADER, f"must have 1 to {MAX_KEY} characters")
    with house.identity.acting(session) as conn:
        row = {"key": key, "request_hash": digest, "status": _PENDING, "response": Jsonb(None)}
        if conn.execute(_SQL["take_key"], row).fetchone() is not None:
            return None
        found = conn.execute(_SQL["recall_answer"], {"key": key}).fetchone()
    if found is None or bytes(found[0]) != digest:
        raise Invalid(HEADER, "was used for another request")
    status, response = found[1], found[2]
    if status == _PENDING:
        raise Conflict(
            "in_progress", "the first request with this key has no answer yet; look before you try again", HEADER
        )
    if response == {"secret": True}:
        raise Conflict("shown_once", "this was done already, and its answer held a secret that is shown once", HEADER)
    return Kept(status, b"" if response is None else json.dumps(response["body"], ensure_ascii=False).encode())


def keep(house: Services, session: Session, key: str, status: int, body: bytes, *, secret: bool) -> None:
    """`body` is JSON or empty; of an answer with a secret only the fact is kept."""
    response = {"secret": True} if secret else {"body": json.loads(body)} if body else None
    with house.identity.acting(session) as conn:
        conn.execute(_SQL["answer_key"], {"key": key, "status": status, "response": Jsonb(response)})


def drop(house: Services, session: Session, key: str) -> None:
    """Nothing was done: the key is free again."""
    with house.identity.acting(session) as conn:
        conn.execute(_SQL["drop_key"], {"key": key})
