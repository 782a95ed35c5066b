"""What `watchkeep bench dispatch` plays in: an estate, warnings as analytics writes them, questions to the database."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from watchkeep_core.database import connect, queries
from watchkeep_core.errors import TransientError
from watchkeep_core.estate import Area, Community, Contract, Equipment, Estate, Organisation
from watchkeep_dispatch.rowset import rowset

COMMUNITIES = 300
LIFTS = 40
"""Pieces of equipment per community: as many as a storm needs, so that a burst everywhere is none anywhere."""
STORM_LIFTS = 50
URGENT = "entrapment"
GIVE_UP_S = 600.0
_AT_ONCE = 10_000


class BenchStalled(TransientError):
    """Nothing moved for too long: the measurement is void."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to measure: libpq URLs."""

    admin: str
    dispatch: str
    analytics: str


def warn(
    target: Target,
    places: Sequence[tuple[str, str]],
    conditions: Sequence[str],
    status: str = "open",
    ago: timedelta = timedelta(0),
) -> None:
    """Write warnings as analytics does, in one transaction; detected `ago`."""
    rows: list[dict[str, Any]] = []
    for (community, equipment), condition in zip(places, conditions, strict=True):
        place = {"community_id": community, "equipment_id": equipment, "condition": condition}
        urgent = condition in (URGENT, "fire_alarm")
        rows.append(place | {"class": "A" if urgent else "C", "life_safety": urgent})
    with psycopg.connect(target.analytics) as conn:
        for start in range(0, len(rows), _AT_ONCE):
            values = {"now": datetime.now(UTC), "ago": ago, "status": status}
            chunk = rowset(rows[start : start + _AT_ONCE])
            conn.execute(queries("watchkeep_dispatch", "sql/bench.sql")["warn"], values | {"rows": chunk})


def waiting(target: Target) -> float:
    return number(target, "SELECT count(*) FROM unjudged WHERE not_before <= now()")


def number(target: Target, query: str, values: Any = None) -> float:
    with connect(target.admin, "bench") as conn:
        found = conn.execute(query.encode(), values).fetchone()
    return float(found[0]) if found else 0.0


def until(target: Target, query: str, at_least: float) -> float:
    """Seconds until a count is reached."""
    began = time.monotonic()
    while number(target, query) < at_least:
        if time.monotonic() - began > GIVE_UP_S:
            raise BenchStalled(query)
        time.sleep(0.02)
    return time.monotonic() - began


def drained(target: Target, query: str) -> None:
    began = time.monotonic()
    while number(target, query):
        if time.monotonic() - began > GIVE_UP_S:
            raise BenchStalled(query)
        time.sleep(0.1)


def server(target: Target) -> str:
    with connect(target.admin, "bench") as conn:
        found = conn.execute("SHOW server_version").fetchone()
    return str(found[0]) if found else "unknown"


def made_estate() -> Estate:
    valid: dict[str, Any] = {"since": date(2020, 1, 1), "until": date(2100, 1, 1)}
    names = [f"c{n}" for n in range(COMMUNITIES)]

    def community(name: str, lifts: int) -> Community:
        return Community(
            community_id=name,
            name=name,
            area_id="town",
            property_org_id="property",
            contracts=[
                Contract(contract_id=f"lift-{name}", kind="lift_maintainer", provider_org_id="lift", **valid),
            ],
            equipment=[
                *(Equipment(equipment_id=f"lift-{n}", kind="elevator", name=f"{n}号梯") for n in range(lifts)),
                Equipment(equipment_id="panel", kind="fire_alarm_panel", name="主机"),
            ],
        )

    return Estate(
        areas=[
            Area(area_id="city", kind="city", name="市"),
            Area(area_id="town", kind="subdistrict", name="镇", parent_id="city"),
        ],
        organisations=[
            Organisation(org_id="property", kind="property_company", name="物业"),
            Organisation(org_id="lift", kind="lift_maintainer", name="维保"),
            Organisation(org_id="office", kind="subdistrict", name="镇政府", area_id="town"),
            Organisation(org_id="market", kind="market_supervision", name="市场监管", area_id="city"),
        ],
        communities=[*(community(name, LIFTS) for name in names), community("storm", STORM_LIFTS)],
    )
