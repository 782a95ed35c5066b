"""Sensor to committed: how old a reading is when its `rows` message arrives, which is sent after the commit."""

import threading
import time

import numpy as np

from watchkeep_core import rows, topics
from watchkeep_core.broker import Received
from watchkeep_core.messages import Data, Event, encode
from watchkeep_core.mqtt import connect as connect_broker
from watchkeep_ingest.bench import lab
from watchkeep_ingest.bench.lab import Target
from watchkeep_ingest.bench.load import loading, publish_packet

RATE = 50_000
"""Readings per second, 100 in each message."""

EVENTS_PER_S = 10
WARM_UP_S = 2.0


class _Listener:
    """What analytics hears; ages in seconds, by the stamps in it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.readings: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
        self.events: list[float] = []

    def hear(self, received: Received) -> None:
        now_us = received.received_at_ns / 1000
        found = rows.decode(received.payload)
        with self.lock:
            if isinstance(found, rows.Columns):
                self.readings.append((now_us - np.frombuffer(found.time_us, "<i8")) / 1e6)
            else:
                self.events += [(now_us - event.t_us) / 1e6 for event in found.events]


def measure(target: Target, seconds: float = 20.0) -> dict[str, float]:
    """p99 in milliseconds of readings and of events that come in between."""
    epoch = lab.new_epoch("latency")
    listener = _Listener()
    user = f"analytics-{lab.PARTITION}"
    with (
        lab.worker(target),
        connect_broker(
            target.mqtt, client_id=user, user=user, password=target.password, on_message=listener.hear
        ) as heard,
    ):
        heard.subscribe([topics.rows(lab.PARTITION)])
        lab.be_born(target, epoch)
        with lab.process(_send, target, epoch, WARM_UP_S + seconds) as sender:
            time.sleep(WARM_UP_S)
            with listener.lock:
                listener.readings.clear()
                listener.events.clear()
            sender.join()
        with listener.lock:
            ages = np.concatenate(listener.readings)
            events = np.array(listener.events)
    return {
        "reading_p50_ms": float(np.percentile(ages, 50)) * 1000,
        "reading_p99_ms": float(np.percentile(ages, 99)) * 1000,
        "event_p50_ms": float(np.percentile(events, 50)) * 1000,
        "event_p99_ms": float(np.percentile(events, 99)) * 1000,
        "readings_per_s": len(ages) / seconds,
    }


def _send(target: Target, epoch: str, seconds: float) -> None:
    """All gateways in turn; each message is stamped and sent every 1/500 s, an event every 1/10 s."""
    per_s, every = RATE // 100, RATE // 100 // EVENTS_PER_S
    with loading(target.mqtt, lab.USER, target.password) as load:
        begin = time.perf_counter()
        for number in range(int(seconds * per_s)):
            ahead = begin + number / per_s - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
            seq, which = divmod(number, len(lab.GATEWAYS))
            load.send([_reading(which, epoch, seq, number)])
            if number % every == 0:
                load.send([_event(epoch, number // every)])


def _reading(which: int, epoch: str, seq: int, number: int) -> bytes:
    data = Data(
        floor=0,
        t0=time.time_ns() // 1_000_000,
        alias=[n % lab.POINTS for n in range(100)],
        dt_ms=[0] * 100,
        value=[round(20 + n / 31, 3) for n in range(100)],
    )
    return publish_packet(topics.message(lab.GATEWAYS[which], "data", epoch, seq), encode(data), number % 65_000 + 1)


def _event(epoch: str, seq: int) -> bytes:
    event = Event(floor=0, t=time.time_ns() // 1_000_000, equipment="bench", condition="entrapment", active=True)
    return publish_packet(topics.message(lab.GATEWAYS[0], "event", epoch, seq), encode(event), 65_001 + seq % 500)
