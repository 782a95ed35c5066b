"""One step of a case by a person: what is asked, what decides, and the guards of lifecycle.TRANSITIONS. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeep_dispatch.clocks import DEFAULT_CALENDAR, WorkCalendar
from watchkeep_dispatch.errors import GuardFailed, NotAllowed
from watchkeep_dispatch.lifecycle import GUARDS, Transition, next_state, rank
from watchkeep_dispatch.orders import Case


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks, when (UTC), and for what version of the case.

    `version` None = whatever it is now. `key` makes a repeated request harmless. `approver_id` is the superior who is
    asked for a pause, `org_id` the organisation proposed or chosen.
    """

    person_id: str
    now: datetime
    version: int | None = None
    key: str | None = None
    reason: str = ""
    org_id: str | None = None
    approver_id: str | None = None
    into_case_id: int | None = None
    """The case that a merge goes into."""
    to_class: str = ""
    """The class that a case is raised to."""
    assignee_id: str | None = None
    """The person an order is given to."""
    due: datetime | None = None
    """The new finish deadline of an extension."""
    calendar: WorkCalendar = DEFAULT_CALENDAR
    """Working hours that new deadlines count in."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence; `kind` is one of duty_file.EVIDENCE, `content` the bytes of a photo.

    `media_type` is what the sender says; what is stored is told by the content.
    """

    kind: str
    note: str = ""
    media_type: str = ""
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """The case after an action; `repeated` when the idempotency key had done it before."""

    case_id: int
    state: str
    version: int
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class LeadOrder:
    """The open lead order of a case."""

    order_id: int
    org_id: str
    assignee_id: str | None
    state: str
    dispatched_at: datetime
    arrived_at: datetime | None
    respond_due: datetime | None
    arrive_due: datetime | None
    finish_due: datetime | None


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the guards ask about a case."""

    handlers: list[str]
    evidence: list[str]
    open_warnings: int
    was_on_site: bool
    needed: list[str]
    returned_by: list[str]
    cleared_at: datetime | None
    """When the last of its warnings cleared."""
    clear_for: timedelta | None
    open_helpers: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A pause that was asked for; `roles` of whoever asked, towards this case."""

    request_id: int
    asked_by: str
    asked_at: datetime
    reason: str
    roles: frozenset[str]

    def decidable_by(self, person_id: str, roles: frozenset[str], handlers: Iterable[str]) -> bool:
        """Four eyes: somebody else, of higher rank, who has not worked on the case."""
        return person_id not in (self.asked_by, *handlers) and rank(roles) > rank(self.roles)


@dataclass(frozen=True, slots=True)
class Step:
    """All that decides about one step."""

    row: Transition
    case: Case
    order: LeadOrder | None
    facts: CaseFacts
    roles: frozenset[str]
    organisations: frozenset[str]
    request: Request
    licensed: bool = True
    pause: Asked | None = None
    """The pause that was asked for and still holds."""


def check(step: Step) -> None:
    """Raises NotAllowed or GuardFailed. Pure."""
    if next_state(step.row.action, step.case.state) is None:
        raise NotAllowed(step.row.action, step.case.state, role_missing=False)
    if not step.roles & set(step.row.actors):
        raise NotAllowed(step.row.action, step.case.state, role_missing=True)
    for guard in step.row.guards:
        if not _GUARDS[guard](step):
            raise GuardFailed(guard, f"not met: {GUARDS[guard]}")


_GUARDS: Mapping[str, Callable[[Step], bool]] = {
    "reason": lambda s: bool(s.request.reason.strip()),
    "proposed_party": lambda s: (
        s.request.org_id is not None and s.order is not None and s.request.org_id != s.order.org_id
    ),
    "own_order": lambda s: s.order is not None and s.order.org_id in s.organisations,
    "licensed": lambda s: s.licensed,
    "arrived": lambda s: s.order is not None and (s.order.arrived_at is not None or s.order.arrive_due is None),
    "helpers_done": lambda s: s.facts.open_helpers == 0,
    "evidence": lambda s: set(s.facts.needed) <= set(s.facts.evidence),
    "pause_asked": lambda s: s.pause is not None,
    "superior": lambda s: s.pause is not None and s.pause.decidable_by(s.request.person_id, s.roles, s.facts.handlers),
    "not_handler": lambda s: s.request.person_id not in s.facts.handlers,
    "sensor_normal": lambda s: s.facts.open_warnings == 0,
    "clear_long_enough": lambda s: clear_long_enough(s.facts, s.case.now),
    "confirmed_on_site": lambda s: not s.case.life_safety or s.facts.was_on_site,
    "another_party": lambda s: s.request.org_id is not None and s.request.org_id not in s.facts.returned_by,
    "into_open_case": lambda s: s.request.into_case_id not in (None, s.case.case_id),
    "recurs_soon": lambda s: False,  # the service alone reopens, when it judges a warning
}


def clear_long_enough(facts: CaseFacts, now: datetime) -> bool:
    """Whether the sensor has been normal for as long as the duty asks. Pure."""
    return facts.clear_for is None or facts.cleared_at is None or now - facts.cleared_at >= facts.clear_for
