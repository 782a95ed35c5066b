import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from tests.conftest import Database
from watchkeep_cli.ports import free_port
from watchkeep_core import estate
from watchkeep_core.estate import (
    Area,
    Community,
    Contract,
    Equipment,
    Estate,
    Gateway,
    Handover,
    Link,
    Organisation,
    Warranty,
)
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import duties
from watchkeep_dispatch.duty_file import default_list
from watchkeep_dispatch.filing import claim, judge
from watchkeep_dispatch.notify.jobs import install_jobs
from watchkeep_dispatch.planning import Rules
from watchkeep_dispatch.verdicts import Outcome

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
"""Monday 10:00 in China."""

LISTED = datetime(2026, 1, 1, tzinfo=UTC)
"""Since when the default list is in force."""

SINCE, UNTIL = date(2020, 1, 1), date(2030, 1, 1)

PEOPLE = {
    "li": ("technician", "organisation", "lift-co"),
    "wang": ("technician", "organisation", "lift-co"),
    "zhao": ("property_manager", "organisation", "property-co"),
    "qian": ("verifier", "organisation", "property-co"),
    "sun": ("duty_officer", "area", "city"),
    "zhou": ("subdistrict_office", "area", "town"),
    "wu": ("technician", "organisation", "fire-co"),
    "wei": ("maintainer_manager", "organisation", "lift-co"),
    "zheng": ("city_office", "area", "city"),
}


def small_estate() -> Estate:
    """A city, a town community with everything, one handed over to the water utility, and a replay one."""
    contract: dict[str, Any] = {"since": SINCE, "until": UNTIL}
    return Estate(
        areas=[
            Area(area_id="city", kind="city", name="市"),
            Area(area_id="town", kind="subdistrict", name="镇", parent_id="city", urban=False),
            Area(area_id="centre", kind="subdistrict", name="街道", parent_id="city"),
        ],
        organisations=[
            Organisation(org_id="property-co", kind="property_company", name="物业"),
            Organisation(org_id="lift-co", kind="lift_maintainer", name="维保"),
            Organisation(org_id="fire-co", kind="fire_maintainer", name="消防维保"),
            Organisation(org_id="builder", kind="developer", name="开发商"),
            Organisation(org_id="water-co", kind="utility_water", name="水务", area_id="city"),
            Organisation(org_id="town-office", kind="subdistrict", name="镇政府", area_id="town"),
            Organisation(org_id="centre-office", kind="subdistrict", name="街道办", area_id="centre"),
            Organisation(org_id="market", kind="market_supervision", name="市场监管", area_id="city"),
            Organisation(org_id="housing", kind="housing_bureau", name="住建局", area_id="city"),
        ],
        communities=[
            Community(
                community_id="garden",
                name="花园小区",
                area_id="town",
                property_org_id="property-co",
                contracts=[
                    Contract(contract_id="c-lift", kind="lift_maintainer", provider_org_id="lift-co", **contract),
                    Contract(
                        contract_id="c-fire",
                        kind="fire_maintainer",
                        provider_org_id="fire-co",
                        equipment_kinds=["fire_pump", "smoke_detector"],
                        **contract,
                    ),
                ],
                equipment=[
                    Equipment(equipment_id="mains", kind="power_supply", name="总配电"),
                    Equipment(equipment_id="gw", kind="gateway", name="网关"),
                    Equipment(
                        equipment_id="lift-1",
                        kind="elevator",
                        name="1号梯",
                        name_en="Lift 1",
                        metrics=["power_status"],
                        gateway_id="gw",
                        links=[Link(relation="powered_by", to="mains")],
                    ),
                    Equipment(
                        equipment_id="lift-2",
                        kind="elevator",
                        name="2号梯",
                        warranty=Warranty(developer_org_id="builder", valid_until=date(2027, 1, 1)),
                    ),
                    Equipment(equipment_id="pump", kind="supply_pump_set", name="供水泵"),
                ],
                gateways=[Gateway(gateway_id="gw", equipment_id="gw")],
            ),
            Community(
                community_id="lake",
                name="湖畔小区",
                area_id="centre",
                property_org_id="property-co",
                handovers=[Handover(domain="water", to_org_id="water-co", handed_over_on=date(2026, 6, 1))],
                equipment=[
                    Equipment(equipment_id="pump", kind="supply_pump_set", name="供水泵"),
                    Equipment(equipment_id="lift-1", kind="elevator", name="1号梯"),
                ],
            ),
            Community(
                community_id="old",
                name="回放",
                area_id="centre",
                property_org_id="property-co",
                mode="replay",
                equipment=[Equipment(equipment_id="m-1", kind="elevator", name="机器")],
            ),
        ],
    )


