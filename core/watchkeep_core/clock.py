"""Time: always aware UTC datetimes, microseconds since 1970 in columns, milliseconds on the wire."""

from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """The seam to wall time, so that decisions can be tested at any moment."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is moved: the in-memory twin of `SystemClock`."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by


def from_ms(ms: int) -> datetime:
    """Milliseconds since 1970 UTC → aware datetime."""
    return EPOCH + timedelta(milliseconds=ms)


def to_ms(moment: datetime) -> int:
    """Aware datetime → whole milliseconds since 1970 UTC (rounded down)."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_us(us: int) -> datetime:
    """Microseconds since 1970 UTC → aware datetime."""
    return EPOCH + timedelta(microseconds=us)


def to_us(moment: datetime) -> int:
    """Aware datetime → whole microseconds since 1970 UTC."""
    return (moment - EPOCH) // timedelta(microseconds=1)
