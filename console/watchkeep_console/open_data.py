"""Data for the city's data centre (seed plan items 10, 14), and the register of what was given to whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import class_row, dict_row

from watchkeep_console import exchange_models as x
from watchkeep_console import models as m
from watchkeep_console.errors import Invalid, NotFound
from watchkeep_core import audit
from watchkeep_core.database import queries

MAX_SPAN = timedelta(days=400)
_TITLES: Mapping[str, tuple[str, str, str]] = {
    "communities": ("小区", "Communities", "community_id area_id name property_org_id households longitude latitude"),
    "equipment": (
        "设备",
        "Equipment",
        "community_id equipment_id kind registration_code maker model installed_on status",
    ),
    "warnings": (
        "预警",
        "Warnings",
        "warning_id community_id kind condition tier class life_safety event_at detected_at cleared_at status",
    ),
    "cases": (
        "案件",
        "Cases",
        "case_id community_id kind condition source class life_safety state responsible_org_id supervising_org_id"
        " event_at filed_at closed_at",
    ),
    "orders": (
        "工单",
        "Orders",
        "order_id case_id community_id org_id class condition state dispatched_at responded_at arrived_at finished_at"
        " respond_due arrive_due finish_due closed_at",
    ),
}
DATASETS = tuple(
    x.Dataset(dataset=key, title_zh=zh, title_en=en, fields=f.split()) for key, (zh, en, f) in _TITLES.items()
)
_SQL = queries("watchkeep_console", "sql/open_data.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be given, to whom and what for. `fields` empty = all; `area` None = everything one may give."""

    dataset: str
    recipient: str
    purpose: str
    since: datetime
    until: datetime
    fields: Sequence[str] = ()
    area: str | None = None


def share(
    conn: Connection, wanted: Wanted, now: datetime, *, person_id: str | None, communities: Sequence[str] | None
) -> bytes:
    """A JSON list of rows, entered in the register in the same transaction. Raises NotFound, Invalid.

    `communities` are those the person may give away; None = all (an administrator of the database).
    """
    found = next((one for one in DATASETS if one.dataset == wanted.dataset), None)
    if found is None:
        raise NotFound("dataset", wanted.dataset)
    if unknown := set(wanted.fields) - set(found.fields):
        raise Invalid("fields", f"{', '.join(sorted(unknown))} is none of {', '.join(found.fields)}")
    if not timedelta(0) < wanted.until - wanted.since <= MAX_SPAN:
        raise Invalid("until", f"must be after since, by at most {MAX_SPAN.days} days")
    fields = [name for name in found.fields if name in wanted.fields] if wanted.fields else found.fields
    where = {"communities": None if communities is None else list(communities), "area": wanted.area}
    span = {"since": wanted.since, "until": wanted.until}
    rows = conn.cursor(row_factory=dict_row).execute(_SQL[wanted.dataset], where | span).fetchall()
    content = msgspec.json.encode([{name: row[name] for name in fields} for row in rows])
    entry: dict[str, Any] = {
        "at": now,
        "person": person_id,
        "recipient": wanted.recipient,
        "purpose": wanted.purpose,
        "dataset": wanted.dataset,
        "fields": fields,
        "area": wanted.area,
        "rows": len(rows),
        "sha256": sha256(content).digest(),
    }
    conn.execute(_SQL["register"], entry | span)
    detail = {"recipient": wanted.recipient, "rows": len(rows)}
    audit.record(conn, "data_shared", "dataset", wanted.dataset, person_id=person_id, detail=detail)
    return content


def shares(conn: Connection, before: int | None = None, limit: int = 100) -> m.Page[x.Share]:
    """The register, newest first."""
    wanted = {"before": before, "limit": limit + 1}
    rows = conn.cursor(row_factory=class_row(x.Share)).execute(_SQL["shares"], wanted).fetchall()
    more = len(rows) > limit
    return m.Page(items=rows[:limit], next=str(rows[limit - 1].share_id) if more else None)