@dataclass(frozen=True)
class World:
    """A database with the small estate and the default list; what tests need to make things happen in it."""

    database: Database
    people: dict[str, str]

    def connect(self, login: str = "watchkeep_dispatch") -> Connection:
        return psycopg.connect(self.database.url(login), options="-c timezone=UTC")

    def admin(self) -> Connection:
        return psycopg.connect(self.database.admin_url)

    def warn(self, equipment: str, condition: str, *, community: str = "garden", at: datetime = NOW, **columns) -> int:
        """A warning as analytics writes it."""
        known = load().conditions.get(condition)
        values = {
            "proposed_class": known.default_class if known else "C",
            "life_safety": known.life_safety if known else False,
            "replay": community == "old",
            "detected_at": at,
            "status": "open",
            "cleared_at": None,
        } | columns
        with self.connect("watchkeep_analytics") as conn:
            row = conn.execute(
                """INSERT INTO warnings (community_id, equipment_id, condition, tier, event_at, last_seen_at, detector,
                       version, evidence, sentence_zh, sentence_en, proposed_class, life_safety, replay, detected_at,
                       status, cleared_at)
                   VALUES (%(community)s, %(equipment)s, %(condition)s, 'alarm', %(at)s, %(at)s, 'test',
                       '1', '{}', '', '', %(proposed_class)s, %(life_safety)s, %(replay)s, %(detected_at)s,
                       %(status)s, %(cleared_at)s)
                   RETURNING warning_id""",
                values | {"community": community, "equipment": equipment, "condition": condition, "at": at},
            ).fetchone()
        return int(row[0]) if row else 0

    def clear(self, warning_id: int, at: datetime = NOW) -> None:
        with self.connect("watchkeep_analytics") as conn:
            conn.execute(
                "UPDATE warnings SET status = 'cleared', cleared_at = %s WHERE warning_id = %s", [at, warning_id]
            )

    def file(self, now: datetime = NOW, rules: Rules | None = None) -> list[Outcome]:
        """Judge all that waits."""
        done: list[Outcome] = []
        with self.connect() as conn:
            while True:
                with conn.transaction():
                    waiting = claim(conn, now)
                    if not waiting:
                        return done
                    done.append(judge(conn, waiting[0], now, rules or standard_rules()))

    def forget(self) -> None:
        """Delete what tests write."""
        with self.admin() as conn:
            conn.execute("SET LOCAL session_replication_role = replica")  # past append-only triggers and foreign keys
            for table in WRITTEN.split():
                conn.execute(f"DELETE FROM {table}")

    def filed(self, equipment: str, condition: str, now: datetime = NOW, **columns) -> int:
        """A warning that has become a case; returns the case's id."""
        self.warn(equipment, condition, at=now, **columns)
        (outcome,) = self.file(now)
        assert outcome.case_id is not None
        return outcome.case_id

    def rows(self, query: str, *values) -> list[tuple[Any, ...]]:
        with self.admin() as conn:
            return conn.execute(query, values).fetchall()

    def value(self, query: str, *values):
        ((found,),) = self.rows(query, *values)
        return found


