"""The register: saved as a whole, twice without harm, wrong records named."""

import msgspec
import psycopg
import pytest

from tests.sample import sample_estate
from watchkeep_core import estate
from watchkeep_core.estate import EstateError


def count(conn, table):
    return conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_saving_twice_changes_nothing(database):
    with psycopg.connect(database.admin_url) as conn:
        saved = estate.save(conn, sample_estate())
        tables = (
            "areas",
            "communities",
            "floors",
            "households",
            "equipment",
            "equipment_links",
            "points",
            "point_limits",
        )
        first = [count(conn, table) for table in tables]
        assert estate.save(conn, sample_estate()) == saved
        assert [count(conn, table) for table in tables] == first
        assert saved.points == count(conn, "points") == 5
        assert count(conn, "floors") == 19
        assert conn.execute("SELECT path FROM areas WHERE area_id = 'yatou'").fetchone() == (["rongcheng", "yatou"],)
        limits = conn.execute("SELECT count(*) FROM point_limits WHERE basis = '' OR mark = ''").fetchone()
        assert first[-1] > 0
        assert limits == (0,)


def test_a_limit_that_a_person_changed_stays(database):
    with psycopg.connect(database.admin_url) as conn:
        estate.save(conn, sample_estate())
        conn.execute("UPDATE point_limits SET value = 41.5, clear_value = 41, basis = 'site' WHERE side = 'above'")
        estate.save(conn, sample_estate())
        assert conn.execute("SELECT DISTINCT value FROM point_limits WHERE side = 'above'").fetchall() == [(41.5,)]


def test_an_estate_file_is_read_back(tmp_path):
    path = tmp_path / "estate.json"
    path.write_bytes(msgspec.json.encode(sample_estate()))
    assert estate.read_estate(path) == sample_estate()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", None),
        ("[[areas]]\narea_id = 'a b'\nkind = 'city'\nname = 'x'", "area_id"),
        ("[[areas]]\narea_id = 'a'\nkind = 'moon'\nname = 'x'", "kind"),
        ("[[areas]]\narea_id = 'a'\nkind = 'city'\nname = 'x'\ncolour = 1", "colour"),
        ("[[areas]", "estate.toml"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, names):
    path = tmp_path / "estate.toml"
    path.write_text(text)
    if names is None:
        assert estate.read_estate(path) == estate.Estate()
        return
    with pytest.raises(EstateError, match=names):
        estate.read_estate(path)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"kind": "teapot"}, "c1/lift-1: kind"),
        ({"ownership": "moon"}, "ownership"),
        ({"metrics": ["steam"]}, "metrics: no metric 'steam'"),
        ({"links": [estate.Link(relation="powered_by", to="nothing")]}, "nothing"),
    ],
)
def test_a_wrong_record_is_named(database, change, names):
    good = sample_estate()
    first = good.communities[0]
    lift = msgspec.structs.replace(first.equipment[0], **change)
    bad = msgspec.structs.replace(
        good, communities=[msgspec.structs.replace(first, equipment=[lift, *first.equipment[1:]])]
    )
    with psycopg.connect(database.admin_url) as conn, pytest.raises(EstateError, match=names):
        estate.save(conn, bad)


def test_unclaimed_points_are_registered_once_and_claimed_by_a_person(database):
    with psycopg.connect(database.url("watchkeep_ingest")) as conn, psycopg.connect(database.admin_url) as admin:
        estate.save(admin, sample_estate())
        admin.commit()
        wanted = [
            estate.Claim("c1", "g1", "lift-9", "machine_room_temperature", "celsius", 60.0),
            estate.Claim("c1", "g1", "lift-1", "car_status", "state", None),
        ]
        first = estate.register_unclaimed(conn, wanted)
        assert estate.register_unclaimed(conn, wanted) == first
        conn.commit()
        known = estate.series_of(admin, "c1")
        names = [("lift-9", "machine_room_temperature"), ("lift-1", "car_status")]
        assert first == {("c1", *name): known[name] for name in names}
        assert admin.execute("SELECT status FROM equipment WHERE equipment_id = 'lift-9'").fetchone() == ("unclaimed",)
        assert admin.execute(
            "SELECT claimed FROM points WHERE series_id = %s", [known["lift-1", "car_status"]]
        ).fetchone() == (True,)


def test_a_point_is_checked_against_the_equipment_by_its_key_even_in_an_empty_database(database):
    """A session keeps the plan of a foreign key: one made while the table looks empty must be right later, too."""
    claims = [estate.Claim("c1", "g1", f"lift-{100 + n}", "car_status", "state", None) for n in range(50)]
    with psycopg.connect(database.admin_url) as conn:
        estate.save(conn, sample_estate())
        estate.register_unclaimed(conn, claims)
        conn.commit()
        conn.execute("SELECT pg_stat_force_next_flush()")
        conn.commit()
        scans: dict[str, int] = dict(
            conn.execute(
                "SELECT indexrelname, idx_scan FROM pg_stat_user_indexes WHERE relname = 'equipment'"
            ).fetchall()
        )
    assert scans["equipment_pkey"] > 0
    assert scans["equipment_name"] == 0
