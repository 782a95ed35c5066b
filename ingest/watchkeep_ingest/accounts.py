"""Both accounting identities, kept per lane and partition in the transaction that stores the batch (ARCHITECTURE §4).

Messages: received = processed + duplicate + dead_lettered; readings: decoded = stored + quarantined + parked.
A replayed dead letter moves from dead_lettered to processed (or duplicate), an unparked reading from parked to stored
or quarantined, so both hold at any moment. `late` counts readings among the stored.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable

from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.database import queries
from watchkeep_core.topics import Lane

FIELDS = (
    "received",
    "processed",
    "duplicate",
    "dead_lettered",
    "decoded",
    "stored",
    "quarantined",
    "parked",
    "late",
)

Tally = defaultdict[int, Counter[str]]
"""Partition → field → change."""


def new_tally() -> Tally:
    return defaultdict(Counter)


def lock(conn: Connection, lane: Lane, partitions: Iterable[int]) -> None:
    """Lock the rows of these partitions (made when absent): one transaction at a time writes a lane's partition."""
    wanted = sorted(set(partitions))
    row = {"lane": lane, "partitions": wanted}
    if len(conn.execute(_sql("lock_accounts"), row).fetchall()) < len(wanted):
        conn.execute(_sql("create_accounts"), row)
        conn.execute(_sql("lock_accounts"), row)


def save(conn: Connection, lane: Lane, tally: Tally) -> None:
    """Add the changes; the rows are locked already."""
    changed = {partition: counts for partition, counts in tally.items() if any(counts.values())}
    if changed:
        columns = {field: [counts[field] for counts in changed.values()] for field in FIELDS}
        conn.execute(_sql("add_accounts"), {"lane": lane, "partition": list(changed), **columns})


def imbalances(conn: Connection) -> dict[str, tuple[int, int]]:
    """Lane → messages and readings that the identities do not account for; both are 0 unless something is wrong."""
    found: dict[str, tuple[int, int]] = {}
    for lane, *values in conn.execute(_sql("sum_accounts")):
        counts = dict(zip(FIELDS, values, strict=True))
        messages = counts["received"] - counts["processed"] - counts["duplicate"] - counts["dead_lettered"]
        found[lane] = messages, counts["decoded"] - counts["stored"] - counts["quarantined"] - counts["parked"]
    return found


def audit(conn: Connection) -> dict[str, object]:
    """Both identities of each lane, the tables they must agree with, and the gaps; `ok` is all of it.

    The caller's transaction should be REPEATABLE READ, so that all is of one moment.
    """
    lanes: dict[str, dict[str, object]] = {}
    totals: Counter[str] = Counter()
    for lane, *values in conn.execute(_sql("sum_accounts")):
        counts = dict(zip(FIELDS, values, strict=True))
        totals.update(counts)
        messages_ok = counts["received"] == counts["processed"] + counts["duplicate"] + counts["dead_lettered"]
        readings_ok = counts["decoded"] == counts["stored"] + counts["quarantined"] + counts["parked"]
        lanes[lane] = {**counts, "messages_ok": messages_ok, "readings_ok": readings_ok}
    row = conn.execute(_sql("count_tables")).fetchone() or (0, 0, 0)
    tables = dict(zip(("dead_lettered", "parked", "quarantined"), row, strict=True))
    tables_ok = all(totals[field] == count for field, count in tables.items())
    gaps = {
        lane: {"missing_ranges": a, "lost_ranges": b, "missing_messages": c, "lost_messages": d}
        for lane, a, b, c, d in conn.execute(_sql("count_gaps"))
    }
    identities_ok = all(values["messages_ok"] and values["readings_ok"] for values in lanes.values())
    return {
        "ok": identities_ok and tables_ok,
        "lanes": lanes,
        "tables": {**tables, "ok": tables_ok},
        "gaps": gaps,
    }


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/ledger.sql")[name]
