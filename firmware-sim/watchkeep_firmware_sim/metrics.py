"""What `/metrics` tells of the simulator."""

from prometheus_client import Counter

READINGS = Counter("watchkeep_sim_readings_sent", "Readings that the broker acknowledged.")
EVENTS = Counter("watchkeep_sim_events_sent", "Events that the broker acknowledged.")
REFUSED = Counter("watchkeep_sim_messages_refused", "Messages that the broker refused or that were never acknowledged.")
FAULTS = Counter("watchkeep_sim_faults_started", "Faults that began, by scenario.", ["scenario"])
INJECTIONS_DROPPED = Counter("watchkeep_sim_injections_dropped", "Injections that were malformed or did not fit.")
