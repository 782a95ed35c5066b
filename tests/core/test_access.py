"""Who may see and write what: row-level security and grants, as PostgreSQL enforces them."""

import psycopg
import pytest
from psycopg import errors

from tests.sample import sample_estate
from watchkeep_core import estate

ORDER = """
WITH c AS (
    INSERT INTO cases (community_id, equipment_id, condition, source, class, state, title_zh, title_en, event_at,
                       filed_at)
    VALUES ('c1', 'lift-1', 'door_close_fail', 'sensor', 'B', 'dispatched', 'x', 'x', now(), now())
    RETURNING case_id)
INSERT INTO orders (case_id, community_id, equipment_id, org_id, state, dispatched_at)
SELECT case_id, 'c1', 'lift-1', 'lift-works', 'dispatched', now() FROM c"""


@pytest.fixture
def people(database):
    """login → person id: a supervisor by area, a property manager, a maintainer's technician, a stranger."""
    who = {
        "supervisor": ("area", "rongcheng"),
        "street": ("area", "harbour-town"),
        "manager": ("organisation", "blue-sea"),
        "technician": ("organisation", "lift-works"),
        "stranger": ("community", "nowhere"),
    }
    with psycopg.connect(database.admin_url) as conn:
        estate.save(conn, sample_estate())
        found = {}
        for login, (kind, scope) in who.items():
            (person,) = conn.execute(
                "INSERT INTO people (login, name, phone) VALUES (%s, %s, '13812341234') RETURNING person_id",
                [login, login],
            ).fetchall()[0]
            conn.execute(
                "INSERT INTO memberships (person_id, role, scope_kind, scope_id) VALUES (%s, 'x', %s, %s)",
                [person, kind, scope],
            )
            found[login] = str(person)
        conn.execute(ORDER)
    return found


def sees(database, person, query):
    with psycopg.connect(database.url("watchkeep_console")) as conn:
        if person:
            conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [person])
        return sorted(row[0] for row in conn.execute(query).fetchall())


def test_nobody_without_identity_sees_anything(database, people):
    for table in ("communities", "equipment", "points", "cases", "orders", "areas", "organisations"):
        assert sees(database, None, f"SELECT 1 FROM {table}") == []


@pytest.mark.parametrize(
    ("login", "communities", "equipment"),
    [
        ("supervisor", ["c1", "c2"], ["c1/lift-1", "c1/mains-1", "c1/pumps-1", "c2/lift-1"]),
        ("street", ["c2"], ["c2/lift-1"]),
        ("manager", ["c1"], ["c1/lift-1", "c1/mains-1", "c1/pumps-1"]),
        ("technician", ["c1"], ["c1/lift-1"]),
        ("stranger", [], []),
    ],
)
def test_one_sees_ones_scope_and_nothing_else(database, people, login, communities, equipment):
    assert sees(database, people[login], "SELECT community_id FROM communities") == communities
    assert sees(database, people[login], "SELECT community_id || '/' || equipment_id FROM equipment") == equipment


@pytest.mark.parametrize(("login", "orders"), [("manager", 1), ("technician", 1), ("street", 0), ("stranger", 0)])
def test_orders_are_seen_by_community_or_by_the_organisation_that_has_them(database, people, login, orders):
    assert len(sees(database, people[login], "SELECT order_id FROM orders")) == orders
    assert len(sees(database, people[login], "SELECT case_id FROM cases")) == orders


def test_readings_come_through_one_door_only(database, people):
    with psycopg.connect(database.admin_url) as conn:
        series = estate.series_of(conn, "c1")
        lift, pump = series["lift-1", "machine_room_temperature"], series["pumps-1", "outlet_pressure"]
        conn.execute("SELECT make_reading_partitions(ARRAY[now()::date, now()::date - 1])")
        conn.execute("INSERT INTO readings SELECT unnest(%s::int[]), now() - interval '1 min', 7, 0", [[lift, pump]])
    door = f"SELECT series_id FROM visible_readings(ARRAY[{lift},{pump}], now() - interval '1 h', now(), 10)"
    assert sees(database, people["manager"], door) == sorted([lift, pump])
    assert sees(database, people["technician"], door) == [lift]
    assert sees(database, people["stranger"], door) == []
    latest = f"SELECT series_id FROM visible_latest(ARRAY[{lift},{pump}], '1 h')"
    assert sees(database, people["technician"], latest) == [lift]
    with pytest.raises(errors.InsufficientPrivilege):
        sees(database, people["manager"], "SELECT 1 FROM readings")


