"""Event time runs fast, but never ahead of the wall."""

import pytest

from watchkeep_firmware_sim.event_clock import CATCH_UP_S, EventClock

WALL = 1_790_000_000.0


def test_at_real_pace_event_time_is_the_wall():
    clock = EventClock.beginning(WALL, 1.0, None)
    assert clock.at(WALL + 5) == WALL + 5
    assert clock.wall_until(WALL + 7, WALL + 5) == 2


def test_a_fast_run_with_an_end_reaches_the_present_exactly_then():
    clock = EventClock.beginning(WALL, 60.0, 10.0)
    assert clock.start == WALL - 590
    assert clock.at(WALL + 5) == clock.start + 300
    assert clock.at(WALL + 10) == WALL + 10
    assert clock.wall_until(clock.start + 300, WALL) == pytest.approx(5)


def test_a_fast_run_without_an_end_goes_on_at_real_pace():
    clock = EventClock.beginning(WALL, 1000.0, None)
    assert clock.start == WALL - CATCH_UP_S
    caught_up = WALL + 1000
    assert clock.at(caught_up) == caught_up
    assert clock.wall_until(caught_up + 3, caught_up) == 3


def test_what_is_overdue_needs_no_waiting():
    assert EventClock.beginning(WALL, 2.0, 10.0).wall_until(WALL - 100, WALL) == 0
