"""Limits of points, notification channels and the responsibility list, as people with the right role change them."""

import math
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_console.asking import asking
from watchkeep_console.errors import Conflict, Forbidden, Invalid, NotFound
from watchkeep_console.identity import Session
from watchkeep_console.permissions import ROLES
from watchkeep_console.services import Services
from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_core.vocabulary import load
from watchkeep_dispatch import coverage, duties, duty_excel, duty_replay
from watchkeep_dispatch.errors import ChannelRefused, DutyListError
from watchkeep_dispatch.notify.channels import open_channel
from watchkeep_dispatch.notify.guard import Egress
from watchkeep_dispatch.notify.outbox import announce_test
from watchkeep_dispatch.notify.timing import span
from watchkeep_dispatch.routing import Duty

CHANNEL_KINDS = ("wecom", "dingtalk", "webhook", "mail", "sms", "voice")
"""Of an organisation; each needs an apprise URL, which goes in and never comes out again."""
_SQL = queries("watchkeep_console", "sql/admin.sql")


@dataclass(frozen=True, slots=True)
class LimitChange:
    """New values of a limit, with the reason for them: every limit names its basis."""

    value: float
    clear_value: float
    for_s: float
    enabled: bool
    basis: str


def change_limit(house: Services, session: Session, limit_id: int, wanted: LimitChange) -> None:
    """Detectors take it up at their next look at the register. Raises NotFound, Forbidden, Invalid."""
    with asking(house, session) as conn:
        with conn.cursor(row_factory=dict_row) as cursor:
            there = cursor.execute(_SQL["lock_limit"], {"id": limit_id}).fetchone()
        if there is None:
            raise NotFound("limit", limit_id)
        session.person.require("limits:edit", there["community_id"])
        _check(there["side"], wanted)
        new = {name: getattr(wanted, name) for name in LimitChange.__dataclass_fields__}
        conn.execute(_SQL["save_limit"], new | {"id": limit_id, "basis": wanted.basis.strip()})
        before = {name: there[name] for name in new}
        detail = {"before": before, "after": new, "metric": there["metric"]}
        place = f"{there['community_id']}/{there['equipment_id']}"
        audit.record(conn, "limit.change", "limit", place, person_id=session.person.person_id, detail=detail)


def _check(side: str, wanted: LimitChange) -> None:
    if not all(math.isfinite(one) for one in (wanted.value, wanted.clear_value, wanted.for_s)):
        raise Invalid("value", "must be a number")
    if (side == "above" and wanted.clear_value > wanted.value) or (
        side == "below" and wanted.clear_value < wanted.value
    ):
        raise Invalid("clear_value", "must lie on the normal side of the limit")
    if not 0 <= wanted.for_s <= 30 * 86400:
        raise Invalid("for_s", "0 s to 30 days")
    if not wanted.basis.strip():
        raise Invalid("basis", "must be given: a clause, a manual, a decision")


def add_channel(
    house: Services, session: Session, org: str, kind: str, name: str, url: str, quiet_hours: str, language: str
) -> int:
    """Raises Forbidden, Conflict(`exists`), Invalid. Where the URL may lead, dispatch's guard decides."""
    if kind not in CHANNEL_KINDS:
        raise Invalid("kind", f"one of {', '.join(CHANNEL_KINDS)}")
    if not name.strip():
        raise Invalid("name", "must be given")
    try:
        span(quiet_hours)
        open_channel(url.strip(), Egress())
    except ValueError as error:
        raise Invalid("quiet_hours", str(error)) from None
    except ChannelRefused as error:
        raise Invalid("url", str(error)) from None
    row = {"org": org, "kind": kind, "name": name.strip(), "url": url.strip(), "per_minute": None}
    row |= {"language": language or None, "quiet_hours": quiet_hours or None}
    with asking(house, session) as conn:
        _of_organisation(conn, session, org)
        try:
            ((made,),) = conn.execute(_SQL["add_channel"], row).fetchall()
        except psycopg.errors.UniqueViolation:
            raise Conflict("exists", f"{name!r} is there already", "name") from None
        detail = {"kind": kind, "organisation": org}
        who = session.person.person_id
        audit.record(conn, "channel.add", "notification_channel", str(made), person_id=who, detail=detail)
    return int(made)


