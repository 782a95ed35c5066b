"""Dead letters: what could not be understood, whole, with the reason."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.sql import SQL

from watchkeep_core.clock import from_us
from watchkeep_core.database import queries
from watchkeep_core.errors import PermanentError
from watchkeep_ingest.incoming import Decoded

_DETAIL_CHARS = 500


class NoSuchDeadLetter(PermanentError):
    """There is no dead letter of that number."""


def save(conn: Connection, letters: Sequence[Decoded]) -> list[bool]:
    """Record messages that carry a problem. False: a retained message whose open dead letter is there already."""
    saved: list[bool] = []
    plain: list[dict[str, Any]] = []
    for letter in letters:
        row = _row(letter)
        retained = letter.topic is not None and letter.topic.kind != "message"
        if retained and _is_known(conn, row):
            saved.append(False)
            continue
        saved.append(True)
        if retained:  # at once, for a second one in the same batch
            conn.execute(_sql("insert_dead_letter"), row)
        else:
            plain.append(row)
    if plain:
        with conn.cursor() as cursor:
            cursor.executemany(_sql("insert_dead_letter"), plain)
    return saved


def listing(conn: Connection, *, reason: str | None, replayed: bool, at_most: int) -> list[dict[str, Any]]:
    """The newest first, without payloads; with `replayed`, those done with too."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = {"reason": reason, "replayed": replayed, "at_most": at_most}
        return cursor.execute(_sql("list_dead_letters"), row).fetchall()


def show(conn: Connection, number: int) -> dict[str, Any]:
    """One letter; the payload as text where it is UTF-8, else as hex. Raises NoSuchDeadLetter."""
    with conn.cursor(row_factory=dict_row) as cursor:
        letter = cursor.execute(_sql("read_dead_letter"), {"id": number}).fetchone()
    if letter is None:
        raise NoSuchDeadLetter(f"there is no dead letter {number}")
    payload: bytes = letter.pop("payload")
    try:
        letter["payload"] = payload.decode()
    except UnicodeDecodeError:
        letter["payload_hex"] = payload.hex()
    return letter


def open_numbers(conn: Connection, *, reason: str | None, at_most: int) -> list[int]:
    """The oldest first."""
    return [number for (number,) in conn.execute(_sql("open_dead_letters"), {"reason": reason, "at_most": at_most})]


def _is_known(conn: Connection, row: dict[str, Any]) -> bool:
    return conn.execute(_sql("same_dead_letter"), row).fetchone() == (True,)


def _row(letter: Decoded) -> dict[str, Any]:
    incoming, problem = letter.incoming, letter.problem
    if problem is None:
        raise ValueError("a dead letter needs a problem")
    source = letter.topic.source if letter.topic else None
    return {
        "received_at": from_us(incoming.received_us),
        "topic": _printable(incoming.topic),
        "payload": incoming.payload,
        "reason": problem.reason,
        "detail": _printable(problem.detail)[:_DETAIL_CHARS],
        "community_id": source.community if source else None,
        "gateway_id": source.gateway if source else None,
    }


def _printable(text: str) -> str:
    """PostgreSQL's text holds neither NUL nor lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/ledger.sql")[name]
