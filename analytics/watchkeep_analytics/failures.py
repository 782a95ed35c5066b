"""A detector that raises: a warning of the platform's own, until it has gone well for an hour."""

from collections.abc import Iterable

import msgspec

from watchkeep_analytics.batch import SECOND
from watchkeep_analytics.signals import Signal

DETECTOR = "engine"
VERSION = "1"
CONDITION = "detector_failure"

CALM_US = 3600 * SECOND
"""Without a failure until it counts as over; wall clock."""


class Failing(msgspec.Struct):
    """One detector that failed. Times in µs since 1970 UTC."""

    error: str
    last_us: int
    gateways: list[tuple[str, str]]
    """(community, equipment id of a gateway) that were told."""
    count: int = 1


class Failures:
    """Of one engine; a detector is named once, whatever it does with each batch."""

    def __init__(self) -> None:
        self._failing: dict[str, Failing] = {}

    def note(self, detector: str, error: Exception, now_us: int, gateways: Iterable[tuple[str, str]]) -> list[Signal]:
        """What is to be told of a failure at `now_us` (event time of the batch, or the wall clock)."""
        known = self._failing.get(detector)
        text = f"{type(error).__name__}: {error}"[:300]
        if known is not None:
            known.count, known.last_us, known.error = known.count + 1, max(known.last_us, now_us), text
            return []
        failing = self._failing[detector] = Failing(text, now_us, sorted(set(gateways)))
        return [_signal(detector, failing, *about, now_us, active=True) for about in failing.gateways]

    def over(self, now_us: int) -> list[Signal]:
        """Ends of what has gone well again for long enough."""
        found: list[Signal] = []
        for detector, failing in list(self._failing.items()):
            if now_us - failing.last_us >= CALM_US:
                del self._failing[detector]
                found += [_signal(detector, failing, *about, now_us, active=False) for about in failing.gateways]
        return found

    def save(self) -> bytes:
        return msgspec.msgpack.encode(self._failing)

    def load(self, data: bytes) -> None:
        self._failing = msgspec.msgpack.decode(data, type=dict[str, Failing])


def _signal(detector: str, failing: Failing, community: str, equipment: str, t_us: int, *, active: bool) -> Signal:
    return Signal(
        community=community,
        equipment=equipment,
        condition=CONDITION,
        tier="warning",
        active=active,
        detector=DETECTOR,
        version=VERSION,
        event_us=t_us,
        source=detector,
        text="failure",
        evidence={
            "actual": detector,
            "error": failing.error,
            "samples": failing.count,
            "driver": detector,
            "since_us": t_us if active else failing.last_us,
            "rule": "a detector raised",
            "basis": "软件自检 self-check of the software",
            "mark": "CP",
        },
    )
