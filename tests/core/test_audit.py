"""The audit trail: sealed in order, a change is found, nobody edits it."""

import psycopg
import pytest
from psycopg import errors

from watchkeep_core import audit


def test_sealed_entries_verify_and_a_change_is_found(database):
    with psycopg.connect(database.url("watchkeep_dispatch"), autocommit=True) as conn:
        for number in range(5):
            audit.record(conn, "order.accept", "order", str(number), detail={"n": number})
        with conn.transaction():
            assert audit.seal(conn) == 5
            assert audit.seal(conn) == 0
        with conn.transaction():
            assert audit.verify(conn) == audit.Verification(sealed=5, unsealed=0, broken_at=None)
    with psycopg.connect(database.admin_url) as admin:
        admin.execute("ALTER TABLE audit_entries DISABLE TRIGGER append_only")
        admin.execute("UPDATE audit_entries SET object_id = '99' WHERE object_id = '2'")
        assert audit.verify(admin).broken_at == 3


def test_a_chain_that_was_cut_off_is_found_by_an_earlier_head(database):
    with psycopg.connect(database.admin_url) as conn:
        for number in range(3):
            audit.record(conn, "x", "order", str(number))
        conn.commit()
        audit.seal(conn)
        head = audit.verify(conn).head
        assert audit.verify(conn, head).broken_at is None
        conn.execute("ALTER TABLE audit_seals DISABLE TRIGGER append_only")
        conn.execute("DELETE FROM audit_seals WHERE seal_no = 3")
        assert audit.verify(conn).broken_at is None, "a shorter chain fits in itself"
        assert audit.verify(conn, head).broken_at == 3
        assert audit.verify(conn, f"2:{'00' * 32}").broken_at == 2, "a chain made anew"


def test_an_entry_that_commits_late_is_sealed_later_not_slipped_in(database):
    url = database.url("watchkeep_dispatch")
    with psycopg.connect(url) as slow, psycopg.connect(url, autocommit=True) as quick:
        audit.record(slow, "late", "x", "1")
        audit.record(quick, "early", "x", "2")
        with quick.transaction():
            assert audit.seal(quick) == 0  # the slow transaction is older
        slow.commit()
        with quick.transaction():
            assert audit.seal(quick) == 2
        with quick.transaction():
            assert audit.verify(quick).broken_at is None


def test_nobody_edits_the_trail(database):
    with psycopg.connect(database.admin_url) as conn:
        audit.record(conn, "x", "y", "z")
        with pytest.raises(errors.InsufficientPrivilege, match="append-only"):
            conn.execute("UPDATE audit_entries SET action = 'nothing'")
