"""Storms: when more equipment of one community warns at once than a desk can look at, people hear of it once."""

from datetime import datetime

from psycopg import Connection

from watchkeep_core.database import queries
from watchkeep_dispatch.notify.outbox import announce
from watchkeep_dispatch.planning import Rules


def watch(conn: Connection, now: datetime, rules: Rules) -> list[int]:
    """Begin and end storms by what has warned lately; returns those that have just begun. Replay has none."""
    statements = queries("watchkeep_dispatch", "sql/storms.sql")
    row = {"now": now, "since": now - rules.storm_within, "begin": rules.storm_equipment}
    conn.execute(statements["end"], row | {"end": max(1, rules.storm_equipment // 2)})
    begun = []
    for storm, community, equipment, told in conn.execute(statements["begin"], row).fetchall():
        minutes = round(rules.storm_within.total_seconds() / 60)
        values = {"community": community, "equipment": str(equipment), "minutes": str(minutes)}
        announce(conn, "storm", told, values, key=f"storm/{storm}", now=now)
        begun.append(storm)
    return begun
