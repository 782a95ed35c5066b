"""Lists as versions: loaded once, published by a second person, read back as written; bad files are refused by name."""

from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest
from psycopg import Connection

from tests.dispatch.conftest import NOW, World
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import duties
from watchkeep_dispatch.duty_file import default_list, parse
from watchkeep_dispatch.errors import DutyListError

HEAD = 'name = "n"\n[[duty]]\ntitle = "t"\ntitle_en = "t"\nclass = "C"\nbasis = "b"\nmark = "CP"\n'
PARTIES = 'first_responder = "property_company"\nresponsible = "property_company"\nsupervising = "subdistrict"\n'


def in_force(conn: Connection, now: datetime) -> duties.InForce:
    found = duties.in_force(conn, now)
    assert found is not None
    return found


def test_the_default_list_comes_back_as_it_was_written(world: World) -> None:
    with world.connect() as conn:
        found = duties.in_force(conn, NOW)
        again = duties.load_default(conn, NOW)
    assert found is not None
    assert tuple(replace(row, duty_id=None) for row in found.rows) == default_list()[1]
    assert (again.list_id, again.rows, again.published) == (found.list_id, 0, True)
    assert world.value("SELECT count(*) FROM duty_lists") == 1


def test_four_eyes(world: World) -> None:
    sun, zhou = world.people["sun"], world.people["zhou"]
    with world.connect() as conn:
        draft = duties.save_draft(conn, "ours", default_list()[1][:3], created_by=sun)
        with pytest.raises(DutyListError, match="second person"):
            duties.publish(conn, draft, NOW, person_id=sun)
        duties.publish(conn, draft, NOW, person_id=zhou)
        with pytest.raises(DutyListError, match="no draft"):
            duties.publish(conn, draft, NOW, person_id=zhou)
    with world.connect() as conn:
        assert in_force(conn, NOW - timedelta(seconds=1)).name != "ours"
        assert in_force(conn, NOW).name == "ours"
        assert len(in_force(conn, NOW).rows) == 3
    assert (
        world.value("SELECT count(*) FROM audit_entries WHERE action LIKE 'duties.%%' AND person_id IS NOT NULL") == 2
    )
    with world.admin() as conn, pytest.raises(psycopg.errors.CheckViolation):  # not even past the code
        conn.execute("UPDATE duty_lists SET created_by = published_by WHERE name = 'ours'")


def test_the_default_never_replaces_a_list_made_by_hand(world: World) -> None:
    with world.connect() as conn:
        draft = duties.save_draft(conn, "ours", default_list()[1][:3], created_by=None)
        duties.publish(conn, draft, NOW, person_id=None)
    with world.admin() as conn:
        conn.execute("UPDATE duty_lists SET name = 'older default' WHERE name <> 'ours'")
    with world.connect() as conn:
        loaded = duties.load_default(conn, NOW + timedelta(hours=1))
        assert (loaded.published, loaded.rows) == (False, len(default_list()[1]))
        assert in_force(conn, NOW + timedelta(hours=2)).name == "ours"


def test_a_new_default_replaces_an_older_one(world: World) -> None:
    name, _ = default_list()
    with world.admin() as conn:
        conn.execute("UPDATE duty_lists SET name = %s", [f"{name} 00000000"])
    with world.connect() as conn:
        assert duties.load_default(conn, NOW).published
        assert in_force(conn, NOW).name != f"{name} 00000000"


def test_a_case_keeps_the_version_it_was_judged_by(world: World) -> None:
    world.filed("lift-1", "door_close_fail")
    with world.connect() as conn:
        rows = [replace(row, responsible="property_company") for row in default_list()[1]]
        duties.publish(conn, duties.save_draft(conn, "ours", rows, created_by=None), NOW, person_id=None)
    world.filed("lift-1", "door_open_fail")
    judged = world.rows(
        "SELECT l.name = 'ours', responsible_org_id FROM cases JOIN duties USING (duty_id)"
        " JOIN duty_lists l USING (list_id) ORDER BY case_id"
    )
    assert judged == [(False, "lift-co"), (True, "property-co")]


def test_without_any_list_the_first_responder_has_it(world: World) -> None:
    with world.admin() as conn:
        conn.execute("UPDATE duty_lists SET valid = tstzrange('2000-01-01', '2001-01-01')")
    world.filed("lift-1", "door_close_fail")
    assert world.rows("SELECT duty_id, class FROM cases") == [(None, "B")]
    assert world.rows("SELECT org_id, respond_due FROM orders") == [("property-co", None)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name = 1", "name"),
        (HEAD + PARTIES + 'colour = "red"', "colour"),
        (HEAD, "first_responder: must be set"),
        (
            HEAD + PARTIES.replace('responsible = "property_company"\nsup', 'responsible = "nobody"\nsup'),
            "responsible: 'nobody'",
        ),
        (HEAD + PARTIES + 'conditions = ["headache"]', "condition: 'headache'"),
        (HEAD + PARTIES + 'kind = "rocket"', "kind: 'rocket'"),
        (HEAD + PARTIES + 'domain = "space"', "domain: 'space'"),
        (HEAD + PARTIES + 'ownership = "nobody"', "ownership: 'nobody'"),
        (HEAD + PARTIES + 'copied = ["nobody"]', "copied: 'nobody'"),
        (HEAD + PARTIES + 'evidence = ["hearsay"]', "evidence: 'hearsay'"),
        (HEAD + PARTIES + 'respond = "soon"', "deadline 'soon'"),
        (HEAD + PARTIES + 'respond = "0 min"', "deadline '0 min'"),
        (HEAD + PARTIES + 'variants = [{ finish = "3 weeks" }]', "deadline '3 weeks'"),
    ],
)
def test_a_wrong_file_is_refused_and_says_where(text: str, problem: str) -> None:
    with pytest.raises(DutyListError, match=problem):
        parse(text.encode(), load())
