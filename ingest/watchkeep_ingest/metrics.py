"""What ingest shows at /metrics."""

from collections.abc import Callable, Mapping

from prometheus_client import Counter, Gauge, Histogram

from watchkeep_core.topics import Lane
from watchkeep_ingest.accounts import FIELDS
from watchkeep_ingest.transaction import Outcome

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

MESSAGES = Counter("watchkeep_ingest_messages", "Messages of committed batches", ["lane", "outcome"])
ROWS = Counter("watchkeep_ingest_readings", "Readings (lane event: events) of committed batches", ["lane", "outcome"])
BATCH_SECONDS = Histogram(
    "watchkeep_ingest_batch_seconds", "One transaction, decoding not included", ["lane"], buckets=_SECONDS
)
FAILURES = Counter("watchkeep_ingest_batch_failures", "Transactions that failed and are tried again", ["lane"])
QUEUE = Gauge("watchkeep_ingest_queue_messages", "Messages in memory that no transaction has taken", ["lane"])
QUEUE_BYTES = Gauge("watchkeep_ingest_queue_bytes", "Payload bytes of those", ["lane"])
OLDEST = Gauge("watchkeep_ingest_oldest_unacked_seconds", "Age of the oldest message in the queue; 0 = none", ["lane"])
LEFT = Counter("watchkeep_ingest_messages_left", "Messages left with the broker for lack of memory", ["lane"])
ACKS = Counter("watchkeep_ingest_acks", "Acks published to gateways", ["lane"])
UNPUBLISHED = Counter("watchkeep_ingest_unpublished", "Rows messages not sent; analytics re-reads them", ["lane"])
DEAD = Counter("watchkeep_ingest_dead_letters", "Dead letters written", ["lane", "reason"])
REBIRTHS = Counter("watchkeep_ingest_rebirths_asked", "Gateways asked to send their birth again")
SESSIONS = Gauge("watchkeep_ingest_sessions", "Sessions of this worker that are connected")
PARTITIONS = Gauge("watchkeep_ingest_partitions", "Partitions this worker holds")
UPKEEP_SECONDS = Histogram("watchkeep_ingest_upkeep_seconds", "One pass of the upkeep", buckets=_SECONDS)
UPKEEP_FAILURES = Counter("watchkeep_ingest_upkeep_failures", "Passes of the upkeep that failed and are tried again")
ROLLUP_LAG = Gauge("watchkeep_ingest_rollup_lag_seconds", "How far the minute rollups are behind now")
ROLLUP_WAITING = Gauge("watchkeep_ingest_rollup_marks", "Hours marked to be rolled up (again), the first 100,000")
ROLLUP_LATE = Counter("watchkeep_ingest_rollup_late_hours", "Hours of single series rolled up again for late readings")
PARTS_DROPPED = Counter("watchkeep_ingest_parts_dropped", "Partitions or chunks dropped by retention", ["level"])
UNACCOUNTED = Gauge(
    "watchkeep_ingest_unaccounted", "What the accounting identities miss; anything but 0 is an alarm", ["lane", "kind"]
)
FLOODING = Gauge("watchkeep_ingest_flooding_gateways", "Gateways whose telemetry is parked because it is too much")


def show_accounts(found: Mapping[str, tuple[int, int]]) -> None:
    """Lane → messages and readings that are unaccounted for."""
    for lane, (messages, readings) in found.items():
        UNACCOUNTED.labels(lane, "messages").set(messages)
        UNACCOUNTED.labels(lane, "readings").set(readings)


def watch_queue(
    lane: Lane, messages: Callable[[], float], size: Callable[[], float], age_s: Callable[[], float]
) -> None:
    """Gauges ask when they are scraped."""
    QUEUE.labels(lane).set_function(messages)
    QUEUE_BYTES.labels(lane).set_function(size)
    OLDEST.labels(lane).set_function(age_s)


def count(lane: Lane, outcome: Outcome, seconds: float) -> None:
    """One committed transaction."""
    BATCH_SECONDS.labels(lane).observe(seconds)
    for field in FIELDS:
        change = sum(counts[field] for counts in outcome.tally.values())
        if change > 0:  # an unparked reading lowers `parked`; a counter only rises
            (MESSAGES if field in FIELDS[:4] else ROWS).labels(lane, field).inc(change)
    for reason, number in outcome.dead.items():
        DEAD.labels(lane, reason).inc(number)
