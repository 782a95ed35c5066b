"""People, roles, organisations: who may change them, and what nobody may."""

from datetime import timedelta

import psycopg
import pytest

from tests.console import world as w
from tests.console.staff import session_of, staff
from watchkeep_console import administration, person_channels
from watchkeep_console.administration import Details
from watchkeep_console.errors import Conflict, Forbidden, Invalid, NotFound
from watchkeep_console.people import NewMembership
from watchkeep_console.services import Services
from watchkeep_core.database import as_person
from watchkeep_core.estate import Organisation

__all__ = ["staff"]


def roles(world: w.World, person: str) -> set[str]:
    found = f"SELECT role FROM memberships WHERE person_id = '{person}' AND valid @> now()"
    return {row[0] for row in world.rows(found)}


def test_a_person_is_made_given_a_role_and_loses_it(house: Services, world: w.World, staff: dict[str, str]) -> None:
    boss = session_of(house, "admin")
    made, password = administration.create(house, boss, "New.One", Details(name="新人", org_id="prop"))
    assert house.identity.log_in("new.one", password) is not None
    until = house.clock.now() + timedelta(days=30)
    role = NewMembership("duty_officer", "community", "sunshine")
    membership = administration.grant(house, boss, made, role, until)
    assert roles(world, made) == {"duty_officer"}
    assert world.rows(f"SELECT upper(valid) FROM memberships WHERE membership_id = {membership}") == [(until,)]
    administration.end(house, boss, membership)
    assert roles(world, made) == set()
    assert administration.grant(house, boss, made, role, None) == membership  # the row has its past; it holds again
    assert roles(world, made) == {"duty_officer"}
    with pytest.raises(Conflict):
        administration.create(house, boss, "new.one", Details(name="又一个", org_id="prop"))
    actions = {row[0] for row in world.rows("SELECT action FROM audit_entries")}
    assert {"person.save", "membership.grant", "membership.end"} <= actions


def test_nobody_gives_a_role_to_oneself_nor_outside_ones_scope(
    house: Services, world: w.World, staff: dict[str, str]
) -> None:
    admin, local = session_of(house, "admin"), session_of(house, "local")
    for who, session in (("admin", admin), ("local", local)):
        with pytest.raises(Forbidden):
            administration.grant(house, session, staff[who], NewMembership("auditor", "organisation", "prop"), None)
    for role in (NewMembership("sys_admin", "area", "city"), NewMembership("duty_officer", "community", "riverside")):
        with pytest.raises(Forbidden):
            administration.grant(house, local, staff["duty"], role, None)
    with pytest.raises(Forbidden):
        administration.grant(
            house, session_of(house, "manager"), staff["duty"], NewMembership("supervisor", "area", "city"), None
        )
    with pytest.raises(Invalid):
        administration.grant(house, admin, staff["duty"], NewMembership("king", "area", "city"), None)
    with pytest.raises(NotFound):
        administration.grant(house, local, staff["other"], NewMembership("duty_officer", "community", "sunshine"), None)
    assert roles(world, staff["duty"]) == {"duty_officer"}
    administration.grant(house, local, staff["duty"], NewMembership("technician", "organisation", "prop"), None)
    assert roles(world, staff["duty"]) == {"duty_officer", "technician"}


@pytest.mark.parametrize("login", ["manager", "admin"])
def test_the_database_refuses_what_the_service_would_not_ask(
    house: Services, staff: dict[str, str], login: str
) -> None:
    """The functions are the boundary: a statement that goes around the service layer gets no further."""
    own = staff[login]
    with pytest.raises(psycopg.errors.InsufficientPrivilege), as_person(house.pool, own) as conn:
        conn.execute("SELECT grant_membership(%s, 'sys_admin', 'area', 'city', NULL)", [own])
    with pytest.raises(psycopg.errors.InsufficientPrivilege), as_person(house.pool, own) as conn:
        conn.execute(
            "INSERT INTO memberships (person_id, role, scope_kind, scope_id) VALUES (%s, 'auditor', 'area', 'city')",
            [own],
        )
    with pytest.raises(psycopg.errors.InsufficientPrivilege), as_person(house.pool, staff["manager"]) as conn:
        conn.execute("INSERT INTO duty_lists (name) VALUES ('mine')")


