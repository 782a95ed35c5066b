"""What the board shows: one picture for everybody of a scope, drawn once per language and rights, narrowed for each."""

import asyncio
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import outlook, reads, sites, work
from watchkeep_console.pages.rows import case_row, warning_row
from watchkeep_console.pages.snippets import snippet
from watchkeep_console.pages.tabs import Tab
from watchkeep_console.pages.wording import said
from watchkeep_console.permissions import Person
from watchkeep_console.texts import Words
from watchkeep_dispatch.clocks import WorkCalendar

SHOWN = 100
"""Rows of each class; the counts above tell the whole."""
AHEAD = 8
"""Things to come that are listed."""
CLASSES = ("A", "B", "C")
UNANSWERED = ("filed", "dispatched", "returned")
"""States of a case that nobody has responded to."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the board is narrowed to; it stands in the address, so that it can be kept and sent."""

    community: str = ""
    of_class: str = ""
    mine: bool = False
    wall: bool = False

    def path(self, **change: object) -> str:
        wanted = replace(self, **change)  # type: ignore[arg-type]  # fields of its own
        given = {"community": wanted.community, "class": wanted.of_class}
        given |= {"mine": "1" if wanted.mine else "", "wall": "1" if wanted.wall else ""}
        kept = {name: value for name, value in given.items() if value}
        return f"/?{urlencode(kept)}" if kept else "/"

    @property
    def narrow(self) -> bool:
        return bool(self.community or self.of_class or self.mine)


@dataclass(frozen=True, slots=True)
class Board:
    """The board as it is drawn, once for everybody who sees the same; rows and texts are for the browser."""

    warnings: dict[int, m.Warning]
    cases: dict[int, m.Case]
    warning_rows: list[Row]
    case_rows: list[Row]
    figures: dict[str, str]
    loud: list[str]
    """What static/board.js sounds for."""
    coming: str
    places: str
    blocks: list[sites.Block]
    sites: list[sites.Site]


@dataclass(frozen=True, slots=True)
class _Picture:
    """What everybody of one scope sees, before it is drawn."""

    warnings: list[m.Warning]
    cases: list[m.Case]
    summary: m.Summary
    clocks: list[outlook.Running]
    waits: list[outlook.Waiting]
    blocks: list[sites.Block]
    sites: list[sites.Site]
    drawn: dict[Hashable, asyncio.Task[Board]] = field(default_factory=dict)
    """By language, rights and what it is narrowed to."""


async def read(tab: Tab, wanted: Wanted, shown: Board | None = None, *, after: int = 0) -> Board:
    """One picture for all boards of the same scope, begun after so many others (`Shared.begun`), drawn once for all
    who see the same. What is the same as in `shown` is the same object. Raises psycopg.OperationalError, PoolTimeout.
    """
    person, now = tab.session.person, tab.house.clock.now()
    what = ("board", wanted.community, wanted.of_class)
    found = await tab.house.shared.get(person.person_id, what, lambda conn: _picture(conn, wanted, now), after=after)
    key = (tab.t.language, person.memberships, person.scopes, person.org_id if wanted.mine else None, wanted)
    drawn = found.drawn.get(key)
    if drawn is None:
        how = _How(tab.t, person, wanted, now, tab.house.rules.calendar)
        drawn = found.drawn[key] = asyncio.create_task(asyncio.to_thread(_draw, found, how, shown))
    return await asyncio.shield(drawn)


