"""What waits for a channel is handed over: to whom, together or alone, again after a failure, dead in the end."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg_pool import ConnectionPool

from tests.dispatch.conftest import NOW, World
from tests.dispatch.notifying import add_channel, outcomes, tell, waiting_until
from watchkeep_dispatch.errors import ChannelRefused, ChannelUnavailable
from watchkeep_dispatch.notify import timing
from watchkeep_dispatch.notify.channels import MemoryChannel, Services, Target, address
from watchkeep_dispatch.notify.delivery import Delivery, How
from watchkeep_dispatch.notify.texts import Text
from watchkeep_dispatch.notify.timing import Timing, hours, span

START = datetime.now(UTC)


@pytest.fixture
def pool(world: World) -> Iterator[ConnectionPool]:
    with ConnectionPool(world.database.url("watchkeep_dispatch"), min_size=1, max_size=4) as found:
        yield found


@pytest.fixture
def memory() -> MemoryChannel:
    return MemoryChannel()


@pytest.fixture
def delivery(pool: ConnectionPool, memory: MemoryChannel) -> Delivery:
    return Delivery(pool, How(lambda url: memory))


def ordered(world: World) -> tuple[int, int]:
    """Case and order of a class B fault."""
    case_id = world.filed("lift-1", "door_close_fail")
    with world.admin() as conn:
        conn.execute("DELETE FROM notifications")
    return case_id, world.value("SELECT order_id FROM orders WHERE case_id = %s", case_id)


def told(world: World) -> list[str]:
    """Logins and channel names of those who are told."""
    return [
        f"{login or org}/{name}"
        for login, org, name in world.rows(
            """SELECT p.login, n.org_id, h.name FROM notifications n LEFT JOIN people p USING (person_id)
               JOIN notification_channels h ON h.channel_id = n.channel_id ORDER BY 1, 2, 3"""
        )
    ]


def test_every_channel_of_the_organisation_and_the_first_of_each_person_are_used(world: World) -> None:
    add_channel(world, org="lift-co", name="group")
    add_channel(world, org="lift-co", name="off", enabled=False)
    add_channel(world, org="fire-co", name="others")
    add_channel(world, person="li", name="second", rank=2)
    add_channel(world, person="li", name="first", rank=1)
    add_channel(world, person="wang", name="mail")
    add_channel(world, person="wu", name="not concerned")
    case_id, order_id = ordered(world)
    tell(world, kind="order_dispatched", case_id=case_id, order_id=order_id)
    assert told(world) == ["li/first", "wang/mail", "lift-co/group"]


def test_assignee_before_on_call_before_role_and_for_life_safety_all(world: World) -> None:
    for person in ("li", "wang", "zhao"):
        add_channel(world, person=person, name="sms")
    case_id, order_id = ordered(world)
    about: dict[str, Any] = {"kind": "order_dispatched", "case_id": case_id, "order_id": order_id}
    with world.admin() as conn:
        conn.execute(
            "INSERT INTO rota_shifts (org_id, person_id, during)"
            " VALUES ('lift-co', %s, tstzrange(now() - interval '1 h', now() + interval '1 h'))",
            [world.people["wang"]],
        )
    seen = []
    ways: dict[str, dict[str, Any]] = {
        "call": {},
        "life": {"urgent": True},
        "named": {"people": [world.people["zhao"]]},
    }
    for key, more in ways.items():
        tell(world, key, **about, **more)
        seen.append(told(world))
        with world.admin() as conn:
            conn.execute("DELETE FROM notifications")
    with world.admin() as conn:
        conn.execute("UPDATE orders SET assignee_id = %s", [world.people["li"]])
        conn.execute("DELETE FROM rota_shifts")
    tell(world, "assigned", **about)
    assert [*seen, told(world)] == [["wang/sms"], ["li/sms", "wang/sms"], ["zhao/sms"], ["li/sms"]]


def test_a_message_is_in_the_language_of_its_channel_with_evidence_and_link(
    world: World, pool: ConnectionPool, memory: MemoryChannel
) -> None:
    channel = add_channel(world, org="lift-co", language="en")
    case_id, order_id = ordered(world)
    with world.admin() as conn:
        conn.execute("UPDATE warnings SET sentence_en = 'closed 3 times in vain'")
        conn.execute("UPDATE people SET phone = '13800138000' WHERE login = 'li'")
        conn.execute("UPDATE notification_channels SET kind = 'dingtalk'")
        conn.execute("UPDATE orders SET assignee_id = %s", [world.people["li"]])
    tell(world, kind="order_dispatched", case_id=case_id, order_id=order_id)
    Delivery(pool, How(lambda url: memory, public_url="https://watch.example/")).serve(channel, False)
    (text,) = memory.sent
    assert text.title.startswith("[class x] New order: Lift 1: ")
    lines = text.body.splitlines()
    assert lines[1:] == ["Evidence: closed 3 times in vain", f"https://watch.example/cases/{case_id}"]
    assert memory.mentioned == ["13800138000"]  # the assignee by name in the group
    assert world.value("SELECT body FROM notifications WHERE channel <> 'in_app'") == text.body


def test_a_job_that_runs_twice_sends_once(world: World, delivery: Delivery, memory: MemoryChannel) -> None:
    channel = add_channel(world, org="lift-co")
    tell(world)
    for _ in range(2):
        delivery.serve(channel, False)
    assert (len(memory.sent), outcomes(world)) == (1, [("sent", 1, "")])


def test_an_urgent_job_takes_life_safety_only(world: World, delivery: Delivery, memory: MemoryChannel) -> None:
    channel = add_channel(world, org="lift-co")
    tell(world, "ordinary")
    tell(world, "life", urgent=True)
    delivery.serve(channel, True)
    assert ["life" in text.body for text in memory.sent] == [True]


def test_only_a_transient_error_is_tried_again_and_six_times_at_most(
    world: World, pool: ConnectionPool, memory: MemoryChannel
) -> None:
    channel = add_channel(world, org="lift-co")
    tell(world)
    moments = [START]
    for attempt in range(1, timing.ATTEMPTS + 1):
        memory.failures = [ChannelUnavailable("busy")]
        Delivery(pool, How(lambda url: memory)).serve(channel, False, moments[-1].replace)
        over = attempt == timing.ATTEMPTS
        assert outcomes(world) == [("failed" if over else "queued", attempt, "busy")]
        if not over:
            assert waiting_until(world) == [moments[-1] + timing.again_after(attempt, urgent=False)]
            moments += waiting_until(world)
    tell(world, "refused")
    memory.failures = [ChannelRefused("no use")]
    Delivery(pool, How(lambda url: memory)).serve(channel, False, moments[-1].replace)
    assert outcomes(world)[0] == ("failed", 1, "no use")
    assert memory.sent == []


def test_a_channel_that_is_down_costs_one_attempt_for_all_and_life_safety_still_tries(
    world: World, delivery: Delivery, memory: MemoryChannel
) -> None:
    channel = add_channel(world, org="lift-co")
    for key in ("one", "two"):
        tell(world, key)
    memory.failures = [ChannelUnavailable("down")]
    delivery.serve(channel, False, lambda: START)
    assert outcomes(world) == [("queued", 1, "down")] * 2
    tell(world, "three")
    delivery.serve(channel, False, lambda: START)  # not even tried
    assert len(memory.sent) == 0
    assert min(waiting_until(world)) > START
    tell(world, "life", urgent=True)
    delivery.serve(channel, True, lambda: START)
    assert ["life" in text.body for text in memory.sent] == [True]


def test_a_channel_that_was_switched_off_or_whose_service_is_missing_is_said_so(
    world: World, delivery: Delivery, memory: MemoryChannel
) -> None:
    channel = add_channel(world, org="lift-co")
    tell(world)
    with world.connect() as conn:
        conn.execute("UPDATE notification_channels SET enabled = false")
    delivery.serve(channel, False)
    assert outcomes(world) == [("failed", 1, "the channel is switched off")]
    assert memory.sent == []


def test_more_than_a_robot_takes_becomes_one_message_and_life_safety_goes_alone(
    world: World, delivery: Delivery, memory: MemoryChannel
) -> None:
    channel = add_channel(world, org="lift-co", per_minute=3)
    for number in range(30):
        tell(world, f"no {number}")
    tell(world, "life", urgent=True)
    delivery.serve(channel, False)
    assert [text.title for text in memory.sent] == ["测试通知"] * 2 + ["28 条通知"]
    assert memory.sent[-1].body.splitlines()[-1] == "…… 另有 8 条"
    delivery.serve(channel, True)  # though the minute is used up
    assert "life" in memory.sent[-1].body
    assert {row[0] for row in outcomes(world)} == {"sent"}
    tell(world, "more")
    delivery.serve(channel, False, lambda: START)
    (until,) = waiting_until(world)
    assert timedelta(seconds=55) < until - START <= timedelta(seconds=60)


def test_all_processes_and_all_channels_of_a_robot_share_its_minute(
    world: World, delivery: Delivery, memory: MemoryChannel, pool: ConnectionPool
) -> None:
    """The process of life safety counts what it sends; a quarter is left to it."""
    group = add_channel(world, org="lift-co", kind="wecom", url="wecombot://group", per_minute=8)
    mine = add_channel(world, person="wang", kind="wecom", url="", per_minute=8)
    tell(world, "life", urgent=True)
    delivery.serve(group, True)
    for number in range(4):
        tell(world, f"no {number}")
    delivery.serve(group, False)
    for number in range(4):
        tell(world, f"mine {number}", people=[world.people["wang"]])
    Delivery(pool, How(lambda url: memory)).serve(mine, False)
    assert len(memory.sent) == 6
    assert memory.sent[-1].title == "4 条通知"
    delivery.serve(group, False)
    assert len(memory.sent) == 6


def test_quiet_hours_hold_back_all_but_life_safety_and_become_one_message(
    world: World, pool: ConnectionPool, memory: MemoryChannel
) -> None:
    night = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)  # 23:30 in China
    channel = add_channel(world, person="li")
    case_id, order_id = ordered(world)
    for key in ("one", "two"):
        tell(world, key, kind="order_dispatched", case_id=case_id, order_id=order_id)
    tell(world, "life", kind="order_dispatched", case_id=case_id, order_id=order_id, urgent=True)
    delivery = Delivery(pool, How(lambda url: memory, timing=Timing(quiet=span("22:00-07:00"))))
    delivery.serve(channel, False, lambda: night)
    assert memory.sent == []
    delivery.serve(channel, True, lambda: night)
    assert len(memory.sent) == 1
    morning = night + timedelta(hours=7, minutes=30)
    assert waiting_until(world) == [morning, morning]
    delivery.serve(channel, False, lambda: morning)
    assert [text.title for text in memory.sent[1:]] == ["2 条通知"]


def test_news_wait_for_the_digest(world: World, pool: ConnectionPool, memory: MemoryChannel) -> None:
    channel = add_channel(world, person="zhao")
    case_id, _ = ordered(world)
    tell(world, kind="closed", org="property-co", case_id=case_id)
    delivery = Delivery(pool, How(lambda url: memory, timing=Timing(digest_at=hours("17:30"))))
    delivery.serve(channel, False, lambda: NOW)
    evening = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    assert (memory.sent, waiting_until(world)) == ([], [evening])
    delivery.serve(channel, False, lambda: evening)
    assert [text.title[:4] for text in memory.sent] == ["已结案："]


def test_a_person_is_reached_by_phone_mail_or_the_group_of_the_organisation() -> None:
    services = Services(sms="jsons://sms.example/?:to={to}", mail="mailtos://u:p@mail.example?to={to}")
    person = Target("sms", True, True, None, None, "zh", "+8613800138000", "a@b.example", "")
    assert address(person, services) == "jsons://sms.example/?:to=%2B8613800138000"
    assert address(replace(person, kind="mail"), services) == "mailtos://u:p@mail.example?to=a%40b.example"
    assert address(replace(person, kind="wecom", url="wecombot://key"), services) == "wecombot://key"
    for wrong, why in (
        (replace(person, phone=""), "no phone number"),
        (replace(person, kind="mail", email=""), "no mail address"),
        (replace(person, kind="voice"), "notify_voice_url"),
        (replace(person, kind="dingtalk"), "no dingtalk group"),
        (replace(person, enabled=False), "switched off"),
    ):
        with pytest.raises(ChannelRefused, match=why):
            address(wrong, services)


def test_a_persons_robot_is_the_group_of_the_organisation_with_the_name_in_it(
    world: World, pool: ConnectionPool, memory: MemoryChannel
) -> None:
    add_channel(world, org="lift-co", kind="wecom", url="wecombot://group", enabled=True)
    mine = add_channel(world, person="wang", kind="wecom", url="")
    with world.admin() as conn:
        conn.execute("UPDATE people SET phone = '13900139000' WHERE login = 'wang'")
    opened = []

    def open_it(url: str) -> MemoryChannel:
        opened.append(url)
        return memory

    tell(world, people=[world.people["wang"]])
    Delivery(pool, How(open_it)).serve(mine, False)
    assert (opened, memory.mentioned) == (["wecombot://group"], ["13900139000"])


def test_a_stop_leaves_what_is_left_queued(world: World, delivery: Delivery, memory: MemoryChannel) -> None:
    channel = add_channel(world, org="lift-co")
    for key in ("one", "two"):
        tell(world, key)
    send = memory.send

    def send_and_stop(text: Text, mention: str = "") -> None:
        send(text, mention)
        delivery.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "send", send_and_stop)
        delivery.serve(channel, False)
    assert [row[0] for row in outcomes(world)] == ["queued", "sent"]
    (until,) = waiting_until(world)
    assert until <= datetime.now(UTC)


def test_words_of_another_version_are_told_as_they_were_written(
    world: World, delivery: Delivery, memory: MemoryChannel
) -> None:
    channel = add_channel(world, org="lift-co", language="en")
    tell(world)
    with world.admin() as conn:
        conn.execute("UPDATE notifications SET words = '{}'")
    delivery.serve(channel, False)
    assert [text.title for text in memory.sent] == ["测试通知"]
