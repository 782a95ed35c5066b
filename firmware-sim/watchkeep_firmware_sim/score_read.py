"""What the database says, for the score: read only, in one snapshot."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load
from watchkeep_firmware_sim.score import EARLY_S, LATE_S, Order, Site, Warning

BY_CONTRACT = ["lift_maintainer", "fire_maintainer", "water_maintainer", "integrator", "control_room"]
"""Parties that only a contract makes responsible: such a firm in the same city is not enough."""


def read(
    conn: Connection, communities: Collection[str], begins: datetime, ends: datetime
) -> tuple[list[Warning], list[Order], dict[tuple[str, str], Site]]:
    """Warnings from `begins` to `ends` (with the slack of the score), their lead orders, and the register.

    Needs SELECT on warnings, verdicts, cases, orders and the register: the login of dispatch has it.
    """
    conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    span = {
        "communities": sorted(communities),
        "begins": begins - timedelta(seconds=EARLY_S),
        "ends": ends + timedelta(seconds=LATE_S),
    }
    warnings = [Warning(**row) for row in _rows(conn, "warnings", span)]
    cases = sorted({warning.case_id for warning in warnings if warning.case_id is not None})
    orders = [Order(**(row | {"roles": frozenset(row["roles"])})) for row in _rows(conn, "orders", {"cases": cases})]
    return warnings, orders, _sites(conn, sorted(communities), begins)


def _sites(conn: Connection, communities: list[str], at: datetime) -> dict[tuple[str, str], Site]:
    kinds, day = load().kinds, {"communities": communities, "day": at.date(), "by_contract": BY_CONTRACT}
    parties = {row["community"]: frozenset(row["parties"]) for row in _rows(conn, "parties", day)}
    contracts = _rows(conn, "contracts", day)
    sites = {}
    for row in _rows(conn, "sites", day):
        kind = kinds.get(row["kind"])
        sites[row["community"], row["equipment"]] = Site(
            ownership=row["ownership"],
            handed_over=kind is not None and kind.domain in row["handed_over_domains"],
            in_warranty=row["in_warranty"],
            parents=frozenset(row["parents"]),
            parties=parties.get(row["community"], frozenset())
            | {
                one["party"]
                for one in contracts
                if one["community"] == row["community"] and row["kind"] in (one["equipment_kinds"] or [row["kind"]])
            },
        )
    return sites


def _rows(conn: Connection, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(queries("watchkeep_firmware_sim", "score.sql")[name], values).fetchall()