def _picture(conn: Connection, wanted: Wanted, now: datetime) -> _Picture:
    """Worst class first, then the newest: the order people work in."""
    community = wanted.community or None
    warnings: list[m.Warning] = []
    cases: list[m.Case] = []
    for of_class in wanted.of_class or CLASSES:  # each class by itself: a flood of one never hides another
        warnings += reads.warnings(conn, status="open", of_class=of_class, community=community, limit=SHOWN).items
        cases += reads.cases(conn, is_open=True, of_class=of_class, community=community, limit=SHOWN).items
    warnings.sort(key=lambda item: (item.proposed_class, not item.life_safety, -item.detected_at.timestamp()))
    cases.sort(key=lambda item: (item.case_class, item.due_at.timestamp() if item.due_at else float("inf")))
    all_sites = sites.sites(conn)
    chosen = community or (all_sites[0].community_id if len(all_sites) == 1 else None)
    return _Picture(
        warnings,
        cases,
        reads.summary(conn),
        outlook.running(conn, community),
        outlook.waiting(conn, now, community),
        sites.blocks(conn, chosen) if chosen else [],
        all_sites,
    )


@dataclass(frozen=True, slots=True)
class _How:
    """For whom a picture is drawn."""

    t: Words
    person: Person
    wanted: Wanted
    now: datetime
    calendar: WorkCalendar


def _draw(found: _Picture, how: _How, shown: Board | None) -> Board:
    """Pure."""
    warnings, cases = found.warnings, found.cases
    t, person, wanted = how.t, how.person, how.wanted
    if wanted.mine:
        cases = [case for case in cases if _is_mine(person, case)]
        kept = {case.case_id for case in cases}
        warnings = [warning for warning in warnings if warning.case_id is None or warning.case_id in kept]
    listed = {case.case_id for case in cases}
    clocks = [c for c in found.clocks if not wanted.narrow or c.case_id in listed]
    waits = [w for w in found.waits if wanted.of_class in ("", w.proposed_class)]
    coming = outlook.coming(clocks, waits, how.now, how.calendar)[:AHEAD]
    judges = {site: person.may("warning:judge", site) for site in {one.community_id for one in warnings}}
    return Board(
        {one.warning_id: one for one in warnings},
        {one.case_id: one for one in cases},
        _same(shown.warning_rows if shown else [], [warning_row(t, one, judges[one.community_id]) for one in warnings]),
        _same(shown.case_rows if shown else [], [case_row(t, one, work.actions(person, one)) for one in cases]),
        _figures(found.summary),
        alarming(warnings, cases),
        snippet("board_next.html", t=t, coming=coming, said=said),
        snippet("board_sites.html", t=t, sites=found.sites, chosen=wanted.community, path=wanted.path),
        found.blocks,
        found.sites,
    )


def _same(before: list[Row], rows: list[Row]) -> list[Row]:
    """Those that are as before are the same objects: fifty boards need not compare them again. Pure."""
    known = {row["id"]: row for row in before}
    return [old if (old := known.get(row["id"])) == row else row for row in rows]


def _figures(summary: m.Summary) -> dict[str, str]:
    rate = summary.readings_per_s
    return {f"warnings_{name.lower()}": str(summary.warnings[name]) for name in "ABC"} | {
        "cases": str(summary.cases_open),
        "overdue": str(summary.orders_overdue),
        "gateways": f"{summary.gateways_online}/{summary.gateways}",
        "rate": f"{rate:.1f}" if 0 < rate < 10 else f"{rate:,.0f}",
    }


def alarming(warnings: Iterable[m.Warning], cases: Iterable[m.Case]) -> list[str]:
    """A warning without a case waits for judgement; a case waits for a response. Replays and tests are silent. Pure."""
    loud = [f"w{w.warning_id}" for w in warnings if w.proposed_class == "A" and w.case_id is None and _open(w)]
    return loud + [
        f"c{c.case_id}"
        for c in cases
        if c.case_class == "A" and c.state in UNANSWERED and not c.replay and c.source != "test"
    ]


def _open(warning: m.Warning) -> bool:
    return not warning.replay and warning.verdict not in ("dismissed", "merged", "suppressed")


def _is_mine(person: Person, case: m.Case) -> bool:
    """Whether one of my organisations has to do with it."""
    mine = person.organisations | {person.org_id} - {None}
    concerned = {case.first_responder_id, case.responsible_org_id, case.supervising_org_id, case.order_org_id}
    return bool(mine & concerned)
