"""What the device models are made of: curves of the day, and noise that wanders but stays within bounds."""

import math
from collections.abc import Sequence
from random import Random

_SIGMAS = 3.0
"""Noise is cut off here, so that normal operation can be shown to stay within the default limits."""


def _day(shares: str) -> tuple[float, ...]:
    return tuple(float(share) for share in shares.split())


# Share of the daily maximum at each full local hour, 0 to 23. Shapes are common practice; the peaks of lift use
# (08-10, 14-16, 18-20) are those a city published for entrapments.
LIFT_USE = _day(".06 .05 .05 .05 .06 .12 .35 .80 1 .90 .60 .55 .65 .60 .75 .75 .60 .80 1 .95 .70 .45 .25 .12")
WATER_USE = _day(".22 .17 .15 .15 .17 .30 .65 1 .90 .65 .55 .60 .70 .55 .45 .45 .50 .65 .85 .95 .90 .75 .50 .32")
POWER_USE = _day(".40 .35 .32 .30 .30 .35 .50 .60 .60 .58 .60 .68 .72 .62 .58 .58 .62 .72 .88 1 .98 .88 .70 .52")
WARMTH = _day(".22 .18 .14 .10 .05 0 .05 .15 .30 .45 .60 .72 .85 .95 1 .98 .92 .82 .70 .60 .50 .42 .35 .28")


def local_hour(t: float, utc_offset_h: float) -> float:
    """Seconds since 1970 UTC → hour of the local day, 0 ≤ h < 24."""
    return (t / 3600 + utc_offset_h) % 24


def at_hour(curve: Sequence[float], hour: float) -> float:
    """A curve of 24 values between its full hours, by straight lines."""
    first = int(hour) % 24
    share = hour - int(hour)
    return curve[first] * (1 - share) + curve[(first + 1) % 24] * share


class Wander:
    """Noise with a memory (Ornstein-Uhlenbeck): standard deviation `sigma`, within 3 sigma, forgets in `memory_s`."""

    __slots__ = ("_memory_s", "_rng", "_t", "_x", "sigma")

    def __init__(self, rng: Random, sigma: float, memory_s: float) -> None:
        self.sigma = sigma
        self._memory_s = memory_s
        self._rng = rng
        self._t: float | None = None
        self._x = 0.0

    def at(self, t: float) -> float:
        """Value at `t`, seconds; t must not go back."""
        keep = 0.0 if self._t is None else math.exp(-max(0.0, t - self._t) / self._memory_s)
        self._t = t
        fresh = math.sqrt(1 - keep * keep) * self._rng.gauss(0, 1)
        self._x = max(-_SIGMAS, min(_SIGMAS, keep * self._x + fresh))
        return self.sigma * self._x


class Lag:
    """A quantity that follows its target late, as heat does: first order, time constant `tau_s`."""

    __slots__ = ("_t", "_tau_s", "value")

    def __init__(self, value: float, tau_s: float, t: float) -> None:
        self.value = value
        self._tau_s = tau_s
        self._t = t

    def follow(self, target: float, t: float) -> float:
        """Move towards `target`, which held since the last call, and return where it is at `t`, seconds."""
        keep = math.exp(-max(0.0, t - self._t) / self._tau_s)
        self._t = t
        self.value = target + (self.value - target) * keep
        return self.value