def test_an_account_with_a_role_elsewhere_is_not_taken_over(house: Services, staff: dict[str, str]) -> None:
    """`local` runs the accounts of prop; the manager of prop gets a role of the city: no longer theirs to change."""
    local, details = session_of(house, "local"), Details(name="项目经理 李强", org_id="prop")
    administration.change(house, local, staff["manager"], details)
    role = NewMembership("supervisor", "area", "city")
    administration.grant(house, session_of(house, "admin"), staff["manager"], role, None)
    with pytest.raises(Forbidden):
        administration.change(house, local, staff["manager"], details)


def test_a_shut_account_is_out_at_once(house: Services, staff: dict[str, str]) -> None:
    duty = session_of(house, "duty")
    administration.change(
        house, session_of(house, "admin"), staff["duty"], Details(name="值班员 王敏", org_id="prop", active=False)
    )
    with pytest.raises(Exception, match="session has ended"):
        house.identity.session_by_hash(duty.token_hash)
    assert house.identity.log_in("duty", w.PASSWORD) is None


def test_one_sees_the_people_of_ones_scope(house: Services, staff: dict[str, str]) -> None:
    def seen(login: str) -> set[str]:
        with as_person(house.pool, staff[login]) as conn:
            return {row[0] for row in conn.execute("SELECT login FROM people")}

    assert seen("admin") >= {
        "duty",
        "manager",
        "tech",
        "verifier",
        "other",
        "auditor",
        "office",
        "city",
        "super",
        "local",
    }
    assert seen("local") >= {"duty", "manager", "local"}
    assert not {"other", "verifier", "auditor", "city"} & seen("local")
    assert not {"auditor", "city", "admin"} & seen("manager")


def test_organisations_are_entered_by_who_administers_the_area(
    house: Services, world: w.World, staff: dict[str, str]
) -> None:
    new = Organisation(
        org_id="new-fire", kind="fire_maintainer", name="安平消防", area_id="street-1", duty_phone="0100"
    )
    administration.save_organisation(house, session_of(house, "admin"), new, new=True)
    assert world.rows("SELECT name, area_id FROM organisations WHERE org_id = 'new-fire'") == [("安平消防", "street-1")]
    with pytest.raises(Conflict):
        administration.save_organisation(house, session_of(house, "admin"), new, new=True)
    for session in (session_of(house, "local"), session_of(house, "super")):
        with pytest.raises(Forbidden):
            administration.save_organisation(
                house, session, Organisation(org_id="new-2", kind="police", name="x", area_id="city"), new=True
            )
    with pytest.raises(Invalid):
        administration.save_organisation(
            house, session_of(house, "admin"), Organisation(org_id="new-3", kind="army", name="x"), new=True
        )


def test_who_answers_for_an_account_says_how_the_person_is_told(
    house: Services, world: w.World, staff: dict[str, str]
) -> None:
    """Added, tried, switched, taken away, each on record; to everybody else there is no such person."""
    local, duty = session_of(house, "local"), staff["duty"]
    with pytest.raises(Invalid):
        person_channels.add(house, local, duty, "pigeon", "")
    sms = person_channels.add(house, local, duty, "sms", "22:00-07:00")
    with pytest.raises(Conflict):
        person_channels.add(house, local, duty, "sms", "")
    assert person_channels.test(house, local, duty) == 1
    (shown,) = person_channels.listing(house, local, duty)
    assert (shown.channel_id, shown.quiet_hours, shown.status) == (sms, "22:00-07:00", "queued")
    for who, person in (
        ("manager", "duty"),
        ("other", "duty"),
        ("local", "other"),
        ("local", "city"),
        ("tech", "duty"),
    ):
        session, about = session_of(house, who), staff[person]
        for act in (
            lambda: person_channels.listing(house, session, about),  # noqa: B023  # called at once
            lambda: person_channels.add(house, session, about, "mail", ""),  # noqa: B023
            lambda: person_channels.test(house, session, about),  # noqa: B023
            lambda: person_channels.switch(house, session, about, sms, enabled=None),  # noqa: B023
        ):
            with pytest.raises(NotFound):
                act()
    person_channels.switch(house, local, duty, sms, enabled=False)
    assert person_channels.test(house, local, duty) == 0
    person_channels.switch(house, local, duty, sms, enabled=None)
    assert world.rows("SELECT count(*) FROM notification_channels") == [(0,)]
    found = world.rows(
        f"SELECT action FROM audit_entries WHERE object_kind = 'notification_channel' AND detail ->> 'of' = '{duty}'"
        " ORDER BY audit_id DESC LIMIT 5"
    )
    assert [row[0] for row in reversed(found)] == [
        "channel.add", "channel.test", "channel.disable", "channel.test", "channel.remove",
    ]  # fmt: skip
