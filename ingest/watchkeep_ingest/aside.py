"""What a batch does not store is put aside in its transaction: in quarantine, or parked until its time comes."""

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.clock import from_us
from watchkeep_core.database import queries
from watchkeep_ingest import parking
from watchkeep_ingest.accounts import Tally
from watchkeep_ingest.columns import Portion
from watchkeep_ingest.resolve import Parked, Quarantined, Resolution


def put_aside(conn: Connection, portions: Sequence[Portion], resolution: Resolution, tally: Tally) -> None:
    """Also takes what was parked, and is no longer or otherwise, out of its table."""
    untouched = {each.portion.parked_id for each in resolution.parked if parking.is_unchanged(each)}
    taken = [p for p in portions if p.parked_id is not None and p.parked_id not in untouched]
    parking.delete(conn, taken)
    for portion in taken:
        tally[portion.stream.partition]["parked"] -= len(portion.readings)
    park(conn, [each for each in resolution.parked if not parking.is_unchanged(each)], tally)
    quarantined = resolution.quarantined
    if len(quarantined.rows):
        conn.execute(_sql("insert_quarantine"), _quarantine_row(portions, quarantined))
        for number in quarantined.portion.tolist():
            tally[portions[number].stream.partition]["quarantined"] += 1


def park(conn: Connection, parked: Sequence[Parked], tally: Tally) -> None:
    parking.insert(conn, parked)
    for each in parked:
        tally[each.portion.stream.partition]["parked"] += len(each.data.alias)


def _quarantine_row(portions: Sequence[Portion], quarantined: Quarantined) -> dict[str, Any]:
    rows = quarantined.rows
    sources = [portions[number].source for number in quarantined.portion.tolist()]
    return {
        "community": [source.community for source in sources],
        "gateway": [source.gateway for source in sources],
        "series": rows.series.tolist(),
        "ts": [from_us(us) for us in rows.time_us.tolist()],
        "value": rows.value.tolist(),
        "quality": rows.quality.tolist(),
        "reason": quarantined.reason,
        "received_at": [from_us(us) for us in quarantined.received_us.tolist()],
    }


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
