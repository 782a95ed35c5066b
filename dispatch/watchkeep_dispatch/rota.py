"""Assignment inside the responsible organisation: who is on call, who is licensed, whose turn it is.

Modes: on_call (of those on call, who has least to do), round_robin (who had nothing longest), grab (the first who
accepts) and manual (a manager assigns). An organisation without a rule grabs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from watchkeep_core import audit
from watchkeep_core.database import queries
from watchkeep_dispatch.errors import RotaError
from watchkeep_dispatch.notify.outbox import announce
from watchkeep_dispatch.rowset import rowset

MODES = ("on_call", "round_robin", "grab", "manual")
LICENCES = {"elevator": "special_equipment", "escalator": "special_equipment", "control_room": "fire_operator"}
"""Kind of equipment → certificate that work on it needs (特种设备作业人员证, 消防设施操作员证). It is asked for once
the organisation has entered any certificate of that sort: nobody is locked out before the register is filled."""
SKILLS = tuple(dict.fromkeys(LICENCES.values()))
GAP_AHEAD = timedelta(days=3)
"""A gap is warned of when it begins within this time."""
AT_ONCE = 50
"""Orders that nobody has and that are looked at in one round."""
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be given an order; `last_at` = when the last one came."""

    mode: str
    person_id: str
    on_call: bool
    technician: bool
    licensed: bool
    open_orders: int
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nobody is on call."""

    since: datetime
    until: datetime


def choose(candidates: Iterable[Candidate]) -> str | None:
    """The person who gets the order by the organisation's mode; None when there is nobody, or people decide. Pure."""
    able = [one for one in candidates if one.licensed and (one.on_call if one.mode == "on_call" else one.technician)]
    if not able:
        return None

    def turn(one: Candidate) -> tuple[int, datetime, int, str]:
        # orders of one moment, as in a burst, go round by what each has
        least = one.open_orders if one.mode == "on_call" else 0
        return (least, one.last_at or _EVER, one.open_orders, one.person_id)

    return min(able, key=turn).person_id


def gaps(shifts: Sequence[tuple[datetime, datetime]], since: datetime, until: datetime) -> tuple[Gap, ...]:
    """Times in [since, until) that no shift covers. Pure."""
    found: list[Gap] = []
    covered = since
    for begins, ends in sorted(shifts):
        if begins > covered:
            found.append(Gap(covered, min(begins, until)))
        covered = max(covered, ends)
        if covered >= until:
            break
    if covered < until:
        found.append(Gap(covered, until))
    return tuple(gap for gap in found if gap.since < gap.until)


def pick(conn: Connection, org_id: str, community: str, equipment: str | None, now: datetime) -> str | None:
    """Who gets a new order of this organisation; None = whoever accepts it."""
    return pick_all(conn, [(org_id, community, equipment, now)])[0]


def pick_all(conn: Connection, orders: Sequence[tuple[str, str, str | None, datetime]]) -> list[str | None]:
    """The same for several new orders (organisation, community, equipment, when): each counts for the next one."""
    rows = [
        {"n": n, "org_id": org_id, "community_id": community, "equipment_id": equipment, "now": now}
        for n, (org_id, community, equipment, now) in enumerate(orders)
    ]
    candidates: dict[int, list[Candidate]] = {}
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_sql("candidates"), {"asked": rowset(rows), "licences": Jsonb(LICENCES)}):
            candidates.setdefault(row.pop("n"), []).append(Candidate(**row))
    given: dict[str, list[datetime]] = {}
    chosen: list[str | None] = []
    for n, order in enumerate(orders):
        person = choose(_with(one, given.get(one.person_id)) for one in candidates.get(n, ()))
        if person:
            given.setdefault(person, []).append(order[3])
        chosen.append(person)
    return chosen


def _with(one: Candidate, given: Sequence[datetime] | None) -> Candidate:
    """A candidate who has been given orders that the database does not hold yet. Pure."""
    if not given:
        return one
    last_at = max(given) if one.last_at is None else max(one.last_at, *given)
    return replace(one, open_orders=one.open_orders + len(given), last_at=last_at)