def eventually(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Poll with a deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def standard_rules(how: dict[str, Any] | None = None, **wait_s: float) -> Rules:
    """`how` = fields of Rules, `wait_s` = the desk's time by class."""
    return Rules(load(), duties.Lists(), wait_s, **(how or {}))


WRITTEN = """
    community_sums order_sums order_spans channel_hits
    appeals ranking_rows rankings notices inspections credit_events score_schemes complaints
    fund_steps fund_requests ledger_studies visits visit_plans duty_handovers case_escalations deadline_changes
    suspension_requests case_callbacks rota_swaps rota_shifts person_skills assignment_rules escalations evidence
    ledger_entries notifications notification_channels transitions verdicts unjudged case_warnings
    orders cases signals warnings maintenance_windows silences storms replay_watermarks audit_seals audit_entries
    jobs.procrastinate_events jobs.procrastinate_jobs jobs.procrastinate_workers
"""
"""What tests write; between tests it is deleted, which is far cheaper than a new database."""


def make_database(postgres_url: str, name: str, source: str) -> Database:
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        # A connection that has just been closed may still be there, and a database that is in use is not copied.
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [source])
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {source}")
    return Database(psycopg.conninfo.make_conninfo(postgres_url, dbname=name))


def drop_database(postgres_url: str, name: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def small_world(postgres_url: str, template: str) -> Iterator[World]:
    """A database with the job queue, the small estate, people and the default list."""
    name = f"{template}_dispatch"
    found = make_database(postgres_url, name, template)
    install_jobs(found.admin_url)
    with psycopg.connect(found.admin_url) as conn:
        estate.save(conn, small_estate())
        conn.execute("UPDATE community_history SET at = %s", [LISTED])  # tests tell of NOW, whenever they run
        people = {}
        for login, (role, kind, scope) in PEOPLE.items():
            org = scope if kind == "organisation" else None
            row = conn.execute(
                "INSERT INTO people (login, name, org_id) VALUES (%s, %s, %s) RETURNING person_id::text",
                [login, login, org],
            ).fetchone()
            assert row is not None
            people[login] = row[0]
            conn.execute(
                "INSERT INTO memberships (person_id, role, scope_kind, scope_id, valid)"
                " VALUES (%s, %s, %s, %s, tstzrange('2020-01-01', NULL))",
                [row[0], role, kind, scope],
            )
    with psycopg.connect(found.url("watchkeep_dispatch")) as conn:
        duties.load_default(conn, LISTED)
    yield World(found, people)
    drop_database(postgres_url, name)


@pytest.fixture
def world(small_world: World) -> Iterator[World]:
    """The shared database, clean."""
    yield small_world
    small_world.forget()
    with small_world.admin() as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute("DELETE FROM memberships WHERE scope_id = 'market'")
        conn.execute("UPDATE communities SET households = 0 WHERE households > 0")
        first = "SELECT min(history_id) FROM community_history GROUP BY community_id"
        conn.execute(f"DELETE FROM community_history WHERE history_id NOT IN ({first})")
        conn.execute("DELETE FROM duties WHERE list_id > 1")
        conn.execute("DELETE FROM duty_lists WHERE list_id > 1")
        name = _default_name()
        conn.execute("UPDATE duty_lists SET name = %s, valid = tstzrange(%s, NULL)", [name, LISTED])


@pytest.fixture
def own_world(postgres_url: str, small_world: World) -> Iterator[World]:
    """A database of its own, for tests that break it."""
    source = small_world.value("SELECT current_database()")
    name = f"{source}_own"
    yield World(make_database(postgres_url, name, source), small_world.people)
    drop_database(postgres_url, name)


@cache
def _default_name() -> str:
    title, rows = default_list()
    return duties.version_name(title, rows)


@pytest.fixture
def unused_port() -> int:
    return free_port("127.0.0.1")
