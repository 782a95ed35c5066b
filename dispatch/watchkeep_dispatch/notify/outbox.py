"""Notifications written in the transaction of what they tell of, each with the job that will hand it over.

A row of channel `in_app` is what the console shows; its job also fans out to the organisation's own channels.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from psycopg import Connection

from watchkeep_core.database import queries
from watchkeep_dispatch.notify.jobs import URGENT, defer
from watchkeep_dispatch.notify.texts import Language, render

IN_APP = "in_app"

_gathered: ContextVar[dict[int, list[int]] | None] = ContextVar("gathered", default=None)
"""Priority → notifications whose jobs are still to be queued."""


@contextmanager
def gathering(conn: Connection) -> Iterator[None]:
    """Queue the jobs of all that is announced inside at its end, together; inside one transaction.

    What is announced inside an inner one that fails is forgotten, as a savepoint forgets it.
    """
    outer, mine = _gathered.get(), dict[int, list[int]]()
    token = _gathered.set(mine)
    try:
        yield
    finally:
        _gathered.reset(token)
    for priority, ids in mine.items():
        if outer is None:
            defer(conn, ids, priority=priority)
        else:
            outer.setdefault(priority, []).extend(ids)


def announce(
    conn: Connection,
    kind: str,
    org_ids: Iterable[str | None],
    values: Mapping[str, str],
    *,
    key: str,
    now: datetime,
    case_id: int | None = None,
    order_id: int | None = None,
    urgent: bool = False,
    language: Language = "zh",
) -> list[int]:
    """Tell each organisation once per `key`; returns the ids of the new rows, whose jobs run after the commit."""
    text = render(kind, language, values)
    rows = [
        {
            "dedup_key": f"{key}/{org_id}",
            "case_id": case_id,
            "order_id": order_id,
            "org_id": org_id,
            "channel": IN_APP,
            "language": language,
            "title": text.title,
            "body": text.body,
            "now": now,
        }
        for org_id in dict.fromkeys(org_ids)
        if org_id is not None
    ]
    query = queries("watchkeep_dispatch", "sql/notify.sql")["save"]
    new = [found[0] for row in rows if (found := conn.execute(query, row).fetchone())]
    priority = URGENT if urgent else 0
    waiting = _gathered.get()
    if waiting is None:
        defer(conn, new, priority=priority)
    else:
        waiting.setdefault(priority, []).extend(new)
    return new


def announce_test(conn: Connection, org_id: str, now: datetime, language: Language = "zh") -> int | None:
    """A test notification through every channel of an organisation; None when one was asked for at the same moment."""
    stamp = now.isoformat(timespec="milliseconds")
    made = announce(conn, "test", [org_id], {"at": stamp}, key=f"test/{stamp}", now=now, language=language)
    return made[0] if made else None
