"""What analytics counts, for `/metrics`."""

from prometheus_client import Counter, Gauge, Histogram

ROWS = Counter("watchkeep_analytics_rows", "Rows taken in.", ["lane"])
BATCHES = Counter("watchkeep_analytics_batches", "Batches judged.", ["lane"])
REREAD = Counter(
    "watchkeep_analytics_batches_reread", "Batches read from the database as their message was missing.", ["lane"]
)
DROPPED = Counter("watchkeep_analytics_messages_dropped", "Messages the queue had no room for; they are re-read.")
BAD_MESSAGES = Counter("watchkeep_analytics_bad_messages", "Rows messages that could not be decoded; they are re-read.")
LATE = Counter("watchkeep_analytics_late_rows", "Rows not later than the last of their series; they open nothing.")
UNKNOWN = Counter("watchkeep_analytics_unknown_rows", "Rows of series that the register does not know.")
BAD = Counter("watchkeep_analytics_bad_rows", "Rows of bad quality, which no detector sees.")
FAILURES = Counter("watchkeep_analytics_detector_failures", "Calls of a detector that raised.")
SIGNALS = Counter("watchkeep_analytics_signals", "Signals by tier.", ["tier"])
OPENED = Counter("watchkeep_analytics_warnings_opened", "Warnings opened.", ["tier"])
REPEATED = Counter("watchkeep_analytics_warnings_repeated", "Signals that found their warning already open.")
CLEARED = Counter("watchkeep_analytics_warnings_cleared", "Warnings cleared.")
OVER = Counter("watchkeep_analytics_over", "Openings that were over already: kept as signals, no warning.")
STATE_BYTES = Gauge("watchkeep_analytics_state_bytes", "Size of the detectors' state.")
PARTITIONS = Gauge("watchkeep_analytics_partitions", "Partitions this process judges.", ["lane"])
QUEUE = Gauge("watchkeep_analytics_queue", "Messages waiting.")

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 300, 900)
EVENT_TO_WARNING = Histogram(
    "watchkeep_analytics_event_to_warning_seconds",
    "From event time to the committed warning, live communities only.",
    ["lane"],
    buckets=_SECONDS,
)
COMMIT_TO_WARNING = Histogram(
    "watchkeep_analytics_commit_to_warning_seconds",
    "From ingest's transaction (event) or the arrival of its rows message (data) to the committed warning.",
    ["lane"],
    buckets=_SECONDS,
)
