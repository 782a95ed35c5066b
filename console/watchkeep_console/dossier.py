"""What belongs to a case beside its life: who was told of it, and what happened to this equipment before."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg import Connection
from psycopg.rows import class_row

from watchkeep_console import models as m
from watchkeep_core.database import queries

_SQL = queries("watchkeep_console", "sql/board.sql")
Receipt = Literal["queued", "sent", "delivered", "read", "acted", "failed"]


@dataclass(frozen=True, slots=True)
class Told:
    """One notification: to whom, how, and how far it got."""

    created_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    acted_at: datetime | None
    status: str
    title: str
    channel: str
    recipient: str
    recipient_en: str
    attempts: int
    failed: bool

    @property
    def receipt(self) -> tuple[Receipt, datetime | None]:
        """The farthest that is known of it, and since when."""
        if self.acted_at:
            return "acted", self.acted_at
        if self.read_at:
            return "read", self.read_at
        if self.delivered_at:
            return "delivered", self.delivered_at
        if self.status == "failed":
            return "failed", None
        return ("sent", self.sent_at) if self.sent_at else ("queued", None)


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier case of the same equipment; `fixed_by` is what its handler wrote at the end."""

    case_id: int
    condition: str
    case_class: str
    state: str
    filed_at: datetime
    closed_at: datetime | None
    fixed_by: str


def told(conn: Connection, case_id: int) -> list[Told]:
    """Notifications that the person may see, oldest first."""
    with conn.cursor(row_factory=class_row(Told)) as cursor:
        return cursor.execute(_SQL["told"], {"case": case_id}).fetchall()


def past(conn: Connection, case: m.Case) -> list[Past]:
    """Those of the same condition first."""
    if case.equipment_id is None:
        return []
    wanted = {
        "community": case.community_id,
        "equipment": case.equipment_id,
        "case": case.case_id,
        "condition": case.condition,
    }
    with conn.cursor(row_factory=class_row(Past)) as cursor:
        return cursor.execute(_SQL["past"], wanted).fetchall()
