"""When notifications go out: quiet hours, digests, attempts, limits. Pure."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeep_dispatch.notify.pace import Outages, room
from watchkeep_dispatch.notify.timing import (
    ATTEMPTS,
    Facts,
    Timing,
    again_after,
    fallback_after,
    held_until,
    hours,
    reminder_number,
    share,
    span,
)

NIGHT = datetime(2026, 11, 23, 15, 30, tzinfo=UTC)
"""23:30 in China."""
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
TIMING = Timing(quiet=span("22:00-07:00"), digest_at=hours("17:30, 08:30"))


def facts(kind: str = "order_dispatched", **more) -> Facts:
    found: dict[str, Any] = {"kind": kind, "urgent": False, "case_class": "B", "personal": True, "digest": False}
    return Facts(**found | more)


@pytest.mark.parametrize(
    ("what", "now", "until"),
    [
        (facts(), NIGHT, datetime(2026, 11, 23, 23, 0, tzinfo=UTC)),  # 07:00 in China
        (facts(), NIGHT + timedelta(hours=6), datetime(2026, 11, 23, 23, 0, tzinfo=UTC)),
        (facts(), NOON, None),
        (facts(case_class="A"), NIGHT, None),
        (facts(case_class="C", urgent=True), NIGHT, None),
        (facts("test", case_class=""), NIGHT, None),
        (facts("closed"), NOON, datetime(2026, 11, 23, 9, 30, tzinfo=UTC)),  # 17:30 in China
        (facts("closed", personal=False), NOON, None),
        (facts("closed", digest=True), NOON, None),
        (facts("closed", urgent=True), NOON, None),
    ],
)
def test_only_what_can_wait_waits(what: Facts, now: datetime, until: datetime | None) -> None:
    assert held_until(what, now, TIMING, TIMING.quiet) == until


def test_no_quiet_hours_hold_nothing() -> None:
    assert held_until(facts(), NIGHT, TIMING, None) is None
    assert span("") is None
    assert span("12:00-14:00") == (time(12), time(14))
    assert held_until(facts(), NOON + timedelta(hours=1), TIMING, span("12:00-14:00")) == NOON + timedelta(hours=2)
    for wrong in ("22:00", "22:00-22:00", "x-y"):
        with pytest.raises(ValueError, match=r"span|isoformat"):
            span(wrong)


def test_attempts_take_six_minutes_and_life_safety_half_a_minute() -> None:
    waits = [again_after(number, urgent=False).total_seconds() for number in range(1, ATTEMPTS)]
    assert waits == [3, 9, 27, 81, 243]
    assert sum(again_after(number, urgent=True).total_seconds() for number in range(1, ATTEMPTS)) == 31


def test_only_people_fall_back_and_only_for_what_they_must_do() -> None:
    first, second, third = TIMING.fallback
    assert fallback_after(facts(urgent=True), TIMING) == first
    assert fallback_after(facts(case_class="A"), TIMING) == second
    assert fallback_after(facts(), TIMING) == third
    assert fallback_after(facts("closed"), TIMING) is None
    assert fallback_after(facts(personal=False), TIMING) is None


def test_reminders_are_numbered_by_the_clock() -> None:
    every = timedelta(minutes=5)
    numbers = [reminder_number(NOON, NOON + timedelta(minutes=m), every) for m in (-1, 0, 4, 5, 9, 10, 61)]
    assert numbers == [0, 0, 0, 1, 1, 2, 12]


@given(
    st.lists(st.builds(facts, urgent=st.booleans(), digest=st.booleans()), max_size=40),
    st.none() | st.integers(min_value=0, max_value=40),
)
def test_every_waiting_one_has_one_place_and_the_limit_holds(waiting: list[Facts], allowance: int | None) -> None:
    found = share(waiting, allowance)
    assert sorted(found.singles + found.together + found.later) == list(range(len(waiting)))
    urgent = {place for place, one in enumerate(waiting) if one.urgent}
    assert urgent <= set(found.singles)
    if allowance is not None:
        assert len(found.singles) - len(urgent) + bool(found.together) <= allowance
    if allowance != 0:
        assert not found.later  # whatever may go, goes


def test_a_limit_counts_the_last_minute() -> None:
    hits = [NOON - timedelta(seconds=ago) for ago in (70, 60, 50, 10)]
    assert room(hits, NOON, 3, 5) == (hits[2:], 1, 10.0)
    assert room(hits, NOON, 2, 5)[1] == 0
    assert room([], NOON, 3, 2) == ([], 2, 0.0)


def test_a_channel_that_is_down_is_left_alone_longer_and_longer() -> None:
    now = 0.0
    outages = Outages(lambda: now)
    waits = []
    for _ in range(6):
        outages.failed(1)
        waits.append(outages.left_s(1))
    assert waits == [3, 9, 27, 81, 81, 81]
    assert outages.left_s(2) == 0
    now = 100.0
    assert outages.left_s(1) == 0
    outages.over(1)
    outages.failed(1)
    assert outages.left_s(1) == 3
    with outages.trial(1) as first, outages.trial(1) as second, outages.trial(2) as other:
        assert (first, second, other) == (True, False, True)
    with outages.trial(1) as again:
        assert again
