"""The way out over MQTT: bounded, counted at the acknowledgement."""

import threading
import time
from concurrent.futures import Future

import pytest

from watchkeep_core.broker import PublishRefused
from watchkeep_core.service import Stop
from watchkeep_firmware_sim.publisher import FieldPublisher


class Line:
    """A broker that acknowledges when it is told to."""

    def __init__(self):
        self.waiting: list[Future[None]] = []

    def publish(self, topic: str, payload: bytes) -> "Future[None]":
        self.waiting.append(Future())
        return self.waiting[-1]


def test_only_what_is_acknowledged_counts():
    line = Line()
    publisher = FieldPublisher(line.publish, Stop(), 10)
    for _ in range(3):
        publisher.send("field/c/g/e", {"t": 1}, readings=4)
    publisher.send("field/c/g/e", {"t": 1}, events=1)
    assert publisher.readings_sent == 0
    line.waiting[0].set_result(None)
    line.waiting[1].set_exception(PublishRefused("field/c/g/e", "no"))
    line.waiting[3].set_result(None)
    assert (publisher.readings_sent, publisher.readings_not_sent, publisher.events_sent) == (4, 4, 1)
    assert not publisher.drain(0)
    line.waiting[2].set_result(None)
    assert publisher.drain(0)


def test_a_full_window_waits_for_an_acknowledgement():
    line = Line()
    publisher = FieldPublisher(line.publish, Stop(), 2)
    publisher.send("a", {})
    publisher.send("b", {})
    third = threading.Thread(target=publisher.send, args=("c", {}))
    third.start()
    assert len(line.waiting) == 2
    line.waiting[0].set_result(None)
    third.join(60)
    assert len(line.waiting) == 3


@pytest.mark.parametrize("reason", ["stop", "deadline"])
def test_a_silent_broker_does_not_hold_back_the_end(reason):
    stop, deadline = Stop(), time.monotonic() - 1 if reason == "deadline" else float("inf")
    publisher = FieldPublisher(Line().publish, stop, 1, deadline)
    assert publisher.send("a", {}, readings=1)
    if reason == "stop":
        stop.set()
    assert not publisher.send("b", {}, readings=2)
    assert publisher.readings_not_sent == 2
