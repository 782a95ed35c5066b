"""红灰榜: drawn up from scores, published by a second person, appealed against within 30 days, then corrected."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch import rota, scores
from watchkeep_dispatch.duties import PUBLISHERS
from watchkeep_dispatch.errors import FieldRefused
from watchkeep_dispatch.scores import Scheme, Score

List = Literal["red", "grey", "none", "not_ranked"]
APPEAL_WITHIN = timedelta(days=30)
"""From publication (DOMAIN §7.2, CP)."""
SUPERVISING = (*PUBLISHERS, "subdistrict_office")
"""Roles that publish a list of their area and decide on appeals against it."""


class RankingRefused(FieldRefused):
    """A ranking or an appeal is not possible; `field` says what of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subject stands; equal scores share a position."""

    score: Score
    list: List
    position: int | None


@dataclass(frozen=True, slots=True)
class Grant:
    """奖补: whole yuan for one subject, and what it was reckoned from."""

    subject: str
    name: str
    band: str
    households: int
    yuan: int


def places(scheme: Scheme, found: Sequence[Score]) -> list[Place]:
    """Red, grey or neither; who has too few orders is not ranked, but a veto counts always. Pure."""
    ranked = sorted((one for one in found if one.ranked and not one.vetoes), key=lambda one: -(one.score or 0.0))
    values = [one.score or 0.0 for one in ranked]
    best = values[max(1, math.floor(len(values) * scheme.red_share)) - 1] if values else math.inf
    last_count = math.floor(len(values) * scheme.grey_share)
    last = values[-last_count] if last_count else -math.inf
    result = []
    for one in found:
        value = one.score or 0.0
        if one.vetoes:
            result.append(Place(one, "grey", None))
        elif not one.ranked:
            result.append(Place(one, "not_ranked", None))
        else:
            red = value >= max(best, scheme.red_from)
            grey = not red and (value < scheme.grey_below or value <= last)
            result.append(Place(one, "red" if red else "grey" if grey else "none", 1 + sum(v > value for v in values)))
    return result


def draw(
    conn: Connection,
    scheme: str,
    period: str,
    now: datetime,
    zone: ZoneInfo,
    *,
    area: str | None = None,
    person_id: str | None,
) -> int:
    """Draw up the list of a period that is over, as known now; returns its id. Raises RankingRefused, SchemeRefused."""
    since, until = scores.span_of(period, zone)
    if until > now:
        raise RankingRefused("period", f"{period} is not over")
    spec = scores.in_force(conn, scheme, until, now, zone)
    found = scores.scores(conn, scheme, since, until, now, zone, area)
    values = {"scheme": scheme, "since": since, "until": until, "as_of": now, "area": area, "now": now}
    row = conn.execute(_sql("draw"), values | {"person_id": person_id}).fetchone()
    ranking_id = int(row[0]) if row else 0
    for place in places(spec, found):
        one = place.score
        conn.execute(
            _sql("draw_row"),
            {
                "ranking_id": ranking_id,
                "subject": one.subject,
                "name": one.name,
                "score": one.score,
                "band": one.band,
                "list": place.list,
                "position": place.position,
                "orders": one.orders,
                "detail": Jsonb(scores.as_detail(one)),
            },
        )
    audit.record(conn, "ranking.draw", "ranking", str(ranking_id), person_id=person_id, detail={"scheme": scheme})
    return ranking_id


def publish(conn: Connection, ranking_id: int, now: datetime, *, person_id: str) -> dict[str, Any]:
    """Publish a list, one of each scheme, period and area: by another person than who drew it up, who supervises it.

    Returns what `rankings` says of it. Raises RankingRefused.
    """
    published = [number for number, at in conn.execute(_sql("drawn_alike"), [ranking_id]).fetchall() if at is not None]
    found = _ranking(conn, ranking_id)
    if published:
        which = ranking_id if ranking_id in published else f"{published[0]}, of the same period,"
        raise RankingRefused("ranking", f"{which} is published already; appeals correct it")
    if found["created_by"] == person_id:
        raise RankingRefused("person", "the list is published by who drew it up; a second person must")
    _must_supervise(conn, person_id, found["area_id"], now)
    values = {"ranking_id": ranking_id, "now": now, "person_id": person_id, "appeals_until": now + APPEAL_WITHIN}
    conn.execute(_sql("publish"), values)
    audit.record(conn, "ranking.publish", "ranking", str(ranking_id), person_id=person_id)
    return rankings(conn, ranking_id)[0]


def appeal(conn: Connection, ranking_id: int, subject: str, reason: str, now: datetime, *, person_id: str) -> int:
    """Object to a place on a published list, for one's own company, or for one that has come to the office.

    Returns the appeal's id. Raises RankingRefused.
    """
    found = _ranking(conn, ranking_id)
    if found["appeals_until"] is None or now > found["appeals_until"]:
        raise RankingRefused("ranking", f"{ranking_id}: not published, or the 30 days are over")
    if not reason.strip():
        raise RankingRefused("reason", "must be given")
    areas = (found["area_id"], subject)
    if not rota.works_for(conn, person_id, subject) and not any(_supervises(conn, person_id, a, now) for a in areas):
        raise RankingRefused("person", f"neither belongs to {subject} nor supervises this list")
    values = {"ranking_id": ranking_id, "subject": subject, "reason": reason, "now": now, "person_id": person_id}
    try:
        with conn.transaction():
            row = conn.execute(_sql("appeal"), values).fetchone()
    except psycopg.errors.UniqueViolation:
        raise RankingRefused("subject", f"{subject}: an appeal is open already") from None
    except psycopg.errors.ForeignKeyViolation:
        raise RankingRefused("subject", f"{subject!r} does not stand on list {ranking_id}") from None
    appeal_id = int(row[0]) if row else 0
    audit.record(conn, "ranking.appeal", "ranking", str(ranking_id), person_id=person_id, detail={"subject": subject})
    return appeal_id


def decide(
    conn: Connection,
    appeal_id: int,
    now: datetime,
    *,
    upheld: bool,
    decision: str,
    to: List | None = None,
    person_id: str,
) -> None:
    """Decide an appeal, with reasons: who supervises the list, and did not make it. Raises RankingRefused.

    An upheld one moves the subject to list `to`, or to none.
    """
    found = conn.execute(_sql("open_appeal"), [appeal_id]).fetchone()
    if found is None:
        raise RankingRefused("appeal", f"{appeal_id} is not open")
    if found[2] == person_id:
        raise RankingRefused("person", "an appeal is decided by somebody else than who made it")
    _must_supervise(conn, person_id, found[3], now)
    if not decision.strip():
        raise RankingRefused("decision", "reasons must be given")
    if to not in (None, "none") and not upheld:
        raise RankingRefused("to", "a rejected appeal moves nobody")
    values = {"appeal_id": appeal_id, "upheld": upheld, "decision": decision, "now": now, "person_id": person_id}
    conn.execute(_sql("decide"), values)
    if upheld:
        conn.execute(_sql("correct"), {"ranking_id": found[0], "subject": found[1], "list": to or "none"})
    detail = {"appeal": appeal_id, "upheld": upheld, "subject": found[1]}
    audit.record(conn, "ranking.decide", "ranking", str(found[0]), person_id=person_id, detail=detail)


def rankings(conn: Connection, ranking_id: int | None = None) -> list[dict[str, Any]]:
    """Lists that this login may see, newest first; with an id also its rows and appeals. Raises RankingRefused."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_sql("rankings"), {"id": ranking_id}).fetchall()
        if ranking_id is None:
            return found
        if not found:
            raise RankingRefused("ranking", f"{ranking_id} is not there")
        rows = cursor.execute(_sql("rows"), [ranking_id]).fetchall()
        made = cursor.execute(_sql("appeals"), {"id": ranking_id}).fetchall()
    return [found[0] | {"rows": rows, "appeals": made}]


