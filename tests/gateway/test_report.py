"""Report by exception: what is held back, what never is, and that nothing is stamped anew."""

from concurrent.futures import Future

from hypothesis import given
from hypothesis import strategies as st

from watchkeep_gateway.report import ReportByException, Rule
from watchkeep_gateway.values import Delivery, DeviceEvent, Reading, Readings


class Taken:
    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []

    def __call__(self, delivery: Delivery) -> "Future[None]":
        self.deliveries.append(delivery)
        future: Future[None] = Future()
        future.set_result(None)
        return future

    @property
    def readings(self) -> list[Reading]:
        return [reading for delivery in self.deliveries for reading in delivery.readings]


def reading(t_s: float, value: float, quality: int = 0, metric: str = "m") -> Reading:
    return Reading("e", metric, int(t_s * 1000), value, quality)


def sent(rule: Rule, *given: Reading) -> list[tuple[float, float]]:
    taken = Taken()
    stage = ReportByException({("e", "m"): rule}, taken)
    for one in given:
        assert stage.emit(Delivery(Readings.of([one]))).done()
    assert all(one in given for one in taken.readings)  # never a reading that nobody made
    return [(one.t_ms / 1000, one.value) for one in taken.readings]


def test_deadband_is_counted_from_what_was_sent_last_so_that_a_drift_shows() -> None:
    drift = [reading(second, 10 + second * 0.4) for second in range(6)]
    assert sent(Rule(1000, deadband=1), *drift) == [(0, 10), (3, 11.2)]


def test_percent_is_of_what_was_sent_last() -> None:
    steps = [reading(0, 200), reading(1, 203.9), reading(2, 204.1), reading(3, 200.1), reading(4, 200.0)]
    assert sent(Rule(1000, deadband_percent=2), *steps) == [(0, 200), (2, 204.1), (4, 200.0)]


def test_without_a_deadband_every_change_goes_and_the_heartbeat_lets_a_fresh_reading_through() -> None:
    steps = [reading(0, 1), reading(5, 1), reading(9.9, 1), reading(12, 1), reading(13, 0), reading(14, 0)]
    assert sent(Rule(10), *steps) == [(0, 1), (12, 1), (13, 0)]


def test_quality_and_what_is_no_number_go_at_once() -> None:
    assert sent(Rule(100, 5), reading(0, 1), reading(1, 1, 2), reading(2, 1, 2), reading(3, 1)) == [
        (0, 1),
        (1, 1),
        (3, 1),
    ]
    assert len(sent(Rule(100, 5), reading(0, 1), reading(1, float("inf")), reading(2, 1))) == 3


def test_a_clock_that_jumps_holds_nothing_back() -> None:
    late = [reading(1000, 1), reading(1, 1), reading(2, 1), reading(1001, 1), reading(1011, 1)]
    assert sent(Rule(10), *late) == [(1000, 1), (1, 1), (2, 1), (1011, 1)]


def test_other_points_events_and_digests_pass() -> None:
    taken, held = Taken(), list[int]()
    stage = ReportByException({("e", "m"): Rule(100)}, taken, held.append)
    other = reading(0, 1, metric="n")
    event = DeviceEvent(1, "e", "ucm", True)
    stage.emit(Delivery(Readings.of([reading(0, 1), other])))
    stage.emit(Delivery(Readings.of([reading(1, 1), other])))
    stage.emit(Delivery(Readings.of([reading(2, 1)]), (event,)))
    stage.emit(Delivery(Readings.of([reading(3, 1)]), digest=b"x"))
    stage.emit(Delivery(Readings.of([reading(4, 1)])))
    assert [(list(one.readings), one.events, one.digest) for one in taken.deliveries] == [
        ([reading(0, 1), other], (), b""),
        ([other], (), b""),
        ([], (event,), b""),
        ([], (), b"x"),
    ]
    assert held == [1, 1, 1, 1]


@given(st.lists(st.tuples(st.integers(1, 30), st.floats(-100, 100)), max_size=40), st.floats(0, 20), st.integers(1, 60))
def test_what_was_sent_is_never_further_off_than_the_deadband_nor_older_than_the_heartbeat(
    steps: list[tuple[int, float]], deadband: float, heartbeat_s: int
) -> None:
    taken = Taken()
    stage = ReportByException({("e", "m"): Rule(heartbeat_s, deadband)}, taken)
    now_s = 0
    for wait_s, value in steps:
        now_s += wait_s
        stage.emit(Delivery(Readings.of([reading(now_s, value)])))
        last = taken.readings[-1]
        assert abs(last.value - value) <= deadband
        assert now_s - last.t_ms / 1000 < heartbeat_s
