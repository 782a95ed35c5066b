"""The audit trail: append-only entries, hash-chained by one sealer, checked by anyone.

Each seal's hash covers the previous hash and the entry. The sealer seals only entries whose transaction is older
than every running one, so an entry that commits late cannot slip in before a sealed one.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.types.json import Jsonb

_SEALER_LOCK = 0x57_4B_53_4C  # "WKSL": one sealer at a time, whoever runs it
_GENESIS = bytes(32)

_UNSEALED = """
SELECT e.audit_id, e.at, e.service, e.person_id::text, e.action, e.object_kind, e.object_id, e.detail, host(e.address)
FROM audit_entries e LEFT JOIN audit_seals s USING (audit_id)
WHERE s.audit_id IS NULL AND e.xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY e.audit_id LIMIT %s"""

_SEALED = """
SELECT s.seal_no, s.hash, e.audit_id, e.at, e.service, e.person_id::text, e.action, e.object_kind, e.object_id,
       e.detail, host(e.address)
FROM audit_seals s LEFT JOIN audit_entries e USING (audit_id) ORDER BY s.seal_no"""


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of a check: `broken_at` is the first seal that does not fit, None when all do.

    `head` is `SEAL:HASH` of the last one: kept elsewhere, it later shows that nothing was cut off or made anew.
    """

    sealed: int
    unsealed: int
    broken_at: int | None
    head: str = field(default="", compare=False)


def record(
    conn: Connection,
    action: str,
    object_kind: str,
    object_id: str,
    *,
    person_id: str | None = None,
    detail: dict[str, Any] | None = None,
    address: str | None = None,
) -> None:
    """Append one entry in the caller's transaction. No secrets, persons by id only."""
    conn.execute(
        "INSERT INTO audit_entries (person_id, action, object_kind, object_id, detail, address)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        [person_id, action, object_kind, object_id, Jsonb(detail or {}), address],
    )


def seal(conn: Connection, at_most: int = 1000) -> int:
    """Seal what can be sealed, in the caller's transaction; returns how many. 0 when another sealer is at it."""
    locked = conn.execute("SELECT pg_try_advisory_xact_lock(%s)", [_SEALER_LOCK]).fetchone()
    if locked != (True,):
        return 0
    last = conn.execute("SELECT seal_no, hash FROM audit_seals ORDER BY seal_no DESC LIMIT 1").fetchone()
    seal_no, previous = last if last else (0, _GENESIS)
    entries = conn.execute(_UNSEALED, [at_most]).fetchall()
    for entry in entries:
        seal_no += 1
        previous = _link(bytes(previous), entry)
        conn.execute(
            "INSERT INTO audit_seals (seal_no, audit_id, hash) VALUES (%s, %s, %s)", [seal_no, entry[0], previous]
        )
    return len(entries)


def verify(conn: Connection, expected: str | None = None) -> Verification:
    """Recompute the whole chain; one without `expected`, an earlier `head`, is broken there. Raises ValueError."""
    known_no, known_hash = _head(expected) if expected else (0, _GENESIS)
    previous, count, broken = _GENESIS, 0, None
    with conn.cursor("audit_verify") as rows:
        for seal_no, stored, *entry in rows.execute(_SEALED):
            count += 1
            previous = _link(previous, tuple(entry))
            fits = seal_no == count and bytes(stored) == previous and (count != known_no or previous == known_hash)
            if broken is None and not fits:
                broken = seal_no
    if broken is None and count < known_no:
        broken = count + 1
    total = conn.execute("SELECT count(*) FROM audit_entries").fetchone()
    return Verification(count, (total[0] if total else 0) - count, broken, f"{count}:{previous.hex()}")


def _head(text: str) -> tuple[int, bytes]:
    number, _, digest = text.partition(":")
    return int(number), bytes.fromhex(digest)


def _link(previous: bytes, entry: tuple[Any, ...]) -> bytes:
    canonical = msgspec.json.encode(entry, order="sorted")
    return hashlib.sha256(previous + canonical).digest()
