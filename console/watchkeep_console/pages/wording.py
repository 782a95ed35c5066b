"""What will happen and who is meant, in words."""

from watchkeep_console.outlook import Coming
from watchkeep_console.texts import Words

_OF_THE_CASE = ("responsible", "first_responder", "supervising")
"""Parties that each case names for itself; the others stand in the vocabulary."""


def party_name(t: Words, party: str) -> str:
    return t.maybe("case", party) if party in _OF_THE_CASE else t.party(party)


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
