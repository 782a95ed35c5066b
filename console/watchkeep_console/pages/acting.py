"""Any act on a case from a page: the form follows from dispatch's declared guards; a new row needs no new page."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from psycopg import Connection

from watchkeep_console import models as m
from watchkeep_console import reads, work
from watchkeep_console.pages.dialogs import Field, ask
from watchkeep_console.pages.tabs import Tab
from watchkeep_console.texts import ZONE
from watchkeep_dispatch.actions import Evidence
from watchkeep_dispatch.lifecycle import TRANSITIONS
from watchkeep_dispatch.work_order import CLASSES

_GUARDS = {row.action: row.guards for row in TRANSITIONS} | {
    work.RAISE: ("class", "reason"),
    work.REFUSE_PAUSE: ("reason",),
    "extend": ("due", "reason"),
    "assign": ("assignee",),
    "assist": ("another_party", "reason"),
    work.CALL_BACK: ("reached", "satisfied"),
}
"""What dispatch asks of an act; those beside its table are declared with their functions (granting, joint)."""
_INPUTS = {
    "proposed_party": ("org_id", "case.proposed_org"),
    "another_party": ("org_id", "case.proposed_org"),
    "into_open_case": ("into_case_id", "case.into"),
    "class": ("to_class", "case.to_class"),
    "approver": ("approver", "case.approver"),
    "due": ("due", "dossier.due"),
    "assignee": ("assignee", "dossier.assignee"),
    "reached": ("reached", "dossier.reached"),
    "satisfied": ("satisfied", "dossier.satisfied"),
}
_OPTIONAL = frozenset({"satisfied"})
DANGER = frozenset({"dismiss", "return", work.REFUSE_PAUSE, "rework", "enter_ledger"})
FORWARD = ("accept", "arrive", "finish", "verify", "close", "resume", "redispatch", "strike", work.CALL_BACK)
"""Acts that bring a case nearer to its end; the first possible one is the page's main button."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked before an act."""

    fields: list[Field]
    choices: dict[str, Mapping[str, str]] = field(default_factory=dict)
    oath: str = ""


def form(tab: Tab, case: m.Case, action: str, offered: Mapping[str, Mapping[str, str]]) -> Form:
    """The fields that the act's guards ask for; `offered` holds the choices that come from the database. Pure."""
    t, guards = tab.t, _GUARDS.get(action, ())
    fields: list[Field] = [(*_labelled(tab, guard), guard not in _OPTIONAL) for guard in guards if guard in _INPUTS]
    reasoned = "reason" in guards
    label = t("board.reason") if reasoned else t("dossier.evidence_note") if action == "arrive" else t("case.note")
    fields.append(("note", label, reasoned))
    choices = {name: offered[name] for name, _, _ in fields if name in offered}
    if "class" in guards:
        choices["to_class"] = {name: t.class_name(name) for name in CLASSES if name < case.case_class}
    yes_no = {"yes": t("dossier.yes"), "no": t("dossier.no")}
    choices |= {name: yes_no for name, _, _ in fields if name in ("reached", "satisfied")}
    oath = t("duty.confirm_a") if action == "dismiss" and case.case_class == "A" else ""
    return Form(fields, choices, oath)


def _labelled(tab: Tab, guard: str) -> tuple[str, str]:
    name, label = _INPUTS[guard]
    return name, tab.t(label)


def offers(conn: Connection, case: m.Case, action: str) -> dict[str, Mapping[str, str]]:
    """Organisations and open cases that an act may name."""
    guards = _GUARDS.get(action, ())
    found: dict[str, Mapping[str, str]] = {}
    if {"proposed_party", "another_party"} & set(guards):
        found["org_id"] = dict(reads.proposable(conn, case.case_id))
    if "into_open_case" in guards:
        found["into_case_id"] = {
            str(other.case_id): f"#{other.case_id} {other.title_zh}"
            for other in reads.cases(conn, community=case.community_id, is_open=True, limit=reads.MAX_PAGE).items
            if other.case_id != case.case_id and (not case.life_safety or other.equipment_id == case.equipment_id)
        }
    return found


async def perform(tab: Tab, case: m.Case, action: str, zone: ZoneInfo = ZONE) -> m.Done | None:
    """Ask for what the act needs, then take it; what happened is said. None = not done."""
    t = tab.t
    offered = await tab.read(offers, case, action)
    if offered.get("into_case_id") == {}:
        tab.say(t("duty.nothing_to_merge"), "info")
        return None
    wanted = form(tab, case, action, offered)
    title = t.maybe("action", action)
    answer = await ask(tab, title, wanted.fields, wanted.choices, moments=("due",), oath=wanted.oath)
    if answer is None:
        return None
    if "due" in answer and _moment(answer["due"], zone) is None:
        tab.say(t("dossier.bad_due"), "negative")
        return None
    act, key = _act(case, action, answer, zone), secrets.token_urlsafe(12)
    done = await tab.act(lambda who: work.act(tab.house, who, case.case_id, act, key))
    if done is not None:
        happened = work.happened(action, done)
        said = {"merge": t("duty.merged", id=act.into_case_id), "ask_pause": t("case.pause_asked")}.get(happened)
        tab.say(said or t("case.done", action=t.maybe("action", action)))
    return done


def _act(case: m.Case, action: str, answer: Mapping[str, str], zone: ZoneInfo) -> work.Act:
    note = answer.get("note", "")
    told = action in ("arrive", "finish", "verify") and note
    return work.Act(
        action,
        case.version,
        note,
        answer.get("org_id"),
        answer.get("approver"),
        into_case_id=int(answer["into_case_id"]) if "into_case_id" in answer else None,
        to_class=answer.get("to_class", ""),
        evidence=(Evidence("note", note),) if told else (),
        assignee=answer.get("assignee"),
        due=_moment(answer.get("due", ""), zone),
        reached=answer.get("reached", "yes") == "yes",
        satisfied={"yes": True, "no": False}.get(answer.get("satisfied", "")),
    )


def _moment(text: str, zone: ZoneInfo) -> datetime | None:
    """What a date field holds, on the wall clock of the zone."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        return None
