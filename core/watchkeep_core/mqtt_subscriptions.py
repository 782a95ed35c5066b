"""What one connection has subscribed to, and whether the broker granted it."""

from collections.abc import Iterable
from threading import RLock
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from watchkeep_core.logs import get_logger

log = get_logger(__name__)


class Subscriptions:
    """Asked for at QoS 1, and again on each new connection."""

    def __init__(self) -> None:
        self._lock = RLock()  # paho holds none of its own while it calls us with an answer
        self._topics: dict[str, None] = {}
        self._asked: dict[int, list[str]] = {}
        self._refused: dict[str, str] = {}

    def add(self, topics: Iterable[str]) -> list[str]:
        fresh = list(topics)
        with self._lock:
            self._topics.update(dict.fromkeys(fresh))
        return fresh

    def ask(self, client: Client, fresh: list[str]) -> None:
        """The lock keeps the answer from being looked for before the question is noted."""
        with self._lock:
            result, mid = client.subscribe([(topic, 1) for topic in fresh])
            if result == MQTTErrorCode.MQTT_ERR_SUCCESS and mid is not None:
                self._asked[mid] = fresh

    def ask_again(self, client: Client) -> None:
        """On a new connection: what was answered on an earlier one says nothing."""
        with self._lock:
            self._asked.clear()
            self._refused.clear()
            if self._topics:
                self.ask(client, list(self._topics))

    def answered(self, _client: Client, _userdata: Any, mid: int, reasons: list[ReasonCode], *_: Any) -> None:
        """paho's on_subscribe."""
        with self._lock:
            asked = self._asked.pop(mid, [])
            refused = {topic: str(reason) for topic, reason in zip(asked, reasons, strict=False) if reason.is_failure}
            self._refused |= refused
        if refused:
            log.error("subscription_refused", topics=refused)

    @property
    def granted(self) -> bool:
        """All that was asked for on this connection was answered, and nothing with a refusal."""
        with self._lock:
            return not self._asked and not self._refused

    @property
    def refused(self) -> dict[str, str]:
        """Topic → the broker's reason."""
        with self._lock:
            return dict(self._refused)
