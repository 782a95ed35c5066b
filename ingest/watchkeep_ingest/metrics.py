"""What ingest shows at /metrics."""

from collections.abc import Callable

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
