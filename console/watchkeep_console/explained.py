"""Why a warning came, as analytics stored it soon afterwards: sentence, expected band, peers, what helped before."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from pydantic import ConfigDict

from watchkeep_console import models as m
from watchkeep_console import reads
from watchkeep_core.database import queries

_SQL = queries("watchkeep_console", "sql/feedback.sql")


class _Stored(m.Model):
    """What analytics adds later is no reason to show nothing."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Peers(_Stored):
    """The same metric on equipment of the same kind and model in the community, in the hour before."""

    count: int
    median: float
    low: float
    high: float
    unit: str = ""
    alone: bool
    """Only this one differs."""


class Similar(_Stored):
    """A case of the same condition that is over; `fixed` is what people wrote at its end."""

    case_id: int
    equipment: str
    same_equipment: bool
    closed_at: datetime
    fixed: str = ""


class Explanation(m.Model):
    """`expected` and `limit` hold low and high, or value and side; `bar` is by how much people had raised the bar."""

    warning_id: int
    made_at: datetime
    summary_zh: str
    summary_en: str
    metric: str | None
    unit: str
    actual: float | None
    expected: dict[str, Any] | None
    limit: dict[str, Any] | None
    bar: float
    peers: Peers | None
    similar: list[Similar]
    earlier_90_days: int
    chart: str | None
    """SVG."""


def explanation(conn: Connection, warning_id: int) -> Explanation | None:
    """None while analytics has not written it. Of similar cases only those that the person may see."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_SQL["explanation"], {"warning": warning_id}).fetchone()
    if row is None:
        return None
    stored: Mapping[str, Any] = row["explanation"]
    similar = [Similar.model_validate(one) for one in stored.get("similar") or ()]
    seen = reads.visible(conn, "cases", [one.case_id for one in similar])
    actual = stored.get("actual")
    peers = stored.get("peers")
    return Explanation(
        warning_id=warning_id,
        made_at=row["made_at"],
        summary_zh=stored.get("summary_zh") or "",
        summary_en=stored.get("summary_en") or "",
        metric=(stored.get("metric") or {}).get("id"),
        unit=stored.get("unit") or "",
        actual=actual if isinstance(actual, int | float) else None,
        expected=_table(stored.get("expected")),
        limit=_table(stored.get("limit")),
        bar=float(stored.get("bar") or 1.0),
        peers=Peers.model_validate(peers) if peers else None,
        similar=[one for one in similar if one.case_id in seen],
        earlier_90_days=int(stored.get("earlier_90_days") or 0),
        chart=row["chart"],
    )


def _table(value: Any) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
