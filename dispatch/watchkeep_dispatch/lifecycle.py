"""The life of a case as one declared table: who may do what in which state, under which guards, with what evidence.

The lead order of a case carries the same states: while open, its state is the state of its case. It ends as `returned`,
`rework`, `ledger`, `not_filed`, `merged` or `closed`; the case lives on with its next lead order, or ends itself.
Code, documentation and diagram come from `TRANSITIONS` alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass

HANDLERS = ("technician", "maintainer_manager", "property_manager", "safety_manager")
"""Roles that work on an order; they must also belong to the order's organisation (guard own_order)."""
DESK = ("duty_officer", "subdistrict_office", "city_office")
VERIFIERS = (
    "verifier",
    "duty_officer",
    "property_manager",
    "owners_representative",
    "supervisor",
    "subdistrict_office",
)

RANKS = {
    "technician": 1,
    "safety_manager": 2,
    "property_manager": 3,
    "maintainer_manager": 3,
    "duty_officer": 4,
    "supervisor": 4,
    "subdistrict_office": 5,
    "city_office": 6,
}
"""Who is above whom when a pause or more time is granted; a role that is not named grants nothing."""
SUSPENDERS = (*HANDLERS, *DESK, "supervisor")
"""Handlers ask for a pause, superiors of whoever asked approve it: by the same act."""
CALLERS = (*DESK, "property_manager", "supervisor")
"""Roles that call the reporter back (回访)."""

STATES = {
    "filed": "立案",
    "dispatched": "派单",
    "accepted": "响应",
    "on_site": "到场",
    "suspended": "暂停",
    "resolved": "反馈",
    "rework": "返工",
    "verified": "核查",
    "closed": "结案",
    "returned": "退回",
    "not_filed": "不予立案（误报）",
    "ledger": "挂账",
    "merged": "并案",
}
FINAL = ("closed", "not_filed", "merged")
"""In these states a case is over; `closed` can be opened again by a recurrence."""
NOTES = {
    "recur": "the same warning came again while the case was open",
    "fold": "a symptom was found to belong to the case",
    "raise_class": "the class was raised, by the desk or by a warning that rose",
    "extend": "a superior granted more time, with a reason, at most ten working days in all",
    "assign": "a manager gave the order to one of the organisation's people",
    "call_back": "the reporter was called back after closing",
    "assist": "another organisation was called in to help; it has an order of its own",
    "help_accept": "a helper accepted its order",
    "help_arrive": "a helper arrived",
    "help_finish": "a helper is done; the lead cannot report before",
    "help_end": "a helper was sent home",
    "ask_pause": "a handler asked for a pause by `suspend`; clocks go on until a superior takes the same act",
    "refuse_pause": "a superior refused the pause",
}
"""Recorded among the transitions without a change of state."""

GUARDS = {
    "reason": "a reason is given",
    "proposed_party": "another organisation is proposed",
    "own_order": "the person belongs to the organisation that has the order",
    "licensed": "the person holds the certificate that this equipment asks for",
    "arrived": "somebody has arrived, where the duty asks for it",
    "helpers_done": "no organisation that helps has an open order",
    "evidence": "all evidence that the duty asks for is there",
    "pause_asked": "a pause was asked for within the last 24 hours",
    "superior": "a superior of whoever asked, who has not worked on the case, does it on a login of his own",
    "not_handler": "the person has not worked on this case",
    "sensor_normal": "all warnings of the case are cleared",
    "clear_long_enough": "the sensor has been normal for as long as the duty asks",
    "confirmed_on_site": "for life safety: somebody was on site",
    "another_party": "the order goes to an organisation that has not returned it",
    "into_open_case": "another open case of the community takes it in; life safety only for the same equipment",
    "recurs_soon": "the condition came back within the time set for reopening",
}


@dataclass(frozen=True, slots=True)
class Transition:
    """One row of the table; `system` among the actors stands for the service itself."""

    action: str
    from_states: tuple[str, ...]
    to: str
    actors: tuple[str, ...]
    guards: tuple[str, ...] = ()
    evidence: str = ""