def licensed(conn: Connection, person_id: str, org_id: str, community: str, equipment: str | None) -> bool:
    """Whether somebody may work on this equipment."""
    found = conn.execute(_sql("licensed"), _about(org_id, community, equipment) | {"person": person_id}).fetchone()
    return bool(found and found[0])


def works_for(conn: Connection, person_id: str, org_id: str) -> bool:
    """Whether somebody belongs to an organisation."""
    found = conn.execute(_sql("works_for"), {"person": person_id, "org": org_id}).fetchone()
    return bool(found and found[0])


def give(conn: Connection, order_id: int, person_id: str) -> None:
    """Write the assignee of an order."""
    conn.execute(_sql("assign"), {"order": order_id, "person": person_id})


def add_shift(
    conn: Connection, org_id: str, person_id: str, since: datetime, until: datetime, *, community: str | None = None,
    by: str | None = None,
) -> int:  # fmt: skip
    """Put somebody on call; returns the shift. Raises RotaError."""
    if since >= until:
        raise RotaError("until", "must be later than the beginning")
    _check_person(conn, org_id, person_id, since, until, community, None)
    row = {"org": org_id, "community": community, "person": person_id, "since": since, "until": until}
    if community is not None and conn.execute(_sql("may_serve"), row).fetchone() is None:
        raise RotaError("community", f"{community} is not there, or {org_id} has no contract for it then")
    found = conn.execute(_sql("add_shift"), row).fetchone()
    assert found is not None  # noqa: S101  INSERT … RETURNING
    detail = {"person": person_id, "from": since.isoformat(), "until": until.isoformat()}
    audit.record(conn, "rota.add", "organisation", org_id, person_id=by, detail=detail)
    return int(found[0])


def swap(conn: Connection, shift_id: int, to: str, reason: str, now: datetime, *, by: str | None) -> None:
    """Give a shift that is not over to somebody else; the reason is kept. Raises RotaError."""
    if not reason.strip():
        raise RotaError("reason", "must be given")
    with conn.cursor(row_factory=dict_row) as cursor:
        shift = cursor.execute(_sql("shift"), [shift_id]).fetchone()
    if shift is None or shift["until"] <= now:
        raise RotaError("shift", f"{shift_id} is not there, or over")
    if shift["person_id"] == to:
        raise RotaError("person", "has this shift already")
    _check_person(conn, shift["org_id"], to, shift["since"], shift["until"], shift["community_id"], shift_id)
    conn.execute(_sql("give_shift"), {"shift": shift_id, "to": to})
    row = {"shift": shift_id, "from": shift["person_id"], "to": to, "reason": reason, "by": by, "now": now}
    conn.execute(_sql("note_swap"), row)
    detail = {"shift": shift_id, "from": shift["person_id"], "to": to, "reason": reason}
    audit.record(conn, "rota.swap", "organisation", shift["org_id"], person_id=by, detail=detail)


def drop_shift(conn: Connection, shift_id: int, *, by: str | None) -> None:
    """Take a shift out of the rota. Raises RotaError."""
    found = conn.execute(_sql("drop_shift"), [shift_id]).fetchone()
    if found is None:
        raise RotaError("shift", f"{shift_id} is not there")
    audit.record(conn, "rota.drop", "organisation", found[0], person_id=by, detail={"shift": shift_id})


