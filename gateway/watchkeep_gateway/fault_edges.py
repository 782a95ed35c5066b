"""What is wrong now, read again and again, to events: raised once, cleared once, also over a restart."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from watchkeep_gateway.codes import CodeReader
from watchkeep_gateway.values import DeviceEvent


@dataclass(frozen=True, slots=True)
class Fault:
    """A condition that a source says is active now."""

    condition: str
    raw_code: str
    profile: str = ""


def reader_of(codes: CodeReader) -> Callable[[str, str], Fault | None]:
    """(equipment, raw code) → what it means by the equipment's profile; None = no fault."""

    def fault(equipment: str, raw: str) -> Fault | None:
        for event in codes.read(equipment, raw, True, 0, {}, {}):
            return Fault(event.condition, raw, event.profile)
        return None

    return fault


@dataclass(slots=True)
class FaultEdges:
    """Of one piece of equipment, whose faults may stand in several registers (`sources`).

    What was told before a restart is cleared only after every source was heard.
    """

    equipment: str
    sources: frozenset[str]
    raised: dict[str, Fault] = field(default_factory=dict)
    """Condition → how it was last told."""
    _said: dict[str, tuple[Fault, ...]] = field(default_factory=dict)

    def take(self, said: Mapping[str, Iterable[Fault]], t_ms: int) -> list[DeviceEvent]:
        """The edges, `said` being what each source that was just read says (nothing = no fault)."""
        for source, faults in said.items():
            self._said[source] = tuple(faults)
        active = {fault.condition: fault for faults in self._said.values() for fault in faults}
        events = []
        for condition, fault in active.items():
            if self.raised.get(condition) != fault:
                events.append(self._event(fault, True, t_ms))
            self.raised[condition] = fault
        if self._said.keys() >= self.sources:
            for condition in [one for one in self.raised if one not in active]:
                events.append(self._event(self.raised.pop(condition), False, t_ms))
        return events

    def memory(self) -> str | None:
        """For `recall` after a restart; None = nothing is raised."""
        return msgspec.json.encode(list(self.raised.values())).decode() if self.raised else None

    def recall(self, memory: str | None) -> None:
        if memory:
            self.raised = {fault.condition: fault for fault in msgspec.json.decode(memory, type=list[Fault])}

    def _event(self, fault: Fault, active: bool, t_ms: int) -> DeviceEvent:
        return DeviceEvent(t_ms, self.equipment, fault.condition, active, fault.raw_code, fault.profile)
