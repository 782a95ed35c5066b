"""Supervisors and administrators for tests of their pages; the next world has forgotten them."""

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


@pytest.fixture
def staff(world: w.World) -> dict[str, str]:
    """login → person id, the people of the world among them."""
    with connect(world.database.admin_url, "test", role=OWNER) as conn:
        made = {
            login: create_person(conn, login, name, None, org, [NewMembership.parse(role)])
            for login, (name, org, role) in STAFF.items()
        }
        conn.execute(  # the same password has the same hash: a new one for each takes longer than the tests
            "UPDATE people SET password_hash = (SELECT password_hash FROM people WHERE login = 'duty')"
            " WHERE password_hash IS NULL"
        )
    return world.people | made


def session_of(house: Services, login: str) -> Session:
    """A session as the pages have one."""
    with house.pool.connection() as conn:
        ((person, *_),) = conn.execute("SELECT * FROM login_candidate(%s)", [login]).fetchall()
    opened = house.identity.log_in_as(str(person))
    assert opened is not None, login
    return house.identity.session(opened.token)
