"""Notifications: after the commit only, once, retried only when that can help, in both languages."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from tests.dispatch.conftest import NOW, World, eventually
from watchkeep_dispatch.errors import ChannelRefused, ChannelUnavailable, JobsMissing
from watchkeep_dispatch.notify import jobs
from watchkeep_dispatch.notify.channels import AppriseChannel, MemoryChannel
from watchkeep_dispatch.notify.delivery import deliver
from watchkeep_dispatch.notify.outbox import announce, announce_test
from watchkeep_dispatch.notify.texts import Text, TextError, catalogue, render
from watchkeep_dispatch.notify.worker import NotifyWorker


@pytest.fixture
def pool(world: World) -> Iterator[ConnectionPool]:
    with ConnectionPool(world.database.url("watchkeep_dispatch"), min_size=1, max_size=4) as found:
        yield found


def channel_for(world: World, org: str, url: str = "memory://") -> None:
    with world.connect() as conn:
        conn.execute("INSERT INTO notification_channels (org_id, name, url) VALUES (%s, 'main', %s)", [org, url])


def announced(world: World, org: str = "lift-co") -> int:
    with world.connect() as conn:
        number = announce_test(conn, org, NOW)
    assert number is not None
    return number


def row(world: World, channel: str = "in_app") -> tuple[Any, ...]:
    ((*found,),) = world.rows("SELECT status, attempts, error FROM notifications WHERE channel LIKE %s", channel)
    return tuple(found)


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


def test_the_same_key_tells_once(world: World) -> None:
    with world.connect() as conn:
        both = announce(conn, "test", ["lift-co", "lift-co", None, "fire-co"], {"at": "x"}, key="k", now=NOW)
        again = announce(conn, "test", ["lift-co"], {"at": "x"}, key="k", now=NOW)
    assert (len(both), again) == (2, [])
    assert world.value("SELECT count(*) FROM jobs.procrastinate_jobs") == 2


def test_delivery_fans_out_to_the_channels_of_the_organisation(world: World, pool: ConnectionPool) -> None:
    channel_for(world, "lift-co")
    channel_for(world, "fire-co")
    main = announced(world)
    memory = MemoryChannel()
    deliver(pool, lambda url: memory, main, 1)
    assert row(world)[:2] == ("sent", 1)
    assert row(world, "channel/%") == ("queued", 0, "")
    (second,) = world.rows("SELECT notification_id FROM notifications WHERE channel <> 'in_app'")[0]
    deliver(pool, lambda url: memory, second, 1)
    deliver(pool, lambda url: memory, second, 1)  # a repeated job sends nothing twice
    assert [text.title for text in memory.sent] == ["测试通知"]
    assert row(world, "channel/%")[0] == "sent"


def test_only_a_transient_error_is_tried_again(world: World, pool: ConnectionPool) -> None:
    channel_for(world, "lift-co")
    memory = MemoryChannel()
    deliver(pool, lambda url: memory, announced(world), 1)
    (number,) = world.rows("SELECT notification_id FROM notifications WHERE channel <> 'in_app'")[0]
    memory.failures = [ChannelUnavailable("busy"), ChannelUnavailable("busy"), ChannelRefused("gone")]
    with pytest.raises(ChannelUnavailable):
        deliver(pool, lambda url: memory, number, 1)
    assert row(world, "channel/%") == ("queued", 1, "busy")
    with pytest.raises(ChannelUnavailable):
        deliver(pool, lambda url: memory, number, jobs.MAX_ATTEMPTS)
    assert row(world, "channel/%") == ("failed", jobs.MAX_ATTEMPTS, "busy")
    with pytest.raises(ChannelRefused):
        deliver(pool, lambda url: memory, number, 2)
    assert row(world, "channel/%") == ("failed", 2, "gone")


def test_a_channel_that_was_switched_off_is_not_used(world: World, pool: ConnectionPool) -> None:
    channel_for(world, "lift-co")
    memory = MemoryChannel()
    deliver(pool, lambda url: memory, announced(world), 1)
    with world.connect() as conn:
        conn.execute("UPDATE notification_channels SET enabled = false")
    (number,) = world.rows("SELECT notification_id FROM notifications WHERE channel <> 'in_app'")[0]
    with pytest.raises(ChannelRefused):
        deliver(pool, lambda url: memory, number, 1)
    assert memory.sent == []


@pytest.mark.slow
def test_the_worker_sends_after_the_commit_only_and_retries(world: World, pool: ConnectionPool) -> None:
    channel_for(world, "lift-co")
    memory = MemoryChannel()
    memory.failures = [ChannelRefused("no use")]
    worker = NotifyWorker(world.database.url("watchkeep_dispatch"), pool, lambda url: memory, 2)
    worker.start()
    try:
        with world.connect() as lost:
            announce_test(lost, "lift-co", NOW)
            lost.rollback()
        with world.connect() as open_one:
            number = announce_test(open_one, "lift-co", NOW)
            with world.connect() as other:
                done = announce_test(other, "fire-co", NOW)
            eventually(
                lambda: world.value("SELECT status FROM notifications WHERE notification_id = %s", done) == "sent"
            )
            assert memory.sent == []
            open_one.commit()
        eventually(lambda: world.value("SELECT status FROM notifications WHERE notification_id = %s", number) == "sent")
        eventually(lambda: row(world, "channel/%")[0] == "failed")
        assert worker.healthy()
        # The job is settled after the delivery that it ran.
        unfinished = "SELECT array_agg(status::text) FROM jobs.procrastinate_jobs WHERE status <> 'succeeded'"
        eventually(lambda: world.value(unfinished) == ["failed"])
    finally:
        worker.stop()
    assert not worker.healthy()


@pytest.mark.slow
def test_the_console_may_queue_jobs_but_not_read_or_change_them(world: World) -> None:
    with world.connect("watchkeep_console") as conn:
        conn.execute("SELECT set_config('watchkeep.person_id', %s, true)", [world.people["li"]])
        assert announce_test(conn, "lift-co", NOW) is not None
    statements = (
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
    with pytest.raises(JobsMissing, match="db migrate"), own_world.connect() as conn:
        announce_test(conn, "lift-co", NOW)
    jobs.install_jobs(own_world.database.admin_url)
    assert announced(own_world)


def test_an_older_queue_is_upgraded_by_its_own_migrations(own_world: World) -> None:
    with own_world.admin() as conn:  # back to what 3.3 was, by taking away what 3.4 brought
        conn.execute("COMMENT ON SCHEMA jobs IS 'job queue: procrastinate 3.3.0'")
        conn.execute("ALTER TYPE jobs.procrastinate_job_event_type RENAME VALUE 'retried' TO 'unknown'")
        conn.execute("DROP FUNCTION jobs.procrastinate_retry_job_v2")
    jobs.install_jobs(own_world.database.admin_url)
    assert own_world.value("SELECT count(*) FROM pg_proc WHERE proname = 'procrastinate_retry_job_v2'") == 1
    assert announced(own_world)
    assert jobs._scripts_after("99.0.0") == []
    with pytest.raises(JobsMissing, match="cannot tell"):
        jobs._scripts_after("a while ago")


APPRISE = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise imports it


@APPRISE
def test_an_unknown_service_is_refused_without_showing_the_url() -> None:
    with pytest.raises(ChannelRefused) as refused:
        AppriseChannel("carrierpigeon://secret@loft")
    assert "secret" not in str(refused.value)


@APPRISE
def test_apprise_reaches_a_real_webhook() -> None:
    bodies = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if len(bodies) > 1 else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        channel = AppriseChannel(f"json://127.0.0.1:{server.server_port}/")
        channel.send(Text("标题", "正文"))
        assert (bodies[0]["title"], bodies[0]["message"]) == ("标题", "正文")
        with pytest.raises(ChannelUnavailable):
            channel.send(Text("标题", "正文"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
