"""A small estate for the console's tests: two communities, five people, equipment, readings, warnings."""

import contextlib
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.conftest import Database
from watchkeep_console.people import NewMembership, create_person
from watchkeep_core import estate
from watchkeep_core.database import OWNER, connect
from watchkeep_dispatch import duties
from watchkeep_dispatch.notify.jobs import install_jobs

PASSWORD = "correct-horse-battery"
PEOPLE = {
    "duty": ("值班员 王敏", "prop", ["duty_officer@community:sunshine"]),
    "manager": ("项目经理 李强", "prop", ["property_manager@organisation:prop"]),
    "tech": ("维保 张伟", "lift", ["technician@organisation:lift"]),
    "verifier": ("核查员 赵静", "street", ["verifier@area:street-1"]),
    "other": ("邻区物业 陈晨", "prop2", ["property_manager@organisation:prop2"]),
    "auditor": ("审计 孙涛", None, ["auditor@area:city"]),
}


@dataclass(frozen=True)
class World:
    """Ids a test needs."""

    database: Database
    people: dict[str, str]
    series: dict[tuple[str, str, str], int]
    organisations: list[str]
    last_membership: int

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.admin() as conn:
            return conn.execute(query).fetchall()

    def admin(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.database.admin_url)


def build(database: Database) -> World:
    install_jobs(database.admin_url)
    with connect(database.admin_url, "test", role=OWNER) as conn:
        estate.save(conn, _estate())
        duties.load_default(conn, datetime.now(UTC) - timedelta(days=30))
        people = {
            login: create_person(conn, login, name, PASSWORD, org, [NewMembership.parse(text) for text in memberships])
            for login, (name, org, memberships) in PEOPLE.items()
        }
        series = {
            (community, *key): number
            for community in ("sunshine", "riverside")
            for key, number in estate.series_of(conn, community).items()
        }
        organisations = [row[0] for row in conn.execute("SELECT org_id FROM organisations")]
        ((last,),) = conn.execute("SELECT max(membership_id) FROM memberships").fetchall()
    return World(database, people, series, organisations, last)


_HAPPENED = (
    "signals", "warnings", "unjudged", "cases", "case_warnings", "verdicts", "orders", "transitions", "evidence",
    "escalations", "detection_feedback", "warning_explanations", "notifications", "notification_channels",
    "ledger_entries", "readings", "events", "gateway_status", "batches", "sessions",
    "api_tokens", "idempotency_keys", "person_totp", "recovery_codes", "person_logins", "erasures",
    "webhook_deliveries", "webhooks", "data_shares",
    "rota_swaps", "rota_shifts", "assignment_rules", "person_skills", "visits", "visit_plans", "complaints",
    "duty_handovers", "notices", "appeals", "ranking_rows", "rankings", "ledger_studies",
)  # fmt: skip
_NUMBERED = {"warnings": "warning_id", "cases": "case_id", "orders": "order_id"}


def reset(world: World) -> None:
    """Forget everything that happened; the register stays, but for what tests have added."""
    for _ in range(5):
        with contextlib.suppress(psycopg.errors.DeadlockDetected), world.admin() as conn:
            _forget(conn, world)
            return
    raise RuntimeError("the console's process does not stop writing")


def _forget(conn: psycopg.Connection[Any], world: World) -> None:
    """In one transaction; what the test before has pressed last may still be on its way."""
    conn.execute("SET LOCAL session_replication_role = replica")  # no triggers; TRUNCATE would sync 60 files
    conn.execute("""SELECT pg_notify('watchkeep', '{"table": "warnings", "id": 0, "community": ""}')""")
    for table in _HAPPENED:
        conn.execute(f"DELETE FROM {table}")
    for table, column in _NUMBERED.items():
        conn.execute("SELECT setval(pg_get_serial_sequence(%s, %s), 1, false)", [table, column])
    conn.execute("DELETE FROM points WHERE series_id <> ALL (%s)", [list(world.series.values())])
    conn.execute("DELETE FROM point_limits WHERE series_id <> ALL (%s)", [list(world.series.values())])
    conn.execute("DELETE FROM gateways WHERE gateway_id <> 'gw-1'")
    conn.execute("DELETE FROM equipment WHERE equipment_id <> ALL (%s)", [[key[1] for key in world.series]])
    conn.execute("DELETE FROM organisations WHERE org_id <> ALL (%s)", [world.organisations])
    conn.execute("DELETE FROM duties WHERE list_id IN (SELECT list_id FROM duty_lists WHERE created_by IS NOT NULL)")
    conn.execute("DELETE FROM duty_lists WHERE created_by IS NOT NULL")
    conn.execute("UPDATE duty_lists SET valid = tstzrange(lower(valid), NULL) WHERE NOT upper_inf(valid)")
    conn.execute("DELETE FROM memberships WHERE membership_id > %s", [world.last_membership])
    conn.execute("UPDATE memberships SET valid = tstzrange(lower(valid), NULL) WHERE NOT upper_inf(valid)")
    conn.execute("DELETE FROM people WHERE person_id <> ALL (%s::uuid[])", [list(world.people.values())])
    conn.execute("UPDATE people SET failed_logins = 0, locked_until = NULL, active = true")


