"""Notifications: written with what they tell of, once, handed over after the commit only, in both languages."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from tests.dispatch.conftest import NOW, World, eventually
from tests.dispatch.notifying import PULSE, add_channel, outcomes
from watchkeep_dispatch.errors import ChannelUnavailable, JobsMissing
from watchkeep_dispatch.notify import jobs
from watchkeep_dispatch.notify.channels import MemoryChannel
from watchkeep_dispatch.notify.chores import Pulse
from watchkeep_dispatch.notify.delivery import Delivery, How
from watchkeep_dispatch.notify.outbox import announce, announce_test, gathering
from watchkeep_dispatch.notify.texts import TextError, catalogue, render
from watchkeep_dispatch.notify.worker import NotifyWorker


@pytest.fixture
def pool(world: World) -> Iterator[ConnectionPool]:
    with ConnectionPool(world.database.url("watchkeep_dispatch"), min_size=1, max_size=4) as found:
        yield found


def test_the_catalogue_is_complete_in_both_languages() -> None:
    for kind, entry in catalogue().items():
        assert entry.zh.placeholders() == entry.en.placeholders(), kind
        for text in (entry.zh.title, entry.zh.body, entry.en.title, entry.en.body):
            assert text.strip() == text != ""
        assert any("\u4e00" <= letter <= "\u9fff" for letter in entry.zh.title)
        assert entry.en.title.isascii()


def test_a_missing_value_is_named() -> None:
    with pytest.raises(TextError, match="'at' is missing"):
        render("test", "en", {})
    with pytest.raises(TextError, match="no-such-kind"):
        render("no-such-kind", "zh", {})


def test_the_same_key_tells_once_and_in_app_needs_no_job(world: World) -> None:
    with world.connect() as conn:
        both = announce(conn, "test", ["lift-co", "lift-co", None, "fire-co"], {"at": "x"}, key="k", now=NOW)
        again = announce(conn, "test", ["lift-co"], {"at": "x"}, key="k", now=NOW)
    assert (len(both), again) == (2, [])
    assert world.rows("SELECT DISTINCT status, sent_at IS NOT NULL FROM notifications") == [("sent", True)]
    assert world.value("SELECT count(*) FROM jobs.procrastinate_jobs") == 0


def test_what_is_gathered_makes_one_job_per_channel_and_urgency(world: World) -> None:
    channel = add_channel(world, org="lift-co")
    with world.connect() as conn:
        with gathering(conn):
            for number in range(3):
                announce(conn, "test", ["lift-co"], {"at": "x"}, key=f"k{number}", now=NOW)
            announce(conn, "test", ["lift-co"], {"at": "x"}, key="life", now=NOW, urgent=True)
            with suppress(psycopg.errors.DivisionByZero), conn.transaction(), gathering(conn):
                announce(conn, "test", ["lift-co"], {"at": "x"}, key="undone", now=NOW)
                conn.execute("SELECT 1 / 0")
        assert conn.execute("SELECT count(*) FROM notifications WHERE channel_id = %s", [channel]).fetchone() == (4,)
    jobs_made = world.rows("SELECT queue_name, priority, args FROM jobs.procrastinate_jobs ORDER BY priority")
    assert jobs_made == [
        (jobs.QUEUE, 0, {"channel_id": channel, "urgent": False}),
        (jobs.URGENT_QUEUE, jobs.URGENT, {"channel_id": channel, "urgent": True}),
    ]


@pytest.mark.slow
def test_the_worker_sends_after_the_commit_only_and_tries_again(world: World, pool: ConnectionPool) -> None:
    add_channel(world, org="lift-co")
    memory = MemoryChannel()
    memory.failures = [ChannelUnavailable("busy")]
    delivery = Delivery(pool, How(lambda url: memory))
    worker = NotifyWorker(world.database.url("watchkeep_dispatch"), pool, delivery, PULSE, 2)
    worker.start()
    try:
        with world.connect() as lost:
            announce_test(lost, "lift-co", NOW)
            lost.rollback()
        with world.connect() as open_one:
            announce(open_one, "test", ["lift-co"], {"at": "later"}, key="k1", now=NOW, urgent=True)
            with world.connect() as other:
                announce(other, "test", ["lift-co"], {"at": "now"}, key="k2", now=NOW, urgent=True)
            eventually(lambda: [text.body for text in memory.sent] == ["这是一条测试通知，发送于 now。"])
            open_one.commit()
        eventually(lambda: len(memory.sent) == 2)
        eventually(lambda: outcomes(world) == [("sent", 1, ""), ("sent", 2, "")])
        assert worker.healthy()
        # A job is settled after the hand-over that it ran; none is left.
        eventually(lambda: world.value("SELECT count(*) FROM jobs.procrastinate_jobs") == 0)
    finally:
        worker.stop()
    assert not worker.healthy()


@pytest.mark.slow
def test_the_console_may_queue_jobs_but_not_read_or_change_them(world: World) -> None:
    add_channel(world, org="lift-co")
    with world.connect("watchkeep_console") as conn:
        conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [world.people["li"]])
        assert announce_test(conn, "lift-co", NOW) is not None
    assert world.value("SELECT count(*) FROM jobs.procrastinate_jobs") == 1
    statements = (
        "SELECT url FROM notification_channels",
        "SELECT args FROM jobs.procrastinate_jobs",
        "UPDATE jobs.procrastinate_jobs SET priority = 1",
        "DELETE FROM jobs.procrastinate_jobs",
        "SELECT jobs.procrastinate_fetch_job_v2(NULL, 1)",
    )
    for statement in statements:
        with world.connect("watchkeep_console") as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)


def test_installing_jobs_twice_changes_nothing_and_without_them_it_says_so(own_world: World) -> None:
    assert jobs.install_jobs(own_world.database.admin_url) == jobs.install_jobs(own_world.database.admin_url)
    with own_world.admin() as conn:
        conn.execute("DROP SCHEMA jobs CASCADE")
    add_channel(own_world, org="lift-co")
    with pytest.raises(JobsMissing, match="db migrate"), own_world.connect() as conn:
        announce_test(conn, "lift-co", NOW)
    jobs.install_jobs(own_world.database.admin_url)
    with own_world.connect() as conn:
        assert announce_test(conn, "lift-co", NOW)


def test_an_older_queue_is_upgraded_by_its_own_migrations(own_world: World) -> None:
    with own_world.admin() as conn:  # back to what 3.3 was, by taking away what 3.4 brought
        conn.execute("COMMENT ON SCHEMA jobs IS 'job queue: procrastinate 3.3.0'")
        conn.execute("ALTER TYPE jobs.procrastinate_job_event_type RENAME VALUE 'retried' TO 'unknown'")
        conn.execute("DROP FUNCTION jobs.procrastinate_retry_job_v2")
    jobs.install_jobs(own_world.database.admin_url)
    assert own_world.value("SELECT count(*) FROM pg_proc WHERE proname = 'procrastinate_retry_job_v2'") == 1
    add_channel(own_world, org="lift-co")
    with own_world.connect() as conn:
        assert announce_test(conn, "lift-co", NOW)
    assert jobs._scripts_after("99.0.0") == []
    with pytest.raises(JobsMissing, match="cannot tell"):
        jobs._scripts_after("a while ago")


@pytest.mark.slow
def test_a_lost_database_ends_a_run_and_the_next_one_begins(world: World, pool: ConnectionPool) -> None:
    add_channel(world, org="lift-co")
    memory = MemoryChannel()
    lost = [psycopg.OperationalError("gone"), psycopg.errors.DeadlockDetected("a deadlock")]

    class Unlucky(Pulse):
        def beat(self, conn: psycopg.Connection, now: datetime) -> None:
            if lost:
                raise lost.pop()
            super().beat(conn, now)

    worker = NotifyWorker(
        world.database.url("watchkeep_dispatch"),
        pool,
        Delivery(pool, How(lambda url: memory)),
        Unlucky(None, lambda at: at),
        2,
    )
    worker.start()
    try:
        eventually(lambda: not lost)
        eventually(worker.healthy)
        with world.connect() as conn:
            announce_test(conn, "lift-co", NOW)
        eventually(lambda: len(memory.sent) == 1)
    finally:
        worker.stop()
