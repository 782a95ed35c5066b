"""What will happen and who is meant, in words."""

import re

from watchkeep_console.outlook import Coming
from watchkeep_console.texts import Words

_BY_WARNING = re.compile(r"warning (\d+)(?: of ([^:]+))?(?:: (\w+))?")
_BY_VISIT = re.compile(r"visit (\d+), due ([\d-]+)")
_OF_THE_CASE = ("responsible", "first_responder", "supervising")
"""Parties that each case names for itself; the others stand in the vocabulary."""


def party_name(t: Words, party: str) -> str:
    return t.maybe("case", party) if party in _OF_THE_CASE else t.party(party)


def note_words(t: Words, note: str) -> str:
    """What a person wrote as it is; what dispatch notes by itself in the reader's language."""
    if found := _BY_WARNING.fullmatch(note):
        words = [t("case.by_warning", id=found[1]), found[2], t.condition(found[3]) if found[3] else ""]
        return " · ".join(word for word in words if word)
    if found := _BY_VISIT.fullmatch(note):
        return t("case.by_visit", id=found[1], day=found[2])
    return note


def said(t: Words, item: Coming) -> str:
    """What will happen, in words."""
    if item.kind == "auto_file":
        return t("duty.auto_file")
    clock, party = t.maybe("clock", item.clock), party_name(t, item.party)
    if item.kind == "yellow":
        return t("duty.yellow", clock=clock, party=party)
    if item.kind == "deadline":
        return t("duty.deadline", clock=clock, level=item.level, party=party)
    return t("duty.escalation", level=item.level, party=party)
