"""Plans of preventive work: what stands, what comes next, and what a property company plans for its community."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console import reads
from watchkeep_console.asking import asking
from watchkeep_console.errors import Forbidden, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.services import Services
from watchkeep_core.database import queries
from watchkeep_dispatch import community_plans
from watchkeep_dispatch.duty_file import span_text
from watchkeep_dispatch.preventive import Item, Plan

SOON = timedelta(days=7)
"""Visits due within this time are named on their own."""
FORESEEN = timedelta(days=400)
"""How far ahead a month is foreseen."""
Rows = list[dict[str, Any]]
_SQL = queries("watchkeep_console", "sql/visit_plans.sql")


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants of a plan; items without an id are new, `equipment` empty = all of these kinds."""

    title_zh: str
    title_en: str = ""
    kinds: tuple[str, ...]
    party: str
    every: str
    ahead: str
    basis: str
    items: tuple[Item, ...]
    overdue: str | None = None
    equipment: tuple[str, ...] = ()
    enabled: bool = True
    reason: str = ""


def make(
    house: Services, session: Session, community: str, draft: Draft, *, replaces: str | None = None,
    first: datetime | None = None,
) -> str:  # fmt: skip
    """A plan of one community; `first` and `replaces` as dispatch takes them. Raises Forbidden, Invalid, NotFound."""
    with asking(house, session) as conn:
        _may(conn, session, community)
        words, wanted = house.rules.vocabulary, _wanted(house, session, draft)
        return community_plans.make(conn, community, wanted, words, replaces=replaces, first=first)


def change(house: Services, session: Session, plan_id: str, draft: Draft) -> None:
    """Of a community's plan. Raises Forbidden, Invalid, NotFound."""
    with asking(house, session) as conn:
        _may(conn, session, _community(conn, plan_id))
        community_plans.change(conn, plan_id, _wanted(house, session, draft), house.rules.vocabulary)


def switch(house: Services, session: Session, plan_id: str, community: str, reason: str, *, enabled: bool) -> None:
    """Stop a plan in a community, or go on with it; a general one by a plan in its place. Raises as `change`."""
    with asking(house, session) as conn:
        row = one(conn, plan_id, house.clock.now())
        draft = msgspec.structs.replace(draft_of(row), enabled=enabled, reason=reason)
        wanted, words = _wanted(house, session, draft), house.rules.vocabulary
        _may(conn, session, row["community_id"] or community)
        if row["community_id"]:
            community_plans.change(conn, plan_id, wanted, words)
        else:
            community_plans.make(conn, community, wanted, words, replaces=plan_id)


def plans(conn: Connection, now: datetime, community: str | None = None) -> Rows:
    """General plans and those of communities one sees, each with what comes next by it."""
    return _rows(conn, "plans", now, community=community, plan=None)


def one(conn: Connection, plan_id: str, now: datetime, community: str | None = None) -> dict[str, Any]:
    """Raises NotFound."""
    found = _rows(conn, "plans", now, community=community, plan=plan_id)
    if not found:
        raise NotFound("plan", plan_id)
    return found[0]


def ahead(
    conn: Connection, now: datetime, *, plan: str | None = None, community: str | None = None,
    equipment: str | None = None, shown: str | None = None, limit: int = 50, offset: int = 0,
) -> Rows:  # fmt: skip
    """The next visit of each piece of equipment; `shown` = late, soon or all. Every row has the `total`."""
    wanted = {"plan": plan, "community": community, "equipment": equipment, "shown": shown}
    return _rows(conn, "ahead", now, **wanted, limit=limit, offset=offset)


def month(
    conn: Connection, now: datetime, since: datetime, until: datetime, community: str | None, plan: str | None
) -> Rows:
    """What will come in a time, beyond the visits that are open: pieces by day and plan. Nothing far ahead."""
    if since > now + FORESEEN:
        return []
    return _rows(conn, "month_ahead", now, since=since, until=until, community=community, plan=plan)


def choices(conn: Connection, community: str, kinds: Sequence[str]) -> tuple[dict[str, int], Rows]:
    """Kinds of equipment a community has, with how many; the pieces of some kinds."""
    there: dict[str, int] = dict(conn.execute(_SQL["kinds"], {"community": community}).fetchall())
    with conn.cursor(row_factory=dict_row) as cursor:
        return there, cursor.execute(_SQL["pieces"], {"community": community, "kinds": list(kinds)}).fetchall()


def draft_of(row: dict[str, Any]) -> Draft:
    """A plan as it stands, to be changed."""
    names = ("title_zh", "title_en", "party", "basis", "overdue", "enabled")
    return Draft(
        **{name: row[name] for name in names},
        kinds=tuple(row["kinds"]),
        every=span_text(row["every"]),
        ahead=span_text(row["ahead"]),
        items=tuple(msgspec.convert(row["items"], list[Item])),
        equipment=tuple(row["equipment"] or ()),
    )


def may_plan(session: Session, community: str) -> bool:
    return session.person.scopes is None and session.person.may("visits:plan", community)


def _may(conn: Connection, session: Session, community: str) -> None:
    """Raises NotFound for a community one does not see, Forbidden for one that is not one's business."""
    if community not in {found.community_id for found in reads.communities(conn)}:
        raise NotFound("community", community)
    if not may_plan(session, community):
        raise Forbidden("visits:plan")


def _community(conn: Connection, plan_id: str) -> str:
    found = community_plans.community_of(conn, plan_id)
    if found is None:
        raise NotFound("plan", plan_id)
    return found


def _wanted(house: Services, session: Session, draft: Draft) -> community_plans.Wanted:
    taken = {item.id for item in draft.items}
    free = (name for number in count(1) if (name := f"item_{number}") not in taken)
    items = (Item(item.id or next(free), item.zh, item.en or item.zh, item.condition) for item in draft.items)
    plan = Plan(
        plan_id="",
        title_zh=draft.title_zh,
        title_en=draft.title_en or draft.title_zh,
        kinds=draft.kinds,
        party=draft.party,
        every=draft.every,
        ahead=draft.ahead,
        basis=draft.basis,
        items=tuple(items),
        overdue=draft.overdue,
    )
    return community_plans.Wanted(
        plan=plan,
        equipment=draft.equipment,
        enabled=draft.enabled,
        reason=draft.reason,
        person_id=session.person.person_id,
        now=house.clock.now(),
    )


def _rows(conn: Connection, name: str, now: datetime, **asked: Any) -> Rows:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[name], asked | {"now": now, "soon": now + SOON}).fetchall()
