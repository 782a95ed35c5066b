"""Supervisors and administrators for tests of their pages, and what these tests leave behind taken away."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.console import world as w
from watchkeep_console.identity import Session
from watchkeep_console.people import NewMembership, create_person
from watchkeep_console.services import Services
from watchkeep_core.database import OWNER, connect

STAFF = {
    "office": ("城东街道办 周洁", "street", "subdistrict_office@area:street-1"),
    "city": ("市办 郑华", None, "city_office@area:city"),
    "super": ("督办员 冯敏", None, "supervisor@area:city"),
    "admin": ("系统管理员 韩雪", None, "sys_admin@area:city"),
    "local": ("物业管理员 何静", "prop", "sys_admin@organisation:prop"),
}
_MADE = (
    "rota_swaps", "rota_shifts", "assignment_rules", "person_skills", "visits", "visit_plans", "complaints",
    "duty_handovers", "notices", "appeals", "ranking_rows", "rankings", "ledger_studies",
)  # fmt: skip


@pytest.fixture
def staff(world: w.World) -> Iterator[dict[str, str]]:
    """login → person id, the people of the world among them."""
    with connect(world.database.admin_url, "test", role=OWNER) as conn:
        ((last,),) = conn.execute("SELECT max(membership_id) FROM memberships").fetchall()
        made = {
            login: create_person(conn, login, name, None, org, [NewMembership.parse(role)])
            for login, (name, org, role) in STAFF.items()
        }
        conn.execute(  # the same password has the same hash: a new one for each takes longer than the tests
            "UPDATE people SET password_hash = (SELECT password_hash FROM people WHERE login = 'duty')"
            " WHERE password_hash IS NULL"
        )
    yield world.people | made
    with psycopg.connect(world.database.admin_url) as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        for table in _MADE:
            conn.execute(f"DELETE FROM {table}")
        conn.execute("DELETE FROM memberships WHERE membership_id > %s", [last])
        conn.execute(
            "DELETE FROM duties WHERE list_id IN (SELECT list_id FROM duty_lists WHERE created_by IS NOT NULL)"
        )
        conn.execute("DELETE FROM duty_lists WHERE created_by IS NOT NULL")
        conn.execute("UPDATE duty_lists SET valid = tstzrange(lower(valid), NULL)")
        conn.execute("DELETE FROM point_limits WHERE series_id NOT IN (SELECT series_id FROM points)")
        conn.execute("DELETE FROM points WHERE equipment_id LIKE 'new-%'")
        conn.execute("DELETE FROM equipment WHERE equipment_id LIKE 'new-%'")
        conn.execute("DELETE FROM organisations WHERE org_id LIKE 'new-%'")


def session_of(house: Services, login: str) -> Session:
    """A session as the pages have one."""
    with house.pool.connection() as conn:
        ((person, *_),) = conn.execute("SELECT * FROM login_candidate(%s)", [login]).fetchall()
    opened = house.identity.log_in_as(str(person))
    assert opened is not None, login
    return house.identity.session(opened.token)
