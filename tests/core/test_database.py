"""Errors an operator sees, and identity per transaction."""

import psycopg
import pytest

from watchkeep_core import database as db


def test_an_unreachable_database_is_named_without_its_password():
    with pytest.raises(db.DatabaseUnavailable) as refused:
        db.connect("postgresql://me:hunter2@127.0.0.1:1/x", "test")
    assert "127.0.0.1:1/x" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_what_is_no_url_is_refused_without_showing_it():
    with pytest.raises(db.DatabaseRefused) as refused:
        db.connect("postgresql//me:hunter2@host", "test")
    assert "hunter2" not in str(refused.value)


def test_a_wrong_password_or_database_is_permanent(database):
    with pytest.raises(db.DatabaseRefused, match="password"):
        db.connect(database.url("watchkeep_ingest").replace("only-in-tests", "wrong"), "test")


def test_identity_ends_with_the_transaction(database):
    pool = db.open_pool(database.url("watchkeep_console"), "test", max_size=1, autocommit=True)
    person = "00000000-0000-0000-0000-000000000001"
    try:
        with db.as_person(pool, person) as conn:
            assert conn.execute("SELECT my_person()::text").fetchone() == (person,)
        with pool.connection() as conn:
            assert conn.execute("SELECT my_person()").fetchone() == (None,)
        with pytest.raises(psycopg.errors.DivisionByZero), db.as_person(pool, person) as conn:
            conn.execute("SELECT set_config('watchkeep.test', 'kept', false), 1 / 0")
        with pool.connection() as conn:
            assert conn.execute("SELECT my_person(), current_setting('watchkeep.test', true)").fetchone() == (
                None,
                None,
            )
    finally:
        pool.close()


def test_a_connection_that_the_server_has_ended_is_not_given_out(database):
    pool = db.open_pool(database.url("watchkeep_console"), "test", max_size=1)
    try:
        with pool.connection() as conn:
            ended = conn.info.backend_pid
        with psycopg.connect(database.admin_url) as admin:
            assert admin.execute("SELECT pg_terminate_backend(%s, 60000)", [ended]).fetchone() == (True,)
        with pool.connection() as conn:
            assert conn.execute("SELECT pg_backend_pid() <> %s", [ended]).fetchone() == (True,)
    finally:
        pool.close()


def test_queries_of_a_file_are_named():
    assert "save_area" in db.queries("watchkeep_core", "estate.sql")
