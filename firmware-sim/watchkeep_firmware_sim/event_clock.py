"""Event time that runs faster than the wall, but never into the future: what is ahead of now would be quarantined."""

from dataclasses import dataclass

CATCH_UP_S = 86_400.0
"""A fast run without an end begins this long ago, and goes on at real pace once it has caught up."""


@dataclass(frozen=True, slots=True)
class EventClock:
    """All times are seconds since 1970 UTC."""

    wall_start: float
    speed: float
    start: float
    """Event time at `wall_start`."""

    @classmethod
    def beginning(cls, wall: float, speed: float, for_s: float | None) -> "EventClock":
        """A clock that begins at wall time `wall`; with an end it reaches the present exactly then."""
        back_s = 0.0 if speed <= 1 else CATCH_UP_S if for_s is None else (speed - 1) * for_s
        return cls(wall, speed, wall - back_s)

    def at(self, wall: float) -> float:
        """Event time at wall time."""
        return min(wall, self.start + (wall - self.wall_start) * self.speed)

    def wall_until(self, event_time: float, wall: float) -> float:
        """Seconds of wall time to wait from `wall` until `event_time`; 0 when it is due."""
        reached = self.wall_start + (event_time - self.start) / self.speed
        return max(0.0, max(reached, event_time) - wall)
