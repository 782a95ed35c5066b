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
    "notifications",
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
    "SELECT * FROM warnings",
    "SELECT * FROM orders",
    "SELECT * FROM people",
    "SELECT * FROM readings",
    "SELECT * FROM public.gaps",
    "SELECT my_person()",
    "INSERT INTO wall.community (community_id) VALUES ('x')",
    "UPDATE wall.community SET name_zh = 'x'",
    "DELETE FROM wall.dead_letter",
    "CREATE TABLE wall.mine (x integer)",
    "CREATE TABLE public.mine (x integer)",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY (SELECT 1) TO '/tmp/x'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "SET ROLE watchkeep_owner",
)


def test_everything_but_reading_the_views_is_refused(city):
    accepted = []
    with psycopg.connect(city.url("grafana_ro"), autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = off")  # a belt: the session itself can take it off
        for statement in REFUSED:
            try:
                conn.execute(statement)
            except errors.InsufficientPrivilege:
                continue
            accepted.append(statement)
    assert accepted == []


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
