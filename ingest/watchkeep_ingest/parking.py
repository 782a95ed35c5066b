"""Readings that wait in `parked` for their alias, their cap or the end of a flood, and how they come back."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core import messages
from watchkeep_core.clock import from_us, to_us
from watchkeep_core.database import queries
from watchkeep_core.messages import Data
from watchkeep_core.topics import GatewayRef, partition_of
from watchkeep_ingest.columns import Portion, Readings
from watchkeep_ingest.ledger import Key
from watchkeep_ingest.resolve import Parked
from watchkeep_ingest.streams import Stream

RATE_LIMIT = "rate_limit"

_ROWS = 200
"""Parked messages replayed in one transaction, so that live ones do not wait long behind them."""

_READINGS = 100_000
"""Readings of them, and one message more: a flood may have parked 5,000 in each, which would take 200 MB."""

_DAY_MS = 86_400_000


def read(conn: Connection, key: Key, after: int, max_days: int) -> tuple[list[Portion], int | None]:
    """The next parked messages of a gateway and epoch, and where to go on (None: that was all)."""
    source, epoch = key
    stream = Stream(partition_of(source.community), source, "data", epoch)
    row = {"community": source.community, "gateway": source.gateway, "epoch": epoch, "after": after}
    limits = {"at_most": _ROWS, "readings": _READINGS}
    found = [
        Portion(stream, seq, to_us(at), Readings.of(messages.decode(Data, payload)), number, reason)
        for number, seq, reason, payload, at in conn.execute(_sql("read_parked"), row | limits)
    ]
    fitting = _fitting(found, max_days)
    done = len(fitting) == len(found) < _ROWS and sum(len(each.readings) for each in found) < _READINGS
    return fitting, None if done else fitting[-1].parked_id


def epochs(conn: Connection, sources: Collection[GatewayRef]) -> list[Key]:
    """Epochs of these gateways of which anything is parked."""
    row = {"communities": [each.community for each in sources], "gateways": [each.gateway for each in sources]}
    found = conn.execute(_sql("parked_epochs"), row)
    return [(GatewayRef(community, gateway), epoch) for community, gateway, epoch in found]


def delete(conn: Connection, portions: Sequence[Portion]) -> None:
    """Take them out of the table."""
    if portions:
        conn.execute(_sql("delete_parked"), {"ids": [portion.parked_id for portion in portions]})


def insert(conn: Connection, parked: Sequence[Parked]) -> None:
    if parked:
        rows = [_row(each) for each in parked]
        conn.execute(_sql("insert_parked"), {name: [row[name] for row in rows] for name in rows[0]})


def whole(portion: Portion, reason: str) -> Parked:
    """All readings of one message."""
    return Parked(portion, reason, portion.readings.to_data(np.arange(len(portion.readings))))


def is_unchanged(parked: Parked) -> bool:
    """Whether it is a row of `parked` of which nothing has changed."""
    portion = parked.portion
    complete = len(parked.data.alias) == len(portion.readings)
    return portion.parked_id is not None and complete and parked.reason == portion.parked_reason


def _fitting(found: Sequence[Portion], max_days: int) -> list[Portion]:
    """As many, from the first on, as one transaction can hold."""
    days: set[int] = set()
    for number, portion in enumerate(found):
        days |= set(np.unique(portion.readings.time_ms // _DAY_MS).tolist())
        if len(days) > max_days:
            return list(found[:number])
    return list(found)


def _row(parked: Parked) -> dict[str, Any]:
    portion = parked.portion
    return {
        "community": portion.source.community,
        "gateway": portion.source.gateway,
        "epoch": portion.stream.epoch,
        "seq": portion.seq,
        "reason": parked.reason,
        "readings": len(parked.data.alias),
        "payload": messages.encode(parked.data),
        "parked_at": from_us(portion.received_us),
    }


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/content.sql")[name]
