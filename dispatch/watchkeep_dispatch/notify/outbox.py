"""Notifications written in the transaction of what they tell of, with the jobs that will hand them over.

A row of channel `in_app` is what the console shows: written is delivered, it has no job. One more row per channel of
the organisation and of the people concerned waits for its job.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from watchkeep_core.database import queries
from watchkeep_dispatch.notify.jobs import wake
from watchkeep_dispatch.notify.recipients import roles_for
from watchkeep_dispatch.notify.texts import Language, render
from watchkeep_dispatch.rowset import rowset

IN_APP = "in_app"

_Group = tuple[tuple[str, ...], tuple[str, ...]]
"""Roles and named people that notifications share."""
_gathered: ContextVar[dict[_Group, list[int]] | None] = ContextVar("gathered", default=None)
"""Notifications whose channels are still to be found."""


@contextmanager
def gathering(conn: Connection) -> Iterator[None]:
    """Address all that is announced inside at its end, together; inside one transaction.

    What is announced inside an inner one that fails is forgotten, as a savepoint forgets it.
    """
    outer, mine = _gathered.get(), dict[_Group, list[int]]()
    token = _gathered.set(mine)
    try:
        yield
    finally:
        _gathered.reset(token)
    if outer is None:
        _address(conn, mine)
        return
    for group, ids in mine.items():
        outer.setdefault(group, []).extend(ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something to tell each of `org_ids` once per `key`.

    `urgent` = life safety. `people` = ids of those to be told by name, instead of whoever is on call or has the role.
    """

    kind: str
    org_ids: Iterable[str | None]
    values: Mapping[str, str]
    key: str
    case_id: int | None = None
    order_id: int | None = None
    urgent: bool = False
    language: Language = "zh"
    people: Sequence[str] = ()


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
    people: Sequence[str] = (),
) -> list[int]:
    """Tell each organisation once per `key`; returns the ids of the new rows. Channels get it after the commit."""
    news = News(
        kind=kind, org_ids=org_ids, values=values, key=key, case_id=case_id, order_id=order_id, urgent=urgent,
        language=language, people=people,
    )  # fmt: skip
    return announce_all(conn, [news], now)


def announce_all(conn: Connection, news: Iterable[News], now: datetime) -> list[int]:
    """The same for many pieces of news, in one statement."""
    rows: list[dict[str, Any]] = []
    groups: dict[str, _Group] = {}
    for one in news:
        text = render(one.kind, one.language, one.values)
        for org_id in dict.fromkeys(one.org_ids):
            if org_id is None:
                continue
            key = f"{one.key}/{org_id}"
            groups[key] = roles_for(one.kind), tuple(one.people)
            rows.append(
                {
                    "dedup_key": key,
                    "org_id": org_id,
                    "case_id": one.case_id,
                    "order_id": one.order_id,
                    "kind": one.kind,
                    "words": dict(one.values),
                    "urgent": one.urgent,
                    "language": one.language,
                    "title": text.title,
                    "body": text.body,
                }
            )
    if not rows:
        return []
    saved = conn.execute(
        queries("watchkeep_dispatch", "sql/notify.sql")["save"], {"rows": rowset(rows), "now": now}
    ).fetchall()
    waiting = _gathered.get()
    mine: dict[_Group, list[int]] = {} if waiting is None else waiting
    for key, number in saved:
        mine.setdefault(groups[key], []).append(number)
    if waiting is None:
        _address(conn, mine)
    return [number for _, number in saved]


def announce_test(conn: Connection, org_id: str, now: datetime, language: Language = "zh") -> int | None:
    """A test notification through every channel of an organisation; None when one was asked for at the same moment."""
    stamp = now.isoformat(timespec="milliseconds")
    made = announce(conn, "test", [org_id], {"at": stamp}, key=f"test/{stamp}", now=now, language=language)
    return made[0] if made else None


def announce_person_test(conn: Connection, person_id: str, now: datetime, language: Language = "zh") -> int:
    """A test notification through every channel of a person; returns through how many."""
    stamp = now.isoformat(timespec="milliseconds")
    words = {"at": stamp}
    text = render("test", language, words)
    row = {"person": person_id, "key": f"test/{stamp}/{person_id}", "words": Jsonb(words), "language": language}
    row |= {"title": text.title, "body": text.body, "now": now}
    query = queries("watchkeep_dispatch", "sql/notify.sql")["save_person_test"]
    found = {(channel, False) for (channel,) in conn.execute(query, row)}
    wake(conn, found)
    return len(found)


def _address(conn: Connection, groups: Mapping[_Group, Sequence[int]]) -> None:
    """Rows for the channels, and one job per channel and urgency."""
    query = queries("watchkeep_dispatch", "sql/notify.sql")["address"]
    found: set[tuple[int, bool]] = set()
    for (roles, people), ids in groups.items():
        if ids:
            found.update(conn.execute(query, [list(ids), list(roles), list(people)]).fetchall())
    wake(conn, found)
