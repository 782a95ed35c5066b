"""The grants are the wall between Grafana and the data: its viewers may send any SQL."""

import psycopg
from psycopg import errors

NO_PERSONS = {
    "people",
    "memberships",
    "sessions",
    "api_tokens",
    "transitions",
    "evidence",
    "audit_entries",
}
NO_FREE_TEXT = {
    "payload",
    "topic",
    "detail",
    "note",
    "title_zh",
    "title_en",
    "duty_phone",
    "phone",
    "body",
    "assignee_id",
}


REFUSED = (
    "SELECT * FROM public.gaps",
    "SELECT * FROM rollups_hour",
    "SELECT my_person()",
    "CREATE TABLE wall.mine (x integer)",
    "CREATE TABLE public.mine (x integer)",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "COPY wall.community FROM PROGRAM 'true'",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_stat_file('/etc/passwd')",
    "SELECT pg_sleep(0) FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
    "SELECT series_window(ARRAY[1], now() - interval '1 day', now())",
    "SELECT visible_readings(ARRAY[1], now() - interval '1 day', now(), 10)",
    "ALTER ROLE grafana_ro CONNECTION LIMIT 1000",
    "SET SESSION AUTHORIZATION watchkeep_ingest",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "SET ROLE watchkeep_owner",
)


NOBODY_CAN = (errors.ObjectNotInPrerequisiteState, errors.FeatureNotSupported, errors.WrongObjectType)
"""A view of several tables cannot be written by anybody."""
REFUSALS = (errors.InsufficientPrivilege, errors.UndefinedTable, *NOBODY_CAN)


def test_everything_but_reading_the_views_is_refused(city):
    assert accepted(city, REFUSED) == []


def test_every_table_is_refused(city):
    with psycopg.connect(city.admin_url) as conn:
        tables = [name for (name,) in conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    assert {"people", "readings", "readings_hour", "warnings", "orders", "sessions"} <= set(tables)
    assert accepted(city, [f"SELECT FROM public.{name} LIMIT 1" for name in tables]) == []


def test_every_write_is_refused(city):
    """Also with the read-only default off: it is the grants that refuse. A view may be one that nobody can write."""
    with psycopg.connect(city.admin_url) as conn:
        views = conn.execute(
            "SELECT table_schema || '.' || table_name, max(column_name) FROM information_schema.columns"
            " WHERE table_schema IN ('wall', 'public') AND is_identity = 'NO' AND is_generated = 'NEVER' GROUP BY 1"
        ).fetchall()
    statements = [
        statement
        for name, column in views
        for statement in (
            f"INSERT INTO {name} DEFAULT VALUES",
            f"UPDATE {name} SET {column} = NULL",
            f"DELETE FROM {name}",
            f"TRUNCATE {name}",
            f"COPY {name} FROM STDIN",
        )
    ]
    assert len(statements) > 400
    assert accepted(city, statements) == []


def accepted(city, statements):
    """Those that Grafana's login may run."""
    found = []
    with psycopg.connect(city.url("grafana_ro"), autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = off")  # a belt: the session itself can take it off
        for statement in statements:
            try:
                conn.execute(statement)
            except REFUSALS:
                continue
            found.append(statement)
    return found


def test_sessions_are_short_and_few(city):
    with psycopg.connect(city.url("grafana_ro")) as conn:
        assert conn.execute("SHOW statement_timeout").fetchone() == ("20s",)
        assert conn.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
        limit = conn.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user").fetchone()
    assert limit == (20,)


def test_views_hold_no_persons_and_no_free_text(city):
    with psycopg.connect(city.admin_url) as conn:
        used = conn.execute(
            "SELECT table_name, column_name FROM information_schema.view_column_usage WHERE view_schema = 'wall'"
        ).fetchall()
    assert ("warnings", "sentence_zh") in used
    assert {table for table, _ in used} & NO_PERSONS == set()
    assert {column for _, column in used} & NO_FREE_TEXT == set()
    told = {column for table, column in used if table == "notifications"}
    assert told == {"status", "created_at"}  # how many wait, never to whom or what


def test_every_view_and_column_says_what_it_means(database):
    """People write panels of their own: the data dictionary shows these words."""
    silent = """
        SELECT c.relname || coalesce('.' || a.attname, '')
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'wall'::regnamespace
          AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)"""
    with psycopg.connect(database.admin_url) as conn:
        assert conn.execute(silent).fetchall() == []
        views = conn.execute("SELECT viewname FROM pg_views WHERE schemaname = 'wall'").fetchall()
    assert len(views) >= 19
