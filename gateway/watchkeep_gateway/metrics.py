"""Prometheus metrics of one gateway process; the names are in the README."""

from collections.abc import Callable, Iterator, Mapping
from time import time

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from watchkeep_core.topics import LANES, Lane
from watchkeep_gateway.lane_sender import SenderCounts
from watchkeep_gateway.spool_state import LaneState
from watchkeep_gateway.transaction import Counts

PREFIX = "watchkeep_gateway"


class Metrics:
    """Counters and the link gauge; a registry of its own, so that several gateways can live in one test."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.readings = self._counter("readings_total", "Readings put on the spool")
        self.events = self._counter("events_total", "Events put on the spool")
        self.rejected = self._counter("rejected_total", "Readings and field messages that were refused", "reason")
        self.unchanged = self._counter("unchanged_total", "Readings not sent, as they had hardly changed")
        self.redelivered = self._counter("redelivered_total", "Field messages that came a second time")
        self.lost_messages = self._counter("lost_messages_total", "Messages deleted without an ack, by a bound")
        self.lost_readings = self._counter("lost_readings_total", "Readings in them")
        self.epochs = self._counter("new_epochs_total", "Times a copied or restored spool began a new epoch")
        self.published = self._counter("published_total", "Messages the broker took (PUBACK)", "lane")
        self.refused = self._counter("publish_refused_total", "Publishes the broker refused", "lane")
        self.resent = self._counter("resent_total", "Times a lane was published again for want of an ack", "lane")
        self.link_up = Gauge(f"{PREFIX}_link_up", "1 = the broker or device answers", ["link"], registry=self.registry)
        for lane in LANES:
            for counter in (self.published, self.refused, self.resent):
                counter.labels(lane)

    def committed(self, counts: Counts) -> None:
        self.readings.inc(counts.readings)
        self.events.inc(counts.events)
        self.redelivered.inc(counts.redelivered)
        for reason, number in counts.rejected.items():
            self.rejected.labels(reason).inc(number)
        if counts.lost:
            self.lost_messages.inc(counts.lost.messages)
            self.lost_readings.inc(counts.lost.readings)
        self.epochs.inc(counts.renewed)

    def sender(self, lane: Lane) -> SenderCounts:
        return SenderCounts(
            self.published.labels(lane).inc, self.refused.labels(lane).inc, self.resent.labels(lane).inc
        )

    def link(self, name: str, up: bool) -> None:
        self.link_up.labels(name).set(up)

    def watch_spool(self, lanes: Callable[[], Mapping[Lane, LaneState]], acked: Callable[[Lane], int]) -> None:
        self.registry.register(_SpoolCollector(lanes, acked))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)


class _SpoolCollector(Collector):
    """Looked up at each scrape, so that the age is that of this moment."""

    def __init__(self, lanes: Callable[[], Mapping[Lane, LaneState]], acked: Callable[[Lane], int]) -> None:
        self._lanes = lanes
        self._acked = acked

    def collect(self) -> Iterator[GaugeMetricFamily]:
        lanes, now_s = self._lanes(), time()
        figures: list[tuple[str, str, Callable[[Lane, LaneState], float]]] = [
            ("spool_messages", "Messages on the spool", lambda _, state: state.messages),
            ("spool_readings", "Readings on the spool", lambda _, state: state.readings),
            ("spool_bytes", "Bytes of their payloads", lambda _, state: state.bytes),
            ("spool_oldest_seconds", "Age of the oldest message", lambda _, state: _age_s(state, now_s)),
            ("next_seq", "Seq of the lane's next message", lambda _, state: state.next_seq),
            ("acked_seq", "Last seq known to be in the database", lambda lane, _: self._acked(lane)),
        ]
        for name, text, value in figures:
            family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=["lane"])
            for lane, state in lanes.items():
                family.add_metric([lane], value(lane, state))
            yield family


def _age_s(state: LaneState, now_s: float) -> float:
    return 0.0 if state.oldest_ms is None else max(0.0, now_s - state.oldest_ms / 1000)