def shifts(conn: Connection, org_id: str, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """The rota of an organisation in a period."""
    return _rows(conn, "shifts", {"org": org_id, "since": since, "until": until})


def gaps_of(conn: Connection, org_id: str, since: datetime, until: datetime) -> tuple[Gap, ...]:
    """When nobody of an organisation is on call; a shift for one community alone does not cover the others."""
    found = shifts(conn, org_id, since, until)
    return gaps([(row["since"], row["until"]) for row in found if row["community_id"] is None], since, until)


def load(conn: Connection, org_id: str, now: datetime) -> list[dict[str, Any]]:
    """Open orders, urgent and overdue ones of everybody in an organisation; login null = nobody has them."""
    return _rows(conn, "load", {"org": org_id, "now": now})


def set_mode(conn: Connection, org_id: str, mode: str, *, by: str | None) -> None:
    """How an organisation assigns. Raises RotaError."""
    if mode not in MODES:
        raise RotaError("mode", f"{mode!r}: expected one of {', '.join(MODES)}")
    if conn.execute(_sql("organisation"), [org_id]).fetchone() is None:
        raise RotaError("organisation", f"{org_id!r} is not there")
    conn.execute(_sql("set_mode"), [org_id, mode])
    audit.record(conn, "rota.mode", "organisation", org_id, person_id=by, detail={"mode": mode})


def add_skill(
    conn: Connection, person_id: str, skill: str, certificate: str, since: date, until: date, *, by: str | None
) -> None:
    """Enter a certificate, valid from and to and with these days. Raises RotaError."""
    if skill not in SKILLS:
        raise RotaError("skill", f"{skill!r}: expected one of {', '.join(SKILLS)}")
    if until < since:
        raise RotaError("until", "is before the beginning")
    row = {"person": person_id, "skill": skill, "certificate": certificate, "since": since, "until": until}
    try:
        with conn.transaction():
            conn.execute(_sql("add_skill"), row)
    except psycopg.errors.UniqueViolation:
        raise RotaError("skill", f"{skill} from {since} has been entered already") from None
    audit.record(
        conn, "skill.add", "person", person_id, person_id=by, detail={"skill": skill, "until": until.isoformat()}
    )


def skills(conn: Connection, org_id: str, today: date) -> list[dict[str, Any]]:
    """Certificates of an organisation's people, those that end first at the top."""
    return _rows(conn, "skills", {"org": org_id, "today": today})


def assign_open(conn: Connection, now: datetime) -> int:
    """Give orders that nobody has to whoever has come on call, or whose turn it is; returns how many."""
    given = 0
    for order_id, org_id, community, equipment in conn.execute(_sql("nobody_has"), [AT_ONCE]).fetchall():
        if chosen := pick(conn, org_id, community, equipment, now):
            give(conn, order_id, chosen)
            given += 1
    return given


def warn_of_gaps(conn: Connection, now: datetime) -> int:
    """Tell every organisation that assigns by rota of its next gap, once; returns how many were told."""
    told = 0
    for (org_id,) in conn.execute(_sql("on_call_organisations")).fetchall():
        for gap in gaps_of(conn, org_id, now.replace(minute=0, second=0, microsecond=0), now + GAP_AHEAD)[:1]:
            # A gap that has begun moves on with the clock: it is one gap, told of once a day.
            day = f"{now:%Y-%m-%d}" if gap.since <= now else gap.since.isoformat()
            values = {"since": f"{gap.since:%m-%d %H:%M}", "until": f"{gap.until:%m-%d %H:%M}"}
            told += len(announce(conn, "rota_gap", [org_id], values, key=f"rota/{org_id}/gap/{day}", now=now))
    return told


def _about(org_id: str, community: str, equipment: str | None) -> dict[str, Any]:
    return {"org": org_id, "community": community, "equipment": equipment, "licences": Jsonb(LICENCES)}


def _check_person(
    conn: Connection, org_id: str, person_id: str, since: datetime, until: datetime, community: str | None,
    but: int | None,
) -> None:  # fmt: skip
    if not works_for(conn, person_id, org_id):
        raise RotaError("person", f"does not belong to {org_id}")
    row = {"org": org_id, "person": person_id, "since": since, "until": until, "community": community, "but": but}
    if found := conn.execute(_sql("overlapping"), row).fetchone():
        raise RotaError("person", f"is on call then already (shift {found[0]})")


def _rows(conn: Connection, name: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_sql(name), values).fetchall()


def _sql(name: str) -> sql.SQL:
    return queries("watchkeep_dispatch", "sql/rota.sql")[name]