def set_channel(house: Services, session: Session, channel: int, *, enabled: bool | None) -> None:
    """Switch a channel on or off; None removes it. Raises Forbidden, NotFound."""
    with asking(house, session) as conn:
        found = conn.execute(_SQL["channel"], {"id": channel}).fetchone()
        if found is None or found[0] is None:
            raise NotFound("channel", channel)
        _of_organisation(conn, session, found[0])
        statement = _SQL["remove_channel"] if enabled is None else _SQL["enable_channel"]
        conn.execute(statement, {"id": channel, "enabled": enabled})
        what = "channel.remove" if enabled is None else "channel.enable" if enabled else "channel.disable"
        audit.record(conn, what, "notification_channel", str(channel), person_id=session.person.person_id)


def try_channels(house: Services, session: Session, org: str) -> None:
    """A test notification through every channel of an organisation. Raises Forbidden."""
    with asking(house, session) as conn:
        _of_organisation(conn, session, org)
        announce_test(conn, org, house.clock.now(), "en" if session.person.language == "en" else "zh")


def _of_organisation(conn: Connection, session: Session, org: str) -> None:
    """Raises Forbidden: the organisation's manager, or who administers it."""
    if session.person.scopes is None and session.person.may("channels:edit", "", [org]):
        return
    ((administers,),) = conn.execute(_SQL["administers"], {"kind": "organisation", "scope": org}).fetchall()
    if session.person.scopes is not None or not administers:
        raise Forbidden("channels:edit")


def read_list(session: Session, conn: Connection, content: bytes) -> duty_excel.Sheet:
    """Rows of a workbook, or every cell that is wrong. Raises Forbidden, Invalid(`file`)."""
    edits_duties(session)
    try:
        return duty_excel.read(content, load(), duties.areas(conn))
    except DutyListError as error:
        raise Invalid("file", str(error)) from error


def save_list(house: Services, session: Session, name: str, content: bytes) -> int:
    """A workbook without mistakes becomes a draft. Raises Forbidden, Invalid."""
    with asking(house, session) as conn:
        sheet = read_list(session, conn, content)
        if sheet.errors:
            first = sheet.errors[0]
            raise Invalid("file", f"{first.cell}: {first.problem}")
        if not name.strip() or not sheet.rows:
            raise Invalid("name", "a name and at least one row are needed")
        return duties.save_draft(conn, name.strip(), sheet.rows, created_by=session.person.person_id)


def publish_list(house: Services, session: Session, list_id: int, since: datetime | None) -> None:
    """By a second person with an office's role. Raises Forbidden, Invalid."""
    edits_duties(session)
    with asking(house, session) as conn:
        if not duties.may_publish(conn, session.person.person_id):
            raise Forbidden("duties:edit (published by the office or an authority)")
        now = house.clock.now()
        duties.publish(conn, list_id, now, person_id=session.person.person_id, since=max(since, now) if since else None)


def withdraw_list(house: Services, session: Session, list_id: int) -> None:
    """Raises Forbidden, Invalid."""
    edits_duties(session)
    with asking(house, session) as conn:
        duties.withdraw(conn, list_id, person_id=session.person.person_id)


def explain_list(conn: Connection, list_id: int) -> tuple[duties.InForce, coverage.Coverage]:
    """Its rows and what they leave open. Raises NotFound."""
    try:
        found = duties.read_list(conn, list_id)
    except DutyListError:
        raise NotFound("list", list_id) from None
    return found, _coverage(found.rows)


@lru_cache(maxsize=8)
def _coverage(rows: tuple[Duty, ...]) -> coverage.Coverage:
    """Some 17,000 combinations, about half a second; the rows of a version never change."""
    return coverage.coverage(rows, load())


def replay_list(conn: Connection, list_id: int, since: datetime, until: datetime) -> duty_replay.Replay:
    """The cases of a period that this person sees, judged by this list and by the one in force."""
    now = duties.in_force(conn, until)
    after = duties.read_list(conn, list_id)
    return duty_replay.replay(conn, now.rows if now else (), after.rows, since, until, load())


def edits_duties(session: Session) -> None:
    """A list decides for everybody: a role in an area. Raises Forbidden."""
    in_area: list[Any] = [one for one in session.person.memberships if one.scope_kind == "area"]
    if session.person.scopes is not None or not any("duties:edit" in ROLES.get(one.role, ()) for one in in_area):
        raise Forbidden("duties:edit")
