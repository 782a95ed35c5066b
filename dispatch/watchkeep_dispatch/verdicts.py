"""A warning that waits, and what became of it: the row in `verdicts` that says which rule decided and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection, sql

from watchkeep_core.database import queries
from watchkeep_dispatch.rowset import rowset


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
    record_all(conn, [(warning, verdict, rule, reason)], now)


def record_all(conn: Connection, found: Sequence[tuple[Waiting, str, str, str]], now: datetime) -> None:
    """Write verdicts: warning, verdict, rule, reason."""
    rows = [
        {"warning_id": warning.warning_id, "verdict": verdict, "rule": rule, "reason": reason}
        for warning, verdict, rule, reason in found
    ]
    conn.execute(_sql("record"), {"rows": rowset(rows), "now": now})


def postpone(conn: Connection, warning: Waiting, until: datetime) -> None:
    """Look at it again later."""
    postpone_all(conn, [(warning, until)])


def postpone_all(conn: Connection, found: Sequence[tuple[Waiting, datetime]]) -> None:
    """Look at each again at its time."""
    if found:
        rows = [{"warning_id": warning.warning_id, "until": until} for warning, until in found]
        conn.execute(_sql("postpone"), [rowset(rows)])


def attach(conn: Connection, found: Sequence[tuple[Waiting, int]], role: str) -> None:
    """Make warnings part of cases as `cause`, `recurrence` or `symptom`."""
    rows = [{"warning_id": warning.warning_id, "case_id": case_id} for warning, case_id in found]
    conn.execute(_sql("attach"), {"rows": rowset(rows), "role": role})


def done(conn: Connection, warnings: Sequence[Waiting]) -> None:
    """They wait no longer."""
    conn.execute(_sql("done"), [[warning.warning_id for warning in warnings]])


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/filing.sql")[name]
