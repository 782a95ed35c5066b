"""A warning that waits, and what became of it: the row in `verdicts` that says which rule decided and why."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql

from watchkeep_core.database import queries


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claimed warning; locked until the transaction ends."""

    warning_id: int
    community_id: str
    equipment_id: str
    condition: str
    proposed_class: str
    life_safety: bool
    status: str
    event_at: datetime
    detected_at: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        """Of warnings with the same key at most one case is open."""
        return self.community_id, self.equipment_id, self.condition


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a warning: filed, merged, suppressed or waits; `rule` decided it."""

    warning_id: int
    verdict: str
    rule: str
    case_id: int | None = None
    case_class: str | None = None
    order_id: int | None = None


def record(conn: Connection, warning: Waiting, verdict: str, rule: str, reason: str, now: datetime) -> None:
    """Write a verdict; the same rule says the same of a warning once."""
    row = {"warning": warning.warning_id, "verdict": verdict, "rule": rule, "reason": reason, "now": now}
    conn.execute(_sql("record"), row)


def postpone(conn: Connection, warning: Waiting, until: datetime) -> None:
    """Look at it again later."""
    conn.execute(_sql("postpone"), {"warning_id": warning.warning_id, "until": until})


def done(conn: Connection, warning: Waiting) -> None:
    """It waits no longer."""
    conn.execute(_sql("done"), [warning.warning_id])


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/filing.sql")[name]