def _estate() -> estate.Estate:
    since, until = date(2020, 1, 1), date(2035, 1, 1)
    lifts = [
        estate.Equipment(
            equipment_id=f"lift-{n}",
            kind="elevator",
            name=f"{n} 号楼客梯",
            name_en=f"Lift {n}",
            building_id=f"b{n}",
            maker="示例电梯",
            model="MRL-1000",
            metrics=["machine_room_temperature", "door_status"],
            gateway_id="gw-1",
        )
        for n in (1, 2, 3)
    ]
    pump = estate.Equipment(
        equipment_id="pump-1",
        kind="supply_pump_set",
        name="高区供水机组",
        name_en="High-zone supply pump set",
        building_id="b1",
        level=-1,
        metrics=["outlet_pressure", "outlet_pressure_deviation", "inlet_pressure"],
        gateway_id="gw-1",
    )
    hydrant = estate.Equipment(
        equipment_id="hydrant-1",
        kind="hydrant_system",
        name="室内消火栓系统",
        building_id="b2",
        metrics=["static_pressure"],
    )
    buildings = [estate.Building(building_id=f"b{n}", name=f"{n} 号楼", storeys=18, basements=2) for n in (1, 2, 3)]
    sunshine = estate.Community(
        community_id="sunshine",
        name="阳光花园",
        name_en="Sunshine Garden",
        area_id="street-1",
        property_org_id="prop",
        buildings=buildings,
        contracts=[
            estate.Contract(
                contract_id="k1",
                kind="lift_maintainer",
                provider_org_id="lift",
                equipment_kinds=["elevator"],
                since=since,
                until=until,
            )
        ],
        equipment=[*lifts, pump, hydrant],
        gateways=[estate.Gateway(gateway_id="gw-1", name="1 号楼弱电间网关")],
    )
    riverside = estate.Community(
        community_id="riverside",
        name="滨河家园",
        area_id="street-2",
        property_org_id="prop2",
        buildings=buildings[:1],
        equipment=[
            estate.Equipment(equipment_id="lift-1", kind="elevator", name="滨河 1 号梯", metrics=["door_status"])
        ],
    )
    return estate.Estate(
        areas=[
            estate.Area(area_id="city", kind="city", name="示例市"),
            estate.Area(area_id="street-1", kind="subdistrict", name="城东街道", parent_id="city"),
            estate.Area(area_id="street-2", kind="subdistrict", name="城西街道", parent_id="city"),
        ],
        organisations=[
            estate.Organisation(org_id="prop", kind="property_company", name="阳光物业", name_en="Sunshine Property"),
            estate.Organisation(org_id="prop2", kind="property_company", name="滨河物业"),
            estate.Organisation(org_id="lift", kind="lift_maintainer", name="迅捷维保", name_en="Swift Lift Service"),
            estate.Organisation(
                org_id="street",
                kind="subdistrict",
                name="城东街道办",
                name_en="Chengdong Subdistrict",
                area_id="street-1",
            ),
        ],
        communities=[sunshine, riverside],
    )


def readings(world: World, series: int, values: list[float], until: datetime, step_s: float = 10.0) -> None:
    """Readings that end at `until`."""
    days = {(until - timedelta(seconds=step_s * n)).date() for n in range(0, len(values), 100)} | {until.date()}
    with psycopg.connect(world.database.url("watchkeep_ingest")) as conn:
        conn.execute("SELECT make_reading_partitions(%s)", [sorted(days | {until.date() - timedelta(days=1)})])
        with conn.cursor().copy("COPY readings (series_id, ts, value, quality) FROM STDIN") as copy:
            for back, value in enumerate(reversed(values)):
                copy.write_row((series, until - timedelta(seconds=step_s * back), value, 0))


def wave(count: int, level: float, swing: float) -> list[float]:
    return [round(level + swing * math.sin(n / 7.0) + swing / 3 * math.sin(n / 2.3), 2) for n in range(count)]


def warning(
    world: World,
    equipment: str = "lift-1",
    condition: str = "door_close_fail",
    *,
    community: str = "sunshine",
    of_class: str = "B",
    life_safety: bool = False,
    at: datetime | None = None,
    metric: str | None = None,
    zh: str = "关门 3 次未到位",
    en: str = "The door failed to close three times",
) -> int:
    """Open a warning as analytics does."""
    at = at or datetime.now(UTC)
    series = world.series.get((community, equipment, metric)) if metric else None
    with psycopg.connect(world.database.url("watchkeep_analytics")) as conn:
        row = conn.execute(
            "INSERT INTO warnings (community_id, equipment_id, series_id, condition, tier, proposed_class, life_safety,"
            " event_at, detected_at, last_seen_at, detector, version, evidence, sentence_zh, sentence_en)"
            " VALUES (%s, %s, %s, %s, 'alarm', %s, %s, %s, %s, %s, 'limits', '1', %s, %s, %s) RETURNING warning_id",
            [community, equipment, series, condition, of_class, life_safety, at, at, at, Jsonb({"limit": 1}), zh, en],
        ).fetchone()
    assert row is not None
    return int(row[0])


def clear(world: World, warning_id: int) -> None:
    with psycopg.connect(world.database.url("watchkeep_analytics")) as conn:
        conn.execute("UPDATE warnings SET status = 'cleared', cleared_at = now() WHERE warning_id = %s", [warning_id])


def judge_all(world: World) -> None:
    """What dispatch does: every waiting warning becomes a case, or joins one."""
    from watchkeep_core.vocabulary import load
    from watchkeep_dispatch.planning import Rules
    from watchkeep_dispatch.rounds import file_waiting

    with psycopg.connect(world.database.url("watchkeep_dispatch"), autocommit=True) as conn:
        file_waiting(conn, lambda: datetime.now(UTC), Rules(load(), duties.Lists(), {}), 100)
