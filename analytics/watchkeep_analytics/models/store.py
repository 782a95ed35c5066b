"""Models in the database: versions, the one in force, the way back. The caller opens the transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from watchkeep_analytics.models.fitted import Active, ModelError, Outcome, pack, unpack
from watchkeep_analytics.models.frames import Span
from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_core.logs import get_logger

log = get_logger(__name__)

KEEP = 14
"""Versions of each piece of equipment that are kept: two weeks of nights."""

Key = tuple[str, str]
"""(community, equipment)"""

_SQL = queries("watchkeep_analytics.models", "models.sql")


def put(conn: Connection, outcomes: Sequence[Outcome], span: Span) -> None:
    """Each becomes a version; a good one is in force at once, a refused one leaves the earlier one in force."""
    activated: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        where = {"community": outcome.community, "equipment": outcome.equipment}
        good = outcome.fitted is not None
        if good:
            conn.execute(_SQL["retire"], where | {"state": "replaced", "why": ""})
        row = where | {
            "since": span.since,
            "until": span.until,
            "state": "active" if good else "refused",
            "why": outcome.why,
            "figures": Jsonb(outcome.figures),
            "parameters": pack(outcome.fitted) if outcome.fitted is not None else None,
        }
        found = conn.execute(_SQL["put"], row).fetchone()
        version = int(found[0]) if found else 0
        conn.execute(_SQL["prune"], where | {"version": version, "keep": KEEP})
        if good:
            activated.setdefault(outcome.community, {})[outcome.equipment] = version
    for community, versions in activated.items():
        audit.record(conn, "models.activate", "community", community, detail={"versions": versions})


def rollback(conn: Connection, community: str, equipment: str, *, by: str, why: str) -> dict[str, int | None]:
    """The version before the one in force is in force again; without one, the equipment has no model.

    Raises ModelError when none is in force.
    """
    if not by.strip() or not why.strip():
        raise ModelError("by, why: both must be given")
    where: dict[str, Any] = {"community": community, "equipment": equipment}
    row = conn.execute(_SQL["retire"], where | {"state": "rolled_back", "why": f"{by}: {why}"}).fetchone()
    if row is None:
        raise ModelError(f"{community}/{equipment}: no model is in force")
    before = int(row[0])
    found = conn.execute(_SQL["earlier"], where | {"version": before}).fetchone()
    after = found[0] if found else None
    if after is not None:
        conn.execute(_SQL["activate"], where | {"version": after})
    versions = {"before": before, "after": after}
    detail = versions | {"by": by, "why": why}
    audit.record(conn, "models.rollback", "equipment", f"{community}/{equipment}", detail=detail)
    return versions


def active(conn: Connection, communities: Sequence[str], known: Mapping[Key, Active]) -> dict[Key, Active]:
    """Models in force; of those known already nothing is read again. One that cannot be read is left out, and told."""
    versions = {(c, e): v for c, e, v in conn.execute(_SQL["versions"], {"communities": list(communities)})}
    found = {key: known[key] for key, v in versions.items() if key in known and known[key].version == v}
    fresh = [(*key, version) for key, version in versions.items() if key not in found]
    if fresh:
        names = zip(("communities", "equipment", "versions"), map(list, zip(*fresh, strict=True)), strict=True)
        for community, equipment, version, parameters in conn.execute(_SQL["parameters"], dict(names)):
            try:
                found[community, equipment] = Active(version, unpack(parameters))
            except ModelError as error:
                log.warning("model_left_out", community=community, equipment=equipment, why=str(error))
    return found


def listing(
    conn: Connection, *, community: str | None, equipment: str | None, every: bool, at_most: int
) -> list[dict[str, Any]]:
    """Models in force and lately refused ones, or all kept versions; the newest first."""
    named = {"community": community, "equipment": equipment, "every": every, "at_most": at_most}
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["listing"], named).fetchall()


def trained_lately(conn: Connection) -> bool:
    """Within half a day, by anybody."""
    return conn.execute(_SQL["trained_lately"]).fetchone() == (True,)
