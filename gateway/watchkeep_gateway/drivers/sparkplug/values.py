"""From the metrics of one message to readings and events, each checked by itself: one bad value spoils no other."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from watchkeep_core.errors import MessageError
from watchkeep_gateway.drivers.mapping import Edges, Told, as_text, is_active, number_of
from watchkeep_gateway.drivers.sparkplug.births import Birth, Tag
from watchkeep_gateway.drivers.sparkplug.payload import Metric, Payload, value_of
from watchkeep_gateway.drivers.sparkplug.targets import Source
from watchkeep_gateway.values import DeviceEvent, Reading


@dataclass(slots=True)
class Outcome:
    """What one message comes to."""

    readings: list[Reading] = field(default_factory=list)
    events: list[DeviceEvent] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """Reason → the first example of it."""
    births: dict[str, bytes | None] = field(default_factory=dict)
    """Source → birth that must be known after a restart; None = forget it."""
    count: str = ""
    """What must be known of the node's counting after a restart."""
    unmapped: tuple[str, ...] = ()
    link: bool | None = None
    """The node has come (true) or gone."""
    rebirth: str = ""
    """Why the node must be born again; empty = it need not."""
    own_time: bool = False
    """The publisher stamped it, so that the same bytes again are the same message."""

    def refuse(self, error: MessageError) -> None:
        self.problems.setdefault(error.reason, error.detail)


class ValueReader:
    """Turns metrics into readings and events; keeps which conditions hold."""

    def __init__(self, edges: Edges) -> None:
        self._edges = edges

    def of_birth(self, source: Source, birth: Birth, payload: Payload, received_ms: int, outcome: Outcome) -> None:
        """A birth repeats current values: only what is newer than the last one taken was read anew."""
        for metric in payload.metrics:
            tag = birth.tag_of(metric)
            t_ms = _time(metric, payload, received_ms)
            if tag is not None and tag.target and t_ms > tag.t_ms:
                self._take(source, tag, metric, t_ms, outcome)

    def of_data(
        self, source: Source, birth: Birth, payload: Payload, received_ms: int, outcome: Outcome, *, by_alias: bool
    ) -> None:
        """`by_alias` = aliases are as the birth told; else only metrics that give their name are taken."""
        for metric in payload.metrics:
            if not metric.name and not by_alias:
                outcome.refuse(MessageError("no_birth", f"{source}: alias {metric.alias}, and births may be missing"))
                continue
            tag = birth.tag_of(metric)
            if tag is None:
                name = metric.name or f"alias {metric.alias}"
                outcome.refuse(MessageError("unknown_alias", f"{source}: no birth told of {name[:200]}"))
                outcome.rebirth = f"unknown metric {name[:80]}"
            elif tag.target:
                self._take(source, tag, metric, _time(metric, payload, received_ms), outcome)

    def silent(
        self, source: Source, equipment: Sequence[str], t_ms: int, condition: str, kind: str
    ) -> list[DeviceEvent]:
        """`kind`: of the message that said so; a birth ends the silence."""
        active = kind.endswith("DEATH")
        told = [Told(t_ms, name, condition, active, kind, str(source)) for name in equipment]
        return [event for one in told for event in self._edges.events(one)]

    def _take(self, source: Source, tag: Tag, metric: Metric, t_ms: int, outcome: Outcome) -> None:
        if tag.target is None:
            return
        equipment, row = tag.target
        try:
            value = value_of(metric, tag.datatype or metric.datatype, row.element)
            if value is None:  # the publisher does not know it: the point falls silent
                return
            number = number_of(value, row) if row.metric else 0.0
        except MessageError as error:
            outcome.refuse(MessageError(error.reason, f"{source} {tag.name[:200]}: {error.detail}"))
            return
        if row.metric:
            outcome.readings.append(Reading(equipment, row.metric, t_ms, number, metric.quality))
        active = is_active(value, row) if row.condition and t_ms >= tag.t_ms else None
        if active is not None:  # an older value tells how it was, not how it is
            told = Told(t_ms, equipment, row.condition, active, as_text(value), f"{source} {tag.name}")
            outcome.events += self._edges.events(told)
        tag.t_ms = max(tag.t_ms, t_ms)


def _time(metric: Metric, payload: Payload, received_ms: int) -> int:
    if metric.t_ms is not None:
        return metric.t_ms
    return received_ms if payload.t_ms is None else payload.t_ms
