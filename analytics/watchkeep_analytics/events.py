"""Device events → signals: no statistics, no waiting. Pure: what is known of the equipment is an argument."""

from collections.abc import Mapping

from watchkeep_analytics.signals import Signal, Tier
from watchkeep_analytics.suppression import Modes
from watchkeep_core import vocabulary
from watchkeep_core.rows import CommittedEvent
from watchkeep_core.vocabulary_rows import Condition

DETECTOR = "events"
VERSION = "1"

FALLBACK = "unknown_code"
"""Condition of a code that the vocabulary does not know; what was said stands in the evidence."""

_TIERS: dict[str, Tier] = {"A": "alarm", "B": "warning", "C": "warning"}

Kinds = Mapping[tuple[str, str], str]
"""(community, equipment) → kind."""


def judge(event: CommittedEvent, kinds: Kinds) -> Signal:
    """One signal for one event; an untrusted stamp is replaced by the time of receipt."""
    said = event.condition
    words = vocabulary.load().conditions
    condition = words.get(said) or words[FALLBACK]
    kind = kinds.get((event.community, event.equipment))
    return Signal(
        community=event.community,
        equipment=event.equipment,
        condition=condition.id,
        tier=_tier(condition),
        active=event.active,
        detector=DETECTOR,
        version=VERSION,
        event_us=event.t_us if event.trusted else event.received_us,
        source=f"event:{said}",
        text="event" if said in words else "event_unknown",
        evidence={
            "actual": said,
            "driver": "device",
            "attributes": event.attributes,
            "event_id": event.event_id,
            "trusted": event.trusted,
            "stamp_us": event.t_us,
            "received_us": event.received_us,
            "basis": "the device says so",
            "mark": "S" if said in words else "unknown",
            "rule": "event",
            **({} if kind else {"unknown_equipment": True}),
        },
    )


def note_modes(events: list[CommittedEvent], modes: Modes) -> None:
    """Test and inspection modes that devices announce, for the suppression of everything else."""
    words = vocabulary.load().conditions
    for event in events:
        condition = words.get(event.condition)
        if condition is not None and condition.suppresses:
            reason = f"mode: {condition.id}" if event.active else ""
            t_us = event.t_us if event.trusted else event.received_us
            modes.set(event.community, event.equipment, condition.id, t_us, reason)


def may_be_held_back(event: CommittedEvent) -> bool:
    """Whether a mode of the equipment can matter: it opens a warning, and is no life safety."""
    condition = vocabulary.load().conditions.get(event.condition)
    return event.active and (condition is None or (condition.opens_warning and not condition.life_safety))


def _tier(condition: Condition) -> Tier:
    if not condition.opens_warning:
        return "notice"
    return "alarm" if condition.life_safety else _TIERS[condition.default_class]
