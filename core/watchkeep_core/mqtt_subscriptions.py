"""What one connection has subscribed to, and whether the broker granted it."""

import time
from collections.abc import Iterable
from threading import RLock
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from watchkeep_core.logs import get_logger

log = get_logger(__name__)

AGAIN_S = (1.0, 60.0)
"""First and longest wait before a refused one is asked for again, doubled in between: NATS refuses subscriptions while
its servers elect a leader (measured), an ACL refuses for ever."""


class Subscriptions:
    """Asked for at QoS 1, and again on each new connection."""

    def __init__(self) -> None:
        self._lock = RLock()  # paho holds none of its own while it calls us with an answer
        self._topics: dict[str, None] = {}
        self._asked: dict[int, tuple[float, list[str]]] = {}
        self._refused: dict[str, str] = {}
        self._again_at_s = 0.0
        self._wait_s = AGAIN_S[0]

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
                self._asked[mid] = time.monotonic(), fresh

    def ask_again(self, client: Client) -> None:
        """On a new connection: what was answered on an earlier one says nothing."""
        with self._lock:
            self._asked.clear()
            self._refused.clear()
            self._wait_s = AGAIN_S[0]
            if self._topics:
                self.ask(client, list(self._topics))

    def ask_refused(self, client: Client, now_s: float) -> None:
        """Once more for what was refused, when its time has come."""
        with self._lock:
            if self._refused and not self._asked and now_s >= self._again_at_s:
                self.ask(client, list(self._refused))

    def asked_s(self, now_s: float) -> float:
        """How long the oldest question waits for its answer; 0 = none does."""
        with self._lock:
            return max((now_s - at_s for at_s, _ in self._asked.values()), default=0.0)

    def answered(self, _client: Client, _userdata: Any, mid: int, reasons: list[ReasonCode], *_: Any) -> None:
        """paho's on_subscribe."""
        with self._lock:
            asked = self._asked.pop(mid, (0.0, []))[1]
            refused = {topic: str(reason) for topic, reason in zip(asked, reasons, strict=False) if reason.is_failure}
            news = refused.keys() - self._refused.keys()
            healed = self._refused.keys() & set(asked) - refused.keys()
            self._refused = {topic: why for topic, why in self._refused.items() if topic not in healed} | refused
            if refused:
                self._again_at_s = time.monotonic() + self._wait_s
                self._wait_s = min(2 * self._wait_s, AGAIN_S[1])
        if news:
            log.error("subscription_refused", topics=refused)
        if healed:
            log.info("subscription_granted_after_all", topics=sorted(healed))

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
