"""What one transmission device says, turned into events and readings; pure but for the state that it keeps.

A status is told when it changes: each address keeps the bits that were told, in the spool's memory too, so that
neither a repetition nor a restart makes or loses an edge.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from watchkeep_core.gbt26875 import Dialect, Object, Unit, address_text
from watchkeep_core.gbt26875 import objects as types
from watchkeep_core.messages import AttributeValue
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_core.vocabulary_fire import FireBit, FireCode
from watchkeep_gateway.drivers.gbt26875.directory import Directory
from watchkeep_gateway.drivers.gbt26875.scopes import Scope, Scopes, is_of_device, key_of, ones
from watchkeep_gateway.drivers.gbt26875.tables import CLOCK_METRIC
from watchkeep_gateway.values import DeviceEvent, Reading

REPEAT_MS = 60_000
"""A life-safety condition that still stands is told again when the device stamps it this much later: a new alarm
of a panel that never says that the old one is over. Younger stamps are the same alarm, repeated."""

MEMORY = "gbt26875/"


@dataclass(slots=True)
class Findings:
    """What one application data unit says."""

    events: list[DeviceEvent] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    unplaced: list[str] = field(default_factory=list)
    """Why something in it has no place here; the unit is kept."""
    remember: dict[str, str | None] = field(default_factory=dict)
    duty_answered: bool = False


class Panel:
    """One transmission device and everything behind it."""

    def __init__(
        self,
        directory: Directory,
        dialect: Dialect,
        words: Vocabulary,
        memory: Mapping[str, str],
        started_ms: int,
    ) -> None:
        """`memory`: what `Findings.remember` had told before."""
        self._directory = directory
        self._dialect = dialect
        self._words = words
        self._started_ms = started_ms
        self._prefix = f"{MEMORY}{address_text(directory.number)}/"
        self._scopes = Scopes(directory, words.fire)
        self._told: dict[str, int] = {}
        self._told_ms: dict[tuple[str, int], int] = {}
        self._active: Counter[tuple[str, str]] = Counter()
        for key, value in memory.items():
            if key.startswith(self._prefix) and value.isdigit():
                self._restore(key.removeprefix(self._prefix), int(value))

    def take(self, unit: Unit, now_ms: int) -> Findings:
        """`now_ms`: receive time, ms since 1970 UTC."""
        found = Findings()
        for thing in unit.objects:
            at_ms = now_ms if thing.at is None else int(thing.at.timestamp() * 1000)
            match unit.type:
                case types.SYSTEM_STATUS | types.COMPONENT_STATUS | types.DEVICE_STATUS:
                    self._status(found, unit.type, thing, at_ms)
                case types.OPERATION | types.DEVICE_OPERATION:
                    self._operation(found, unit.type, thing, at_ms)
                case types.ANALOG:
                    self._analog(found, thing, at_ms)
                case types.SYSTEM_TIME | types.DEVICE_TIME:
                    self._time(found, unit.type, thing, now_ms)
                case types.VERSION | types.DEVICE_VERSION | types.CONFIG | types.COMPONENT_CONFIG | types.DEVICE_CONFIG:
                    self._info(found, unit.type, thing, at_ms)
                case _:
                    found.unplaced.append(f"unexpected: type {unit.type} is not for a centre")
        return found

    def _status(self, found: Findings, kind: int, thing: Object, at_ms: int) -> None:
        scope = self._scopes.find(key_of(kind, thing))
        if scope is None:
            found.unplaced.append(_nowhere(thing))
            return
        clears = {name for bit, row in scope.bits.items() if thing.status >> bit & 1 for name in row.clears}
        self._clear(found, scope, clears, at_ms)
        in_test = self._dialect.in_test(thing.status, of_device=kind == types.DEVICE_STATUS)
        word = int(in_test) | sum(1 << bit for bit in scope.bits if bit and thing.status >> bit & 1)
        self._tell(found, scope, word, at_ms, self._attributes(thing, kind))

    def _operation(self, found: Findings, kind: int, thing: Object, at_ms: int) -> None:
        scope = self._scopes.find(f"m.{key_of(kind, thing)}")
        if scope is None:
            found.unplaced.append(_nowhere(thing))
            return
        attributes = self._attributes(thing, kind) | {"operator": thing.number}
        for bit, row in scope.bits.items():
            if not thing.status >> bit & 1:
                continue
            said = attributes | {"operation": row.id, "operation_zh": row.zh}
            self._clear(found, scope, set(row.clears), at_ms)
            if row.id == "manual_alarm":
                self._tell(found, scope, 1 << bit, at_ms, said)
            elif condition := scope.condition(bit):
                found.events.append(self._event(scope, bit, condition, True, at_ms, said))
            if row.id == "confirm" and kind == types.DEVICE_OPERATION:
                found.duty_answered = True

    def _analog(self, found: Findings, thing: Object, at_ms: int) -> None:
        row = self._words.fire.analog_types.get(thing.number)
        equipment = self._directory.component(thing)
        if row is None:
            found.unplaced.append(f"unknown_analog: type {thing.number}")
        elif equipment is None:  # the values of several sensors must never become one point
            found.unplaced.append(_nowhere(thing))
        else:
            kind = self._directory.kind(equipment) or self._component(thing).kind or ""
            metric = self._words.metrics[row.metric_for(kind)]
            name = metric.id if kind in metric.kinds else row.metric
            value = round(thing.value * row.resolution, 6)
            found.readings.append(Reading(equipment, name, at_ms, value, row.quality))

    def _time(self, found: Findings, kind: int, thing: Object, now_ms: int) -> None:
        equipment = self._directory.own if kind == types.DEVICE_TIME else self._directory.system(thing)
        if thing.at is None:
            found.unplaced.append("bad_time: is no date")
        elif equipment is None or self._directory.kind(equipment) not in self._words.metrics[CLOCK_METRIC].kinds:
            found.unplaced.append(_nowhere(thing))
        else:
            offset_s = round(thing.at.timestamp() - now_ms / 1000, 3)
            found.readings.append(Reading(equipment, CLOCK_METRIC, now_ms, offset_s))

    def _info(self, found: Findings, kind: int, thing: Object, at_ms: int) -> None:
        row = self._words.fire.upload_types[kind]
        equipment = self._directory.of(key_of(kind, thing)) or self._directory.own
        attributes = self._attributes(thing, kind) | {"told": row.en, "told_zh": row.zh}
        if kind in (types.VERSION, types.DEVICE_VERSION):
            attributes["version"] = f"{thing.version[0]}.{thing.version[1]}"
        raw = f"{kind}:{key_of(kind, thing)}"
        found.events.append(
            DeviceEvent(at_ms, equipment, "fire_device_info", True, raw, self._directory.profile, attributes)
        )

    def _tell(
        self, found: Findings, scope: Scope, word: int, at_ms: int, attributes: Mapping[str, AttributeValue]
    ) -> None:
        """The edges from what was told of this address to `word`."""
        old = self._told.get(scope.key, 0)
        for bit in ones(word):
            condition = self._condition(scope, bit)
            if not condition:
                continue
            if old >> bit & 1 == 0:
                self._active[scope.equipment, condition] += scope.key in self._scopes
                found.events.append(self._event(scope, bit, condition, True, at_ms, attributes))
            elif self._is_new_alarm(scope.key, bit, condition, at_ms):
                again = {**attributes, "repeated": True}
                found.events.append(self._event(scope, bit, condition, True, at_ms, again))
        self._lower(found, scope, old & ~word, at_ms, attributes)
        self._keep(found, scope.key, word)

    def _lower(
        self, found: Findings, scope: Scope, bits: int, at_ms: int, attributes: Mapping[str, AttributeValue]
    ) -> None:
        """What is over. Several addresses may be one equipment: its condition is over with the last of them."""
        for bit in ones(bits):
            condition = self._condition(scope, bit)
            if not condition:
                continue
            self._active[scope.equipment, condition] -= 1
            self._told_ms.pop((scope.key, bit), None)
            if self._active[scope.equipment, condition] <= 0:
                del self._active[scope.equipment, condition]
                found.events.append(self._event(scope, bit, condition, False, at_ms, attributes))

    def _clear(self, found: Findings, by: Scope, names: set[str], at_ms: int) -> None:
        """A reset takes back what the addresses of its system had told; one of the device itself, of all systems."""
        if not names:
            return
        for key, word in list(self._told.items()):
            scope = self._scopes[key]
            if by.system not in (None, (0, 0)) and scope.system not in (None, by.system):
                continue
            over = sum(1 << bit for bit in ones(word) if bit and _name(scope.bits.get(bit)) in names)
            if over:
                self._lower(found, scope, over, at_ms, {"cleared_by": by.key})
                self._keep(found, key, word & ~over)

    def _keep(self, found: Findings, key: str, word: int) -> None:
        if word == self._told.get(key, 0) or key not in self._scopes:
            return
        if word:
            self._told[key] = word
        else:
            self._told.pop(key, None)
        found.remember[self._prefix + key] = str(word) if word else None

    def _is_new_alarm(self, key: str, bit: int, condition: str, at_ms: int) -> bool:
        told_ms = self._told_ms.get((key, bit), self._started_ms)
        return self._words.conditions[condition].life_safety and at_ms >= told_ms + REPEAT_MS

    def _event(
        self,
        scope: Scope,
        bit: int,
        condition: str,
        active: bool,
        at_ms: int,
        attributes: Mapping[str, AttributeValue],
    ) -> DeviceEvent:
        if active and scope.key in self._scopes:
            self._told_ms[scope.key, bit] = at_ms
        raw = f"{scope.key}:{bit}"
        return DeviceEvent(at_ms, scope.equipment, condition, active, raw, self._directory.profile, attributes)

    def _attributes(self, thing: Object, kind: int) -> dict[str, AttributeValue]:
        found: dict[str, AttributeValue] = {"device": self._directory.own}
        if not is_of_device(kind):
            found |= {"system": thing.system, "system_address": thing.address}
        if kind in (types.COMPONENT_STATUS, types.COMPONENT_CONFIG):
            code = self._component(thing)
            found |= {"component_type": thing.component, "component": code.en, "component_zh": code.zh}
            found |= {"zone": thing.place.zone, "part": thing.place.part}
        if thing.text:
            found["text"] = thing.text[:256]
        return found

    def _component(self, thing: Object) -> FireCode:
        unknown = FireCode(zh=f"类型 {thing.component}", en=f"Type {thing.component}")
        return self._words.fire.component_types.get(thing.component, unknown)

    def _condition(self, scope: Scope, bit: int) -> str | None:
        """What a bit of a status means; bit 0 is the same everywhere."""
        return scope.condition(bit) if bit else self._words.fire.bit0.test_condition

    def _restore(self, key: str, word: int) -> None:
        """An address whose equipment the configuration has changed meanwhile goes on under the new one."""
        try:
            scope = self._scopes.find(key)
        except (ValueError, IndexError):
            return
        if scope is None:
            return
        self._told[key] = word
        for bit in ones(word):
            condition = self._condition(scope, bit)
            if condition:
                self._active[scope.equipment, condition] += 1


def _name(bit: FireBit | None) -> str:
    """As `clears` names it: whoever presses the alarm, it is an alarm."""
    return bit.id.removeprefix("manual_") if bit else ""


def _nowhere(thing: Object) -> str:
    return (
        f"unknown_address: no equipment for system {thing.system}.{thing.address}, "
        f"type {thing.component}, place {thing.place}"
    )
