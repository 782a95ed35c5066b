"""What the service counts, for Prometheus."""

from prometheus_client import Counter, Gauge

VERDICTS = Counter("watchkeep_dispatch_verdicts_total", "Warnings judged.", ["verdict", "rule"])
CASES = Counter("watchkeep_dispatch_cases_filed_total", "Cases filed by the service.", ["class"])
ORDERS = Counter("watchkeep_dispatch_orders_total", "Orders dispatched by the service.")
ESCALATIONS = Counter("watchkeep_dispatch_escalations_total", "Escalations fired.", ["clock", "level"])
NOTIFICATIONS = Counter("watchkeep_dispatch_notifications_total", "Notifications handed over.", ["channel", "status"])
POSTPONED = Counter("watchkeep_dispatch_postponed_total", "Warnings that could not be judged and are tried again.")
UNFILED_AGE = Gauge("watchkeep_dispatch_oldest_unfiled_seconds", "Age of the oldest warning that is due and unjudged.")
LOOP_LAG = Gauge(
    "watchkeep_dispatch_loop_lag_seconds", "How much longer than poll_s the last round took to come round."
)
LOOP_ERRORS = Counter("watchkeep_dispatch_loop_errors_total", "Rounds ended by a lost database or queue.", ["loop"])

Totals = dict[tuple[int, tuple[tuple[str, str], ...]], float]
"""What a process of its own has counted: place in `_APART` and labels → total."""
_APART = (VERDICTS, CASES, ORDERS, POSTPONED, NOTIFICATIONS, LOOP_ERRORS)


def apart() -> Totals:
    """Totals of what is counted in other processes, too."""
    return {
        (place, tuple(sorted(sample.labels.items()))): sample.value
        for place, counter in enumerate(_APART)
        for family in counter.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


def add(counted: Totals) -> None:
    """Add what another process has counted since its last report to this process's counters."""
    for (place, labels), more in counted.items():
        counter = _APART[place]
        (counter.labels(**dict(labels)) if labels else counter).inc(more)
