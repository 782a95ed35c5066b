"""What holds a warning back for a while: planned work, silence, the desk's time, flapping, a storm. Never life safety.

One query reads what the rules ask, then they are pure. A warning that outlasts its hold is judged again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import dict_row

from watchkeep_core.database import queries
from watchkeep_dispatch import verdicts
from watchkeep_dispatch.parties import Site
from watchkeep_dispatch.planning import Rules
from watchkeep_dispatch.rowset import rowset
from watchkeep_dispatch.verdicts import Outcome, Waiting

STORM_LOOK = timedelta(minutes=1)
"""How often a warning held by a storm is looked at again."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is going on around a warning; times UTC, in a replay community event time."""

    quiet_until: datetime | None
    quiet_rule: str | None
    """maintenance_window or silence."""
    quiet_reason: str | None
    openings: int
    """Earlier warnings of the same within the flapping time, counted as far as the rule asks."""
    has_case: bool
    """A case of it is open already: it joins that one whatever goes on."""
    storm_equipment: int | None
    """Pieces of equipment that warn in the community's storm; None = no storm."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a warning is held back, and until when (wall time); None = for good, it is over. Waiting is no verdict."""

    rule: str
    reason: str
    until: datetime | None
    waits: bool = False


Rule = Callable[[Waiting, Circumstances, Site, datetime, Rules], Hold | None]


def decide(warning: Waiting, around: Circumstances, site: Site, now: datetime, rules: Rules) -> Hold | None:
    """What the first rule that holds says; None = it goes on. Pure."""
    return next((held for rule in RULES if (held := rule(warning, around, site, now, rules))), None)


def put_back(conn: Connection, held: Sequence[tuple[Waiting, Hold]], now: datetime) -> dict[int, Outcome]:
    """Write the verdicts of holds, and when the warnings are looked at again."""
    said = [(one, "suppressed", found.rule, found.reason) for one, found in held if not found.waits]
    if said:
        verdicts.record_all(conn, said, now)
    if over := [one for one, found in held if found.until is None]:
        verdicts.done(conn, over)
    verdicts.postpone_all(conn, [(one, found.until) for one, found in held if found.until is not None])
    return {
        one.warning_id: Outcome(one.warning_id, "waits" if found.waits else "suppressed", found.rule)
        for one, found in held
    }


def quiet(warning: Waiting, around: Circumstances, site: Site, now: datetime, rules: Rules) -> Hold | None:
    """Planned work and silences suppress until their end."""
    if around.quiet_until is None or (around.quiet_until <= site.now and warning.status == "open"):
        return None
    until = now + (around.quiet_until - site.now) if warning.status == "open" else None
    return Hold(around.quiet_rule or "", around.quiet_reason or "", until)


def desk_time(warning: Waiting, around: Circumstances, site: Site, now: datetime, rules: Rules) -> Hold | None:
    """A staffed desk gets its time; what is over by then (and not class A) needs no case."""
    wait_s = rules.wait_s.get(warning.proposed_class, 0.0)
    if wait_s <= 0 or site.replay:
        return None
    due = warning.detected_at + timedelta(seconds=wait_s)
    if due > now:
        return Hold("auto_file", "", due, waits=True)
    if warning.status == "open" or warning.proposed_class == "A":
        return None
    return Hold("cleared_in_time", f"over before its {wait_s:g} s had passed", None)


def flapping(warning: Waiting, around: Circumstances, site: Site, now: datetime, rules: Rules) -> Hold | None:
    """What comes and goes all the time must stay for a while to be believed."""
    if around.has_case or warning.proposed_class == "A" or around.openings < rules.flap_openings:
        return None
    until = warning.detected_at + rules.flap_hold
    if warning.status == "open" and until <= now:
        return None
    reason = f"at least {around.openings + 1} times within {rules.flap_within}"
    return Hold("flapping", reason, until if warning.status == "open" else None)


def storm(warning: Waiting, around: Circumstances, site: Site, now: datetime, rules: Rules) -> Hold | None:
    """In a storm class B and C wait a little: most of it is one cause, and much of it is soon over."""
    if around.storm_equipment is None or around.has_case or warning.proposed_class == "A":
        return None
    latest = warning.detected_at + rules.storm_hold
    if warning.status == "open" and latest <= now:
        return None
    reason = f"{around.storm_equipment} pieces of equipment warned at once"
    return Hold("storm", reason, min(latest, now + STORM_LOOK) if warning.status == "open" else None)


RULES: tuple[Rule, ...] = (quiet, desk_time, flapping, storm)


def circumstances(conn: Connection, warnings: Sequence[Waiting], rules: Rules) -> dict[int, Circumstances]:
    """What the rules ask, by warning."""
    rows = [
        {
            "warning_id": warning.warning_id,
            "community_id": warning.community_id,
            "equipment_id": warning.equipment_id,
            "condition": warning.condition,
            "at": warning.event_at,
            "detected_at": warning.detected_at,
            "since": warning.detected_at - rules.flap_within,
        }
        for warning in warnings
    ]
    asked = {"rows": rowset(rows), "openings": rules.flap_openings}
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(queries("watchkeep_dispatch", "sql/filing.sql")["circumstances"], asked)
        return {row.pop("warning_id"): Circumstances(**row) for row in found}
