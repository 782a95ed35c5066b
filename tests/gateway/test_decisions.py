"""Pure decisions: the window of a lane, its pace, what is evicted, and when a loss is told."""

from watchkeep_gateway.bounds import QUIET_S, REPORT_EVERY_S, Loss, LossReport, due, note, to_evict
from watchkeep_gateway.config import SpoolTable
from watchkeep_gateway.window import RESEND_MAX_S, WINDOW, LaneWindow, Pace


def window(floor: int = 0) -> LaneWindow:
    made = LaneWindow(60.0)
    made.restart(floor, 0.0)
    return made


def send(lane: LaneWindow, count: int, now_s: float = 0.0) -> None:
    for _ in range(count):
        lane.sent(lane.cursor, now_s)


def test_window_is_bounded_by_acks_not_by_what_was_sent() -> None:
    lane = window(5)
    assert lane.room() == WINDOW
    send(lane, WINDOW)
    assert lane.room() == 0
    lane.take_ack(14, 1.0)
    assert lane.room() == 10


def test_floor_moves_the_window_past_what_is_gone() -> None:
    lane = window()
    send(lane, 3)
    lane.take_floor(50)
    assert (lane.acked, lane.cursor, lane.room()) == (49, 50, WINDOW)
    lane.take_floor(10)
    assert lane.cursor == 50


def test_without_progress_it_begins_anew_ever_more_rarely() -> None:
    lane = window()
    send(lane, 4)
    lane.take_ack(1, 10.0)
    assert not lane.rewind_if_stalled(69.9)
    assert lane.rewind_if_stalled(70.0)
    assert lane.cursor == 2
    send(lane, 2, 70.0)
    assert not lane.rewind_if_stalled(129.0)
    assert lane.rewind_if_stalled(190.0)
    now = 190.0
    for _ in range(10):
        send(lane, 1, now)
        now += RESEND_MAX_S
        assert lane.rewind_if_stalled(now)
    send(lane, 1, now)
    lane.take_ack(2, now)
    send(lane, 1, now)
    assert lane.rewind_if_stalled(now + 60)


def test_an_idle_lane_is_not_stalled() -> None:
    lane = window()
    assert not lane.rewind_if_stalled(1e6)
    lane.sent(0, 1e6)
    assert not lane.rewind_if_stalled(1e6 + 59)
    assert lane.rewind_if_stalled(1e6 + 60)


def test_an_older_ack_changes_nothing() -> None:
    lane = window()
    send(lane, 5)
    lane.take_ack(3, 1.0)
    lane.take_ack(1, 2.0)
    assert (lane.acked, lane.cursor) == (3, 5)


def test_pace() -> None:
    pace = Pace(10.0)
    assert pace.allowance(0.0) == 10
    pace.spend(10)
    assert pace.allowance(0.05) == 0
    assert pace.allowance(0.5) == 5
    assert pace.allowance(100.0) == 10
    slow = Pace(0.1)
    assert slow.allowance(0.0) == 1
    slow.spend(1)
    assert slow.allowance(5.0) == 0
    assert slow.allowance(10.0) == 1


ROWS = [(seq, 1000 * seq, 10, 900) for seq in range(10)]
BOUNDS = SpoolTable(max_bytes=1_000_000, min_free_bytes=0)


def test_nothing_goes_within_the_bounds() -> None:
    assert to_evict(ROWS, 10_000, 10**9, 10_000, BOUNDS) is None


def test_as_much_goes_as_is_over_the_size() -> None:
    assert to_evict(ROWS, 1_002_500, 10**9, 10_000, BOUNDS) == Loss(0, 2, 3, 30, 3000)


def test_as_much_goes_as_free_disk_lacks() -> None:
    table = SpoolTable(max_bytes=10**9, min_free_bytes=5_000)
    assert to_evict(ROWS, 10_000, 4_500, 10_000, table) == Loss(0, 0, 1, 10, 1000)


def test_what_is_too_old_goes() -> None:
    table = SpoolTable(max_age_days=1, min_free_bytes=0)
    assert to_evict(ROWS, 10_000, 10**9, 86_400_000 + 3000, table) == Loss(0, 2, 3, 30, 3000)


def test_a_steady_loss_is_told_once_a_minute_and_cleared_when_it_is_over() -> None:
    report = note(LossReport(), Loss(0, 4, 5, 50, 1), 100.0)
    report, event = due(report, 100.0, 1, "g1", "e")
    assert event
    assert event.attributes == {"epoch": "e", "first_seq": 0, "last_seq": 4, "messages": 5, "readings": 50}
    report = note(report, Loss(5, 5, 1, 10, 1), 101.0)
    report = note(report, Loss(6, 8, 3, 30, 1), 102.0)
    report, event = due(report, 102.0, 2, "g1", "e")
    assert event is None
    report, event = due(report, 100.0 + REPORT_EVERY_S, 3, "g1", "e")
    assert event
    assert (event.attributes["first_seq"], event.attributes["last_seq"], event.active) == (5, 8, True)
    report, event = due(report, 101.0 + QUIET_S, 4, "g1", "e")
    assert event is None
    report, event = due(report, 102.0 + QUIET_S, 5, "g1", "e")
    assert event
    assert (event.condition, event.active) == ("telemetry_lost", False)
    assert due(report, 1e6, 6, "g1", "e") == (LossReport(), None)
