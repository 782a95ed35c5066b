"""What the clock does about notifications, their receipts, and the commands about them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg_pool import ConnectionPool
from typer.testing import CliRunner, Result

from tests.dispatch.conftest import NOW, World
from tests.dispatch.notifying import PULSE, add_channel, outcomes, tell
from watchkeep_dispatch.commands import app
from watchkeep_dispatch.errors import ChannelRefused
from watchkeep_dispatch.notify.channels import MemoryChannel
from watchkeep_dispatch.notify.delivery import Delivery, How
from watchkeep_dispatch.notify.receipts import note_seen
from watchkeep_dispatch.work_order import Request, accept

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise imports it

FOUND = "SELECT h.name FROM notifications n JOIN notification_channels h USING (channel_id) ORDER BY n.notification_id"


@pytest.fixture
def memory() -> MemoryChannel:
    return MemoryChannel()


@pytest.fixture
def delivery(world: World, memory: MemoryChannel) -> Iterator[Delivery]:
    with ConnectionPool(world.database.url("watchkeep_dispatch"), min_size=1, max_size=4) as pool:
        yield Delivery(pool, How(lambda url: memory))


@pytest.fixture
def sent_to_li(world: World, delivery: Delivery) -> tuple[int, int, datetime]:
    """An order that li was told of by the first of two channels; case, channel, and when it is late."""
    first = add_channel(world, person="li", name="first", rank=1)
    add_channel(world, person="li", name="second", rank=2)
    case_id = world.filed("lift-1", "door_close_fail")
    delivery.serve(first, False)
    return case_id, first, world.value("SELECT fallback_at FROM notifications WHERE fallback_at IS NOT NULL")


def names(world: World) -> list[str]:
    return [name for (name,) in world.rows(FOUND)]


def beat(world: World, now: datetime) -> None:
    with world.connect() as conn:
        PULSE.beat(conn, now)


def test_what_is_not_read_in_time_goes_to_the_next_channel_once(
    world: World, sent_to_li: tuple[int, int, datetime]
) -> None:
    _, _, late = sent_to_li
    beat(world, late - timedelta(seconds=1))
    assert names(world) == ["first"]
    for _ in range(2):
        beat(world, late)
    assert names(world) == ["first", "second"]
    jobs = "SELECT count(*) FROM jobs.procrastinate_jobs WHERE args ->> 'channel_id' = (SELECT channel_id::text FROM"
    assert world.value(f"{jobs} notification_channels WHERE name = 'second')") == 1


def test_who_has_read_or_acted_is_left_alone(world: World, sent_to_li: tuple[int, int, datetime]) -> None:
    case_id, _, late = sent_to_li
    with world.connect() as conn:
        assert note_seen(conn, case_id, world.people["li"], NOW) == 1
    beat(world, late)
    assert names(world) == ["first"]
    with world.connect() as conn:
        accept(conn, case_id, Request(person_id=world.people["li"], now=NOW))
    assert world.rows("SELECT read_at, acted_at FROM notifications WHERE channel_id IS NOT NULL") == [(NOW, NOW)]


def test_when_somebody_else_has_responded_nobody_is_called(world: World, sent_to_li: tuple[int, int, datetime]) -> None:
    case_id, _, late = sent_to_li
    with world.connect() as conn:
        accept(conn, case_id, Request(person_id=world.people["wang"], now=NOW))
    beat(world, late)
    assert names(world) == ["first"]


def test_a_dead_channel_is_followed_by_the_next_at_once(
    world: World, delivery: Delivery, memory: MemoryChannel
) -> None:
    first = add_channel(world, person="li", name="first", rank=1)
    add_channel(world, person="li", name="second", rank=2)
    memory.failures = [ChannelRefused("gone")]
    tell(world, people=[world.people["li"]])
    delivery.serve(first, False)
    beat(world, datetime.now(UTC))
    assert names(world) == ["first", "second"]


def test_what_still_waits_though_it_is_due_is_woken_and_a_removed_channel_is_dead(world: World) -> None:
    kept, gone = add_channel(world, org="lift-co"), add_channel(world, org="lift-co", name="gone")
    tell(world)
    with world.admin() as conn:
        conn.execute("SET LOCAL session_replication_role = replica")
        conn.execute("DELETE FROM jobs.procrastinate_jobs")  # the job of a worker that died
    with world.admin() as conn:
        conn.execute("DELETE FROM notification_channels WHERE channel_id = %s", [gone])
    soon = datetime.now(UTC) + timedelta(seconds=61)
    for _ in range(2):
        beat(world, soon)
    assert world.rows("SELECT args FROM jobs.procrastinate_jobs") == [({"channel_id": kept, "urgent": False},)]
    assert ("failed", 0, "the channel was removed") in outcomes(world)


def test_class_a_is_reminded_until_somebody_responds_each_number_once(world: World) -> None:
    case_id = world.filed("lift-1", "entrapment")
    world.filed("lift-2", "door_close_fail")
    for minutes in (4, 5, 5, 9, 10, 31):
        beat(world, NOW + timedelta(minutes=minutes))
    titles = "SELECT title FROM notifications WHERE kind = 'reminder' ORDER BY notification_id"
    assert [title.partition("：")[0] for (title,) in world.rows(titles)] == [
        f"请尽快响应（第 {number} 次提醒）" for number in (1, 2, 6)
    ]
    assert world.value("SELECT bool_and(urgent) FROM notifications WHERE kind = 'reminder'")
    with world.connect() as conn:
        accept(conn, case_id, Request(person_id=world.people["li"], now=NOW))
    beat(world, NOW + timedelta(minutes=40))
    assert len(world.rows(titles)) == 3


class Cli:
    def __init__(self, world: World) -> None:
        self._url = world.database.url("watchkeep_dispatch")

    def run(self, *words: str, text: str | None = None) -> Result:
        return CliRunner().invoke(app, [*words, "--database-url", self._url], input=text)

    def json(self, *words: str, text: str | None = None) -> Any:
        result = self.run(*words, text=text)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)


@pytest.fixture
def cli(world: World) -> Cli:
    return Cli(world)


def test_dead_notifications_are_listed_and_tried_again(
    world: World, cli: Cli, delivery: Delivery, memory: MemoryChannel
) -> None:
    channel = add_channel(world, org="lift-co")
    memory.failures = [ChannelRefused("no use")]
    tell(world)
    delivery.serve(channel, False)
    (dead,) = cli.json("notifications", "dead")
    assert (dead["error"], dead["channel_name"], dead["org_id"]) == ("no use", "main", "lift-co")
    number = dead["notification_id"]
    assert cli.json("notifications", "retry", str(number)) == {"queued": [number]}
    beat(world, datetime.now(UTC))
    delivery.serve(channel, False)
    assert (cli.json("notifications", "dead"), len(memory.sent)) == ([], 1)
    assert "not dead" in str(cli.run("notifications", "retry", str(number)).exception)
    assert "--all" in str(cli.run("notifications", "retry").exception)
    assert cli.json("notifications", "retry", "--all") == {"queued": []}
    cli.json("notifications", "receipt", str(number), "read")
    (row,) = [row for row in cli.json("notifications", "list") if row["notification_id"] == number]
    assert (row["status"], row["acted_at"]) == ("sent", None)
    assert row["delivered_at"] == row["read_at"] is not None
    assert "not sent" in str(cli.run("notifications", "receipt", "999999", "read").exception)


def test_channels_are_added_from_a_file_or_stdin_and_their_secrets_never_shown(
    world: World, cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    file.write_text("json://hook.example/secret\n", encoding="utf-8")
    cli.json("channels", "add", "系统", "--kind", "webhook", "--organisation", "lift-co", "--url-file", str(file))
    cli.json(
        "channels",
        "add",
        "群",
        "--kind",
        "wecom",
        "--organisation",
        "lift-co",
        "--url-file",
        "-",
        text="wecombot://secret",
    )
    made = cli.json("channels", "add", "手机", "--kind", "sms", "--person", "li", "--quiet-hours", "", "--rank", "2")
    listed = cli.run("channels", "list").stdout
    assert "secret" not in listed
    assert {(row["name"], row["own_url"]) for row in json.loads(listed)} == {
        ("系统", True),
        ("群", True),
        ("手机", False),
    }
    assert cli.json("channels", "list", "--person", "li")[0]["quiet_hours"] == ""
    assert cli.json("channels", "test", "--organisation", "lift-co")["notification_id"]
    assert len(outcomes(world)) == 2
    assert cli.json("channels", "remove", str(made["channel_id"])) == {"removed": made["channel_id"]}
    asked = "SELECT action, detail::text FROM audit_entries WHERE object_kind = 'notification_channel'"
    asked += " ORDER BY audit_id"
    trail = world.rows(asked)
    assert [action for action, _ in trail] == ["channel.add"] * 3 + ["channel.remove"]
    assert "secret" not in str(trail)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--kind", "sms"], "--organisation or --person"),
        (["--kind", "sms", "--organisation", "lift-co"], "--url-file: must be given"),
        (["--kind", "webhook", "--person", "li"], "--url-file: must be given"),
        (["--kind", "sms", "--person", "nobody"], "--person: there is no 'nobody'"),
        (["--kind", "sms", "--person", "li", "--quiet-hours", "night"], "--quiet-hours"),
        (["--kind", "sms", "--person", "li", "--url-file", "-"], "--url-file: no notification service"),
    ],
)
def test_a_wrong_channel_is_refused_by_its_field(cli: Cli, words: list[str], why: str) -> None:
    result = cli.run("channels", "add", "name", *words, text="carrierpigeon://secret")
    assert result.exit_code != 0
    assert why in str(result.exception)
    assert "secret" not in str(result.exception)
