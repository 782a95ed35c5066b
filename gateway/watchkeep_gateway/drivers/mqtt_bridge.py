"""Devices that speak MQTT themselves, in the native format: below a topic, the next level is the equipment."""

from collections import defaultdict

from watchkeep_core.broker import Received
from watchkeep_core.errors import MessageError
from watchkeep_core.topics import require_id
from watchkeep_gateway.codes import CodeReader
from watchkeep_gateway.drivers.intake import Intake, LineDriver
from watchkeep_gateway.field_payload import digest, parse
from watchkeep_gateway.line import Line
from watchkeep_gateway.values import NOTHING, Delivery, DeviceEvent, Emit, Readings, Rejected


class MqttBridge(LineDriver):
    """Reads `TOPIC/EQUIPMENT`; the line belongs to the caller."""

    def __init__(
        self,
        name: str,
        topic: str,
        line: Line,
        emit: Emit,
        codes: CodeReader,
        *,
        declared: frozenset[str] | None = None,
        raised: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        """`declared`: equipment that may speak, None = any. `raised`: (equipment, condition) active by code."""
        self.name = name
        self._prefix = f"{topic}/"
        self._codes = codes
        self._declared = declared
        self._raised: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for equipment, condition in raised:
            self._raised[equipment][condition] = ""
        self._intake = Intake(name, line, emit, self._understand)
        line.subscribe([f"{topic}/#"], self._prefix, self._intake.take)

    def _understand(self, received: Received) -> Delivery:
        received_ms = received.received_at_ns // 1_000_000
        equipment = require_id("equipment", received.topic.removeprefix(self._prefix))
        if self._declared is not None and equipment not in self._declared:
            raise MessageError("undeclared", f"no [[device]] declares {equipment}")
        message = parse(received.payload, equipment, received_ms, self._codes, self._raised_by)
        for event in message.events:
            self._remember(event)
        # Without a time of its own the same bytes may be a new message, so only what the broker marks is taken as a
        # redelivery, and an event not even then: told twice is better than never.
        once = message.own_time or (received.duplicate and not message.events)
        # A retained message is what the broker remembers, not what was read anew; a condition it tells still holds.
        readings = NOTHING if received.retain else Readings.of(message.readings)
        unread = tuple(Rejected(received_ms, received.topic, why, received.payload) for why in message.unread)
        return Delivery(readings, message.events, unread, digest(received.topic, received.payload), once)

    def _raised_by(self, equipment: str) -> dict[str, str]:
        return self._raised.get(equipment, {})

    def _remember(self, event: DeviceEvent) -> None:
        """As the spool does in `active_codes`."""
        if event.raw_code and event.active:
            self._raised[event.equipment][event.condition] = event.raw_code
        elif event.raw_code:
            self._raised[event.equipment].pop(event.condition, None)