def grants(conn: Connection, ranking_id: int, pool_yuan: int, zone: ZoneInfo) -> list[Grant]:
    """Share out a sum by band and households among those not on the grey list; what rounding leaves is not spent."""
    (found,) = rankings(conn, ranking_id)
    if found["published_at"] is None:
        raise RankingRefused("ranking", f"{ranking_id} is not published")
    spec = scores.in_force(conn, found["scheme"], found["until"], found["as_of"], zone)
    entitled = [row for row in found["rows"] if row["list"] in ("red", "none") and spec.grant.get(row["band"])]
    homes = {row["subject_id"]: int(row["detail"]["counts"].get("households", 0)) for row in entitled}
    weights = {row["subject_id"]: spec.grant[row["band"]] * homes[row["subject_id"]] for row in entitled}
    total = sum(weights.values())
    return [
        Grant(key, row["name"], row["band"], homes[key], math.floor(pool_yuan * weights[key] / total) if total else 0)
        for row in entitled
        if (key := row["subject_id"])
    ]


def _ranking(conn: Connection, ranking_id: int) -> dict[str, Any]:
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_sql("ranking"), [ranking_id]).fetchone()
    if found is None:
        raise RankingRefused("ranking", f"{ranking_id} is not there")
    return found


def _supervises(conn: Connection, person_id: str, area: str | None, now: datetime) -> bool:
    values = {"person": person_id, "area": area, "roles": list(SUPERVISING), "now": now}
    return conn.execute(_sql("supervises"), values).fetchone() is not None


def _must_supervise(conn: Connection, person_id: str, area: str | None, now: datetime) -> None:
    if not _supervises(conn, person_id, area, now):
        raise RankingRefused("person", f"none of the roles {', '.join(SUPERVISING)} for {area or 'the whole city'}")


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/scores.sql")[name]