TRANSITIONS = (
    Transition("file", (), "filed", ("system", "duty_officer")),
    Transition("dispatch", ("filed",), "dispatched", ("system", "duty_officer")),
    Transition("accept", ("dispatched",), "accepted", HANDLERS, ("own_order", "licensed")),
    Transition(
        "arrive", ("dispatched", "accepted"), "on_site", HANDLERS, ("own_order", "licensed"), "scan, photo or position"
    ),
    Transition("suspend", ("on_site",), "suspended", SUSPENDERS, ("reason", "pause_asked", "superior")),
    Transition("resume", ("suspended",), "on_site", (*HANDLERS, *DESK)),
    Transition(
        "finish",
        ("accepted", "on_site", "rework"),
        "resolved",
        HANDLERS,
        ("own_order", "arrived", "helpers_done", "evidence"),
        "per duty",
    ),
    Transition("return", ("dispatched", "accepted"), "returned", HANDLERS, ("own_order", "reason", "proposed_party")),
    Transition("redispatch", ("returned",), "dispatched", ("system", *DESK), ("another_party",)),
    Transition("rework", ("resolved",), "rework", VERIFIERS, ("not_handler", "reason")),
    Transition("verify", ("resolved",), "verified", VERIFIERS, ("not_handler", "sensor_normal", "evidence")),
    Transition(
        "close",
        ("verified",),
        "closed",
        (*DESK, "property_manager"),
        ("not_handler", "sensor_normal", "clear_long_enough"),
    ),
    Transition("reopen", ("closed",), "dispatched", ("system",), ("recurs_soon",)),
    Transition(
        "dismiss",
        ("filed", "dispatched", "accepted", "on_site"),
        "not_filed",
        (*DESK, "property_manager", "safety_manager"),
        ("reason", "confirmed_on_site"),
    ),
    Transition(
        "merge",
        ("filed", "dispatched", "accepted", "on_site"),
        "merged",
        ("system", *DESK),
        ("reason", "into_open_case"),
    ),
    Transition(
        "enter_ledger",
        ("returned", "dispatched", "accepted", "on_site", "suspended", "rework"),
        "ledger",
        DESK,
        ("reason",),
    ),
    Transition("strike", ("ledger",), "closed", ("subdistrict_office", "city_office"), ("reason", "sensor_normal")),
)


def transition(action: str) -> Transition:
    """The row of an action. Raises KeyError."""
    return _BY_ACTION[action]


def next_state(action: str, state: str | None) -> str | None:
    """Where an action leads from a state (None: no case yet); None when it is not possible there."""
    row = _BY_ACTION.get(action)
    if row is None or (state not in row.from_states if state is not None else row.from_states != ()):
        return None
    return row.to


def rank(roles: Iterable[str]) -> int:
    """The highest rank among some roles; 0 for those that grant nothing."""
    return max((RANKS.get(role, 0) for role in roles), default=0)


def allowed_actions(state: str | None, role: str) -> tuple[str, ...]:
    """What a role may try in a state; guards are checked when it does."""
    return tuple(row.action for row in TRANSITIONS if next_state(row.action, state) and role in row.actors)


def markdown() -> str:
    """The table for the documentation."""
    lines = ["| action | from | to | actors | guards | evidence |", "|---|---|---|---|---|---|"]
    for row in TRANSITIONS:
        cells = (
            f"`{row.action}`",
            ", ".join(f"`{state}`" for state in row.from_states) or "–",
            f"`{row.to}` {STATES[row.to]}",
            ", ".join(row.actors),
            "; ".join(GUARDS[guard] for guard in row.guards) or "–",
            row.evidence or "–",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def mermaid() -> str:
    """The state diagram for the documentation."""
    lines = ["stateDiagram-v2"]
    lines += [f"    {state}: {state} {name}" for state, name in STATES.items()]
    for row in TRANSITIONS:
        lines += [f"    {source} --> {row.to}: {row.action}" for source in row.from_states or ("[*]",)]
    lines += [f"    {state} --> [*]" for state in FINAL]
    return "\n".join(lines) + "\n"


_BY_ACTION = {row.action: row for row in TRANSITIONS}
