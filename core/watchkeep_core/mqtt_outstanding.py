"""Publishes that wait for their PUBACK, by message id; any thread may call."""

from concurrent.futures import Future
from threading import Lock

from watchkeep_core.broker import BrokerUnreachable, PublishRefused


class Outstanding:
    """Its lock is never held while paho is called or a future is told: both may call back."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[int, tuple[str, Future[None]]] = {}
        self._early: dict[int, str | None] = {}

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting)

    def add(self, mid: int, topic: str) -> "Future[None]":
        """What paho has taken just now; its PUBACK may be faster than the thread that publishes."""
        future: Future[None] = Future()
        with self._lock:
            if mid not in self._early:
                self._waiting[mid] = (topic, future)
                return future
            failure = self._early.pop(mid)
        _settle(topic, future, failure)
        return future

    def answered(self, mid: int, failure: str | None) -> None:
        """A PUBACK came, with the reason of a refusal."""
        with self._lock:
            topic, future = self._waiting.pop(mid, ("", None))
            if future is None:  # `add` will look here
                self._early[mid] = failure
        if future is not None:
            _settle(topic, future, failure)

    def give_up(self) -> None:
        """The connection was closed: no PUBACK will come."""
        with self._lock:
            left = list(self._waiting.values())
            self._waiting.clear()
        for _, future in left:
            future.set_exception(BrokerUnreachable("closed before the PUBACK came"))


def _settle(topic: str, future: "Future[None]", failure: str | None) -> None:
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(PublishRefused(topic, failure))
