"""`watchkeep bench ingest`: what the write path does, each time beside the bare limit on the same servers.

It needs a migrated database of its own and a broker that knows `users(password)`; `USER` may read and write all topics,
`PAHO` read them.
"""

from watchkeep_ingest.bench.lab import USER, Target
from watchkeep_ingest.bench.run import DEFAULT, GROUPS, PAHO, run_bench, users

__all__ = ["DEFAULT", "GROUPS", "PAHO", "USER", "Target", "run_bench", "users"]
