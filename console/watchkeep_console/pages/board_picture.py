"""What the board shows: one picture for everybody of a scope, drawn once per language and rights, narrowed for each."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import outlook, reads, sites, work
from watchkeep_console.identity import Session
from watchkeep_console.pages.rows import case_row, warning_row
from watchkeep_console.pages.tabs import Tab

SHOWN = 100
"""Rows of each class; the counts above tell the whole."""
AHEAD = 8
"""Things to come that are listed."""
CLASSES = ("A", "B", "C")
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
    """One picture of the board, as one person sees it; rows are for the browser, in the same order."""

    warnings: list[m.Warning]
    cases: list[m.Case]
    warning_rows: list[Row]
    case_rows: list[Row]
    summary: m.Summary
    coming: list[outlook.Coming]
    blocks: list[sites.Block]
    sites: list[sites.Site]


@dataclass(frozen=True, slots=True)
class _Rows:
    """By id."""

    warnings: dict[int, Row]
    cases: dict[int, Row]


@dataclass(frozen=True, slots=True)
class _Picture:
    """What everybody of one scope sees, before each takes what is theirs."""

    warnings: list[m.Warning]
    cases: list[m.Case]
    summary: m.Summary
    clocks: list[outlook.Running]
    waits: list[outlook.Waiting]
    blocks: list[sites.Block]
    sites: list[sites.Site]
    drawn: dict[Hashable, _Rows] = field(default_factory=dict)
    """By language and rights; two that come first at once draw the same."""


def read(conn: Connection, tab: Tab, wanted: Wanted, *, fresh: bool = False) -> Board:
    """One picture for all boards of the same scope; `fresh` after an act of one's own."""
    now, classes = tab.house.clock.now(), wanted.of_class or CLASSES
    found = tab.house.shared.get(
        conn,
        ("board", wanted.community, wanted.of_class),
        lambda: _picture(conn, wanted.community or None, classes, now),
        fresh=fresh,
    )
    warnings, cases = found.warnings, found.cases
    if wanted.mine:
        cases = [case for case in cases if _is_mine(tab.session, case)]
        kept = {case.case_id for case in cases}
        warnings = [warning for warning in warnings if warning.case_id is None or warning.case_id in kept]
    rows = _rows(found, tab)
    shown = {case.case_id for case in cases}
    clocks = [c for c in found.clocks if not wanted.narrow or c.case_id in shown]
    waits = [w for w in found.waits if wanted.of_class in ("", w.proposed_class)]
    return Board(
        warnings,
        cases,
        [rows.warnings[warning.warning_id] for warning in warnings],
        [rows.cases[case.case_id] for case in cases],
        found.summary,
        outlook.coming(clocks, waits, now, tab.house.rules.calendar)[:AHEAD],
        found.blocks,
        found.sites,
    )


def _picture(conn: Connection, community: str | None, classes: Iterable[str], now: datetime) -> _Picture:
    """Worst class first, then the newest: the order people work in."""
    warnings: list[m.Warning] = []
    cases: list[m.Case] = []
    for of_class in classes:  # each class by itself: a flood of one never hides another
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


def _rows(found: _Picture, tab: Tab) -> _Rows:
    t, person = tab.t, tab.session.person
    key = (t.language, person.memberships, person.scopes)
    rows = found.drawn.get(key)
    if rows is None:
        judges = {site: person.may("warning:judge", site) for site in {one.community_id for one in found.warnings}}
        rows = found.drawn[key] = _Rows(
            {one.warning_id: warning_row(t, one, judges[one.community_id]) for one in found.warnings},
            {one.case_id: case_row(t, one, work.actions(person, one)) for one in found.cases},
        )
    return rows


def _is_mine(session: Session, case: m.Case) -> bool:
    """Whether one of my organisations has to do with it."""
    mine = session.person.organisations | {session.person.org_id} - {None}
    concerned = {case.first_responder_id, case.responsible_org_id, case.supervising_org_id, case.order_org_id}
    return bool(mine & concerned)
