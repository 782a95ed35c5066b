"""What the clock does about notifications, once a second: wake what waits, fall back, remind. Each at most once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_core.database import queries
from watchkeep_dispatch.notify.jobs import wake
from watchkeep_dispatch.notify.outbox import announce
from watchkeep_dispatch.notify.timing import reminder_number

WAKE_AGAIN = timedelta(seconds=60)
"""A job that was made for something that waits may itself have to wait so long."""
_SHOWN = "%m-%d %H:%M"


@dataclass(frozen=True, slots=True)
class Pulse:
    """All chores; `remind_every` = for class A until somebody responds, None = never; `local` = as people read it."""

    remind_every: timedelta | None
    local: Callable[[datetime], datetime]

    def beat(self, conn: Connection, now: datetime) -> None:
        """One round, each chore in its own transaction."""
        for chore in (self.fall_back, self.wake_waiting, self.remind):
            with conn.transaction():
                chore(conn, now)

    def wake_waiting(self, conn: Connection, now: datetime) -> int:
        """Jobs for what was held back, failed, or was left behind by a worker that died; returns how many."""
        statements = queries("watchkeep_dispatch", "sql/notify.sql")
        conn.execute(statements["orphans"], {"now": now})
        rows = conn.execute(statements["to_wake"], {"now": now, "next": now + WAKE_AGAIN}).fetchall()
        channels = {(channel, urgent) for channel, urgent in rows if channel is not None}
        wake(conn, channels)
        return len(channels)

    def fall_back(self, conn: Connection, now: datetime) -> int:
        """A person's next channel where the last one failed or was not read in time; returns how many."""
        found = conn.execute(queries("watchkeep_dispatch", "sql/notify.sql")["fall_back"], {"now": now}).fetchall()
        return len(found)

    def remind(self, conn: Connection, now: datetime) -> int:
        """Class A that nobody has responded to; returns how many were reminded. The key makes each number go once."""
        if self.remind_every is None:
            return 0
        query = queries("watchkeep_dispatch", "sql/notify.sql")["unanswered"]
        with conn.cursor(row_factory=dict_row) as cursor:
            orders = cursor.execute(query, {"since": now - self.remind_every}).fetchall()
        reminded = 0
        for order in orders:
            number = reminder_number(order["dispatched_at"], now, self.remind_every)
            due = order["respond_due"]
            values = {
                "title": order["title_zh"],
                "community": order["community"],
                "case": str(order["case_id"]),
                "number": str(number),
                "minutes": str(int((now - order["dispatched_at"]).total_seconds() // 60)),
                "respond": "—" if due is None else self.local(due).strftime(_SHOWN),
            }
            reminded += bool(
                announce(
                    conn,
                    "reminder",
                    [order["org_id"]],
                    values,
                    key=f"order/{order['order_id']}/reminder/{number}",
                    now=now,
                    case_id=order["case_id"],
                    order_id=order["order_id"],
                    urgent=order["life_safety"],
                )
            )
        return reminded
