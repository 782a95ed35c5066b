"""Everything people look at: each function takes a connection under the person's identity and returns models."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.rows import class_row, dict_row

from watchkeep_console import models as m
from watchkeep_console.errors import Invalid, NotFound
from watchkeep_core.database import queries
from watchkeep_core.storage.series import Bucket, read_series

MAX_READINGS = 2000
CHART_POINTS = 800
"""Buckets of a chart: about one per two pixels."""
PAGE = 50
MAX_PAGE = 500
RECENT = timedelta(days=1)
_SQL = queries("watchkeep_console", "sql/reads.sql")
M = TypeVar("M", bound=m.Model)


def communities(conn: Connection) -> list[m.Community]:
    return _models(conn, m.Community, "communities", {})


def equipment(
    conn: Connection,
    *,
    community: str | None = None,
    kind: str | None = None,
    text: str | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> m.Page[m.Equipment]:
    """The register by community and id. Raises Invalid(`cursor`)."""
    after = _decode(cursor, str, str) or (None, None)
    wanted = {"community": community, "kind": kind, "text": literal(text), "limit": limit + 1}
    rows = _models(conn, m.Equipment, "equipment", wanted | {"after_community": after[0], "after_id": after[1]})
    return _page(rows, limit, lambda last: [last.community_id, last.equipment_id])


def equipment_detail(conn: Connection, community: str, equipment_id: str) -> m.EquipmentDetail:
    """With points, their limits and last values. Raises NotFound."""
    key = {"community": community, "equipment": equipment_id}
    found = _row(conn, "equipment_detail", key)
    if found is None:
        raise NotFound("equipment", f"{community}/{equipment_id}")
    points = _rows(conn, "points", key)
    last = latest(conn, [point["series_id"] for point in points])
    return m.EquipmentDetail(
        **found, points=[m.Point(**(point | last.get(point["series_id"], {}))) for point in points]
    )


def points(conn: Connection, community: str, equipment_id: str) -> list[m.Point]:
    """The points of a piece of equipment, without values."""
    return _models(conn, m.Point, "points", {"community": community, "equipment": equipment_id})


def latest(conn: Connection, series: list[int]) -> dict[int, dict[str, Any]]:
    """series → at, value, quality of its last reading within a day."""
    rows = conn.execute(_SQL["latest"], {"series": series, "within": RECENT}).fetchall()
    return {key: {"at": at, "value": value, "quality": quality} for key, at, value, quality in rows}


def readings(conn: Connection, series_id: int, since: datetime, until: datetime, limit: int = MAX_READINGS) -> m.Series:
    """The newest `limit` readings in [since, until), oldest first. Raises NotFound."""
    if conn.execute(_SQL["point"], {"series": series_id}).fetchone() is None:
        raise NotFound("series", series_id)
    rows = window(conn, [series_id], since, until, limit + 1)
    found = [m.Reading(at=at, value=value, quality=quality) for _, at, value, quality in rows[:limit]]
    return m.Series(series_id=series_id, readings=found[::-1], complete=len(rows) <= limit)


def window(
    conn: Connection, series: list[int], since: datetime, until: datetime, limit: int
) -> list[tuple[int, datetime, float, int]]:
    """(series, at, value, quality) of several visible series, newest first."""
    wanted = {"series": series, "since": since, "until": until, "limit": limit}
    return conn.execute(_SQL["readings"], wanted).fetchall()


def curve(
    conn: Connection, series_id: int, since: datetime, until: datetime, points: int = CHART_POINTS
) -> list[Bucket]:
    """Buckets of one visible series, oldest first: raw while few, else from the rollups, extremes kept."""
    return read_series(conn, [series_id], since, until, points).get(series_id, [])


def curves(
    conn: Connection, series: Sequence[int], since: datetime, until: datetime, points: int
) -> dict[int, list[Bucket]]:
    """As `curve`, of several series in one query."""
    return read_series(conn, series, since, until, points)


def series_window(conn: Connection, series_id: int, since: datetime, until: datetime, points: int) -> m.SeriesWindow:
    """As `curve`, for programs. Raises NotFound."""
    if conn.execute(_SQL["point"], {"series": series_id}).fetchone() is None:
        raise NotFound("series", series_id)
    found = [m.Bucket.model_validate(asdict(bucket)) for bucket in curve(conn, series_id, since, until, points)]
    return m.SeriesWindow(series_id=series_id, buckets=found)


def present(conn: Connection, community: str) -> datetime:
    """Now, in event time: the watermark of a community that replays recorded data."""
    row = conn.execute(_SQL["present"], {"community": community}).fetchone()
    if row is None:
        raise NotFound("community", community)
    now: datetime = row[0]
    return now


def warnings(
    conn: Connection,
    *,
    status: str | None = None,
    of_class: str | None = None,
    community: str | None = None,
    equipment_id: str | None = None,
    case_id: int | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> m.Page[m.Warning]:
    """Newest first. Raises Invalid(`cursor`)."""
    wanted = _warning_filter(status=status, community=community, equipment=equipment_id, case=case_id, limit=limit + 1)
    wanted |= {"class": of_class, "before": _number(cursor)}
    return _page(_models(conn, m.Warning, "warnings", wanted), limit, lambda last: [last.warning_id])


def warning(conn: Connection, warning_id: int) -> m.WarningDetail:
    """With evidence and verdicts. Raises NotFound."""
    found = _row(conn, "warnings", _warning_filter(id=warning_id, limit=1))
    more = _row(conn, "warning_more", {"id": warning_id})
    if found is None or more is None:
        raise NotFound("warning", warning_id)
    return m.WarningDetail(**found, **more, verdicts=_models(conn, m.Verdict, "verdicts", {"id": warning_id}))


def _warning_filter(**given: Any) -> dict[str, Any]:
    return dict.fromkeys(("id", "case", "status", "class", "community", "equipment", "before")) | given


def cases(
    conn: Connection,
    *,
    state: str | None = None,
    of_class: str | None = None,
    community: str | None = None,
    equipment_id: str | None = None,
    is_open: bool | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> m.Page[m.Case]:
    """Newest first. Raises Invalid(`cursor`)."""
    wanted = _case_filter(state=state, community=community, equipment=equipment_id, open=is_open, limit=limit + 1)
    wanted |= {"class": of_class, "before": _number(cursor)}
    return _page(_models(conn, m.Case, "cases", wanted), limit, lambda last: [last.case_id])


def case(conn: Connection, case_id: int) -> m.Case:
    """Raises NotFound."""
    found = _models(conn, m.Case, "cases", _case_filter(id=case_id, limit=1))
    if not found:
        raise NotFound("case", case_id)
    return found[0]


def case_detail(conn: Connection, case_id: int, actions: Callable[[m.Case], list[str]]) -> m.CaseDetail:
    """Everything on one page; `actions` says what the caller may do. Raises NotFound."""
    found, parties = case(conn, case_id), _row(conn, "case_parties", {"id": case_id})
    if parties is None:
        raise NotFound("case", case_id)
    key = {"id": case_id}
    return m.CaseDetail(
        **found.model_dump(by_alias=True),
        first_responder=parties["first_responder"],
        first_responder_en=parties["first_responder_en"],
        supervising=parties["supervising"],
        supervising_en=parties["supervising_en"],
        duty=duty(conn, parties["duty_id"]),
        warnings=warnings(conn, case_id=case_id, limit=MAX_PAGE).items,
        orders=orders(conn, case_id=case_id, limit=MAX_PAGE).items,
        transitions=_models(conn, m.Transition, "transitions", key),
        escalations=_models(conn, m.Escalation, "escalations", key),
        evidence=_models(conn, m.Evidence, "evidence", key),
        actions=actions(found),
    )


def _case_filter(**given: Any) -> dict[str, Any]:
    return dict.fromkeys(("id", "open", "state", "class", "community", "equipment", "before")) | given


def orders(
    conn: Connection,
    *,
    mine: bool = False,
    state: str | None = None,
    is_open: bool | None = None,
    case_id: int | None = None,
    cursor: str | None = None,
    limit: int = PAGE,
) -> m.Page[m.Order]:
    """Newest first; `mine` = assigned to me, or to my organisation and nobody yet. Raises Invalid(`cursor`)."""
    wanted = {"id": None, "case": case_id, "mine": mine, "open": is_open, "state": state, "limit": limit + 1}
    rows = _models(conn, m.Order, "orders", wanted | {"before": _number(cursor)})
    return _page(rows, limit, lambda last: [last.order_id])


def order(conn: Connection, order_id: int) -> m.Order:
    """Raises NotFound."""
    wanted = {"id": order_id, "case": None, "mine": False, "open": None, "state": None, "before": None, "limit": 1}
    found = _models(conn, m.Order, "orders", wanted)
    if not found:
        raise NotFound("order", order_id)
    return found[0]


def order_detail(conn: Connection, order_id: int, actions: list[str]) -> m.OrderDetail:
    """Raises NotFound."""
    found = order(conn, order_id)
    parties = _row(conn, "case_parties", {"id": found.case_id})
    judged_by = duty(conn, parties["duty_id"] if parties else None)
    return m.OrderDetail(
        **found.model_dump(by_alias=True),
        actions=actions,
        warnings=warnings(conn, case_id=found.case_id, limit=10).items,
        evidence=_models(conn, m.Evidence, "evidence", {"id": found.case_id}),
        evidence_needed=judged_by.evidence if judged_by else [],
    )


def proposable(conn: Connection, case_id: int) -> list[tuple[str, str]]:
    """(id, name) of organisations that could have the case instead."""
    return conn.execute(_SQL["proposable"], {"id": case_id}).fetchall()


def evidence_content(conn: Connection, evidence_id: int) -> tuple[str, bytes]:
    """Media type and content of a photo. Raises NotFound."""
    found = conn.execute(_SQL["evidence_content"], {"id": evidence_id}).fetchone()
    if found is None:
        raise NotFound("evidence", evidence_id)
    return found[0], bytes(found[1])


def duties(conn: Connection) -> list[m.Duty]:
    """The published responsibility list in force."""
    return _models(conn, m.Duty, "duties", {"id": None, "limit": 2000})


def duty(conn: Connection, duty_id: int | None) -> m.Duty | None:
    found = [] if duty_id is None else _models(conn, m.Duty, "duties", {"id": duty_id, "limit": 1})
    return found[0] if found else None


def gateways(conn: Connection, community: str | None = None, limit: int = MAX_PAGE) -> list[m.Gateway]:
    return _models(conn, m.Gateway, "gateways", {"community": community, "gateway": None, "limit": limit})


def gateway(conn: Connection, community: str, gateway_id: str) -> m.GatewayDetail:
    """With the newest values of its points. Raises NotFound."""
    key = {"community": community, "gateway": gateway_id}
    found = _row(conn, "gateways", key | {"limit": 1})
    if found is None:
        raise NotFound("gateway", f"{community}/{gateway_id}")
    return m.GatewayDetail(**found, first_readings=_models(conn, m.FirstReading, "first_readings", key))


def summary(conn: Connection) -> m.Summary:
    by_class = dict.fromkeys("ABC", 0) | dict(conn.execute(_SQL["open_warnings_by_class"]).fetchall())
    counts = _row(conn, "counts", {}) or {}
    rate = conn.execute(_SQL["readings_per_s"]).fetchone()
    return m.Summary(warnings=by_class, **counts, readings_per_s=float(rate[0]) if rate else 0.0)


def visible(conn: Connection, table: str, ids: list[int]) -> set[int]:
    """Which of these rows the person may see."""
    return {row[0] for row in conn.execute(_SQL[f"visible_{table}"], {"ids": ids})}


def _models(conn: Connection, kind: type[M], query: str, wanted: dict[str, Any]) -> list[M]:
    with conn.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(_SQL[query], wanted).fetchall()


def _rows(conn: Connection, query: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[query], wanted).fetchall()


def _row(conn: Connection, query: str, wanted: dict[str, Any]) -> dict[str, Any] | None:
    rows = _rows(conn, query, wanted)
    return rows[0] if rows else None


def _page(rows: list[M], limit: int, key: Any) -> m.Page[M]:
    more = len(rows) > limit
    return m.Page(items=rows[:limit], next=_encode(key(rows[limit - 1])) if more else None)


def _encode(key: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _decode(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    if cursor is None:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise Invalid("cursor", "is none that this list gave out") from None
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise Invalid("cursor", "is none that this list gave out")
    return tuple(key)


def _number(cursor: str | None) -> int | None:
    key = _decode(cursor, int)
    if key is None:
        return None
    number: int = key[0]
    if not 0 <= number < 2**63:
        raise Invalid("cursor", "is none that this list gave out")
    return number


def literal(text: str | None) -> str | None:
    """A search text in which % and _ are only themselves."""
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_") if text else None