@pytest.mark.parametrize(
    ("login", "statement"),
    [
        ("watchkeep_console", "SELECT phone FROM people"),
        ("watchkeep_console", "SELECT password_hash FROM people"),
        ("watchkeep_console", "SELECT url FROM notification_channels"),
        ("watchkeep_console", "UPDATE warnings SET status = 'open'"),
        ("watchkeep_console", "DELETE FROM audit_entries"),
        ("watchkeep_analytics", "INSERT INTO readings VALUES (1, now(), 1, 0)"),
        ("watchkeep_analytics", "UPDATE cases SET class = 'C'"),
        ("watchkeep_ingest", "INSERT INTO warnings DEFAULT VALUES"),
        ("watchkeep_ingest", "SELECT 1 FROM people"),
        ("watchkeep_dispatch", "DELETE FROM transitions"),
        ("watchkeep_dispatch", "DROP TABLE orders"),
        ("grafana_ro", "SELECT 1 FROM public.orders"),
        ("grafana_ro", "SET default_transaction_read_only = off; CREATE TABLE public.x (i int)"),
        ("grafana_ro", "SET default_transaction_read_only = off; COPY (SELECT 1) TO PROGRAM 'true'"),
        ("grafana_ro", "SELECT pg_read_file('/etc/hostname')"),
    ],
)
def test_what_a_login_must_not_do_is_refused(database, login, statement):
    *before, forbidden = statement.split("; ")
    with psycopg.connect(database.url(login), autocommit=True) as conn:
        for part in before:
            conn.execute(part)
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute(forbidden)


def test_no_login_owns_anything_or_bypasses_row_level_security(database):
    with psycopg.connect(database.admin_url) as conn:
        rows = conn.execute(
            "SELECT rolname FROM pg_roles WHERE (rolname LIKE 'watchkeep%' OR rolname = 'grafana_ro')"
            " AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb)"
        ).fetchall()
        assert rows == []
        owners = conn.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'wall')"
        ).fetchall()
        assert owners == [("watchkeep_owner",)]


def test_every_table_with_a_community_is_protected(database):
    """Readings, rollups and ingest's own ledgers carry no row-level security: no console login may read them."""
    with psycopg.connect(database.admin_url) as conn:
        open_tables = conn.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relrowsecurity AND has_any_column_privilege('watchkeep_console', oid, 'SELECT')"
        ).fetchall()
    assert set(open_tables) <= {("replay_watermarks",), ("batches",)}  # no place, person or value in them


def test_walls_read_views_only(database, people):
    with psycopg.connect(database.url("grafana_ro")) as conn:
        assert conn.execute("SELECT count(*) FROM wall.work_order").fetchone() == (1,)
        assert conn.execute("SELECT count(*) FROM wall.community").fetchone() == (2,)


def test_login_counts_failures_and_locks(database, people):
    with psycopg.connect(database.url("watchkeep_console")) as conn:
        ((person,),) = conn.execute("SELECT person_id FROM login_candidate('MANAGER')").fetchall()
        for _ in range(5):
            conn.execute("SELECT record_login(%s, false, 5, '15 min')", [person])
        locked = "SELECT failed_logins, locked_until > now() FROM login_candidate('manager')"
        assert conn.execute(locked).fetchone() == (5, True)
        conn.execute("SELECT record_login(%s, true, 5, '15 min')", [person])
        assert conn.execute(locked).fetchone() == (0, None)
