"""Handing over one notification: what the job does. At least once: a crash after sending sends again."""

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import class_row
from psycopg_pool import ConnectionPool

from watchkeep_core.database import queries
from watchkeep_core.errors import PermanentError, TransientError
from watchkeep_core.logs import get_logger
from watchkeep_dispatch.errors import ChannelRefused
from watchkeep_dispatch.metrics import NOTIFICATIONS
from watchkeep_dispatch.notify.channels import Channel
from watchkeep_dispatch.notify.jobs import MAX_ATTEMPTS, URGENT, defer
from watchkeep_dispatch.notify.outbox import IN_APP
from watchkeep_dispatch.notify.texts import Text

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Row:
    org_id: str | None
    case_id: int | None
    channel: str
    title: str
    body: str
    status: str
    urgent: bool
    url: str | None
    enabled: bool


def deliver(
    pool: ConnectionPool[Connection], open_channel: Callable[[str], Channel], notification_id: int, attempt: int
) -> None:
    """Send one notification, outside of any transaction, and note the outcome.

    Raises the channel's TransientError (the queue tries again) or PermanentError (the job ends as failed).
    """
    statements = queries("watchkeep_dispatch", "sql/notify.sql")
    with pool.connection() as conn, conn.cursor(row_factory=class_row(_Row)) as cursor:
        row = cursor.execute(statements["load"], [notification_id]).fetchone()
    if row is None or row.status in ("sent", "read"):
        return
    outcome = {"id": notification_id, "attempt": attempt}
    try:
        if row.channel != IN_APP:
            if row.url is None or not row.enabled:
                raise ChannelRefused("the channel was removed or switched off")
            open_channel(row.url).send(Text(row.title, row.body))
    except (TransientError, PermanentError) as error:
        over = isinstance(error, PermanentError) or attempt >= MAX_ATTEMPTS
        status = "failed" if over else "queued"
        with pool.connection() as conn:
            conn.execute(statements["not_sent"], outcome | {"status": status, "error": str(error)[:500]})
        NOTIFICATIONS.labels(_kind(row.channel), "failed" if over else "retried").inc()
        raise
    with pool.connection() as conn, conn.transaction():
        if row.channel == IN_APP:
            more = [found[0] for found in conn.execute(statements["fan_out"], [notification_id])]
            defer(conn, more, priority=URGENT if row.urgent else 0)
        conn.execute(statements["sent"], outcome)
    NOTIFICATIONS.labels(_kind(row.channel), "sent").inc()
    _log.info("notified", notification=notification_id, channel=row.channel, org=row.org_id, case=row.case_id)


def _kind(channel: str) -> str:
    return channel.partition("/")[0]
