"""What the device models are made of: numbers that depend on a key only, curves of the day, noise that wanders, lags.

Randomness is counter-based: a draw is a hash (splitmix64) of a device's key and a count, not of earlier draws.
So one device gives the same readings alone, among ten thousand, in any process, and at any step of time.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Keys = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11, _16, _32, _48 = (np.uint64(bits) for bits in (30, 27, 31, 11, 16, 32, 48))
_LOW_16 = np.uint64(0xFFFF)
_SIGMAS = 3.0
"""Noise is cut off here, so that normal operation can be shown to stay within the default limits."""


def _day(shares: str) -> tuple[float, ...]:
    return tuple(float(share) for share in shares.split())


# Share of the daily maximum at each full local hour, 0 to 23. Shapes are common practice; the peaks of lift use
# (08-10, 14-16, 18-20) are those a city published for entrapments. People get up later on days off.
LIFT_USE = _day(".06 .05 .05 .05 .06 .12 .35 .80 1 .90 .60 .55 .65 .60 .75 .75 .60 .80 1 .95 .70 .45 .25 .12")
WATER_USE = _day(".22 .17 .15 .15 .17 .30 .65 1 .90 .65 .55 .60 .70 .55 .45 .45 .50 .65 .85 .95 .90 .75 .50 .32")
POWER_USE = _day(".40 .35 .32 .30 .30 .35 .50 .60 .60 .58 .60 .68 .72 .62 .58 .58 .62 .72 .88 1 .98 .88 .70 .52")
WARMTH = _day(".22 .18 .14 .10 .05 0 .05 .15 .30 .45 .60 .72 .85 .95 1 .98 .92 .82 .70 .60 .50 .42 .35 .28")
LESS_WATER = tuple(1 - share for share in WATER_USE)
LESS_WARMTH = WARMTH[::-1]
REST_SHIFT_H = 1.25
"""On days off the day of lift, water and power begins this much later."""


def key(text: str) -> np.uint64:
    """The key of a name; the same on every machine."""
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def keys(names: Iterable[str]) -> Keys:
    return np.array([key(name) for name in names], np.uint64)


def mix(x: Keys) -> Keys:
    """splitmix64's finaliser: every bit of the input changes half the bits of the output."""
    x = (x ^ (x >> _30)) * _MIX_1
    x = (x ^ (x >> _27)) * _MIX_2
    return x ^ (x >> _31)


def sub(of: Keys, purpose: str) -> Keys:
    """Keys of its own for each purpose, so that adding one changes no other."""
    return mix(of ^ key(purpose))


def uniform(of: Keys, count: Any = 0) -> Floats:
    """The draw number `count` of each key, 0 ≤ u < 1; shapes are broadcast."""
    return (_hash(of, count) >> _11).astype(np.float64) * 2.0**-53


def between(of: Keys, low: float, high: float, count: Any = 0) -> Floats:
    return low + (high - low) * uniform(of, count)


def normal(of: Keys, count: Any = 0) -> Floats:
    """As `uniform`, but bell-shaped with variance 1 and never beyond 3.47: the sum of four 16-bit parts of one hash."""
    h = _hash(of, count)
    parts = (h & _LOW_16) + ((h >> _16) & _LOW_16) + ((h >> _32) & _LOW_16) + (h >> _48)
    drawn: Floats = (parts.astype(np.float64) * (1 / 65535.0) - 2.0) * 3.0**0.5
    return drawn


def local_hour(t: float, utc_offset_h: float) -> float:
    """Seconds since 1970 UTC → hour of the local day, 0 ≤ h < 24."""
    return (t / 3600 + utc_offset_h) % 24


def at_hour(curve: Any, hour: Any) -> Any:
    """A curve of 24 values (or 24 rows) between its full hours, by straight lines; `hour` a number or an array."""
    if isinstance(hour, float):
        begun = int(hour) % 24
        part = hour - int(hour)
        return curve[begun] * (1 - part) + curve[(begun + 1) % 24] * part
    table, first = np.asarray(curve), np.floor(hour).astype(np.int64) % 24
    share = hour - np.floor(hour)
    return table[first] * (1 - share) + table[(first + 1) % 24] * share


class Wander:
    """Noise with a memory: standard deviation 1, within 3, one value per key; a pure function of time.

    Between two moments `memory_s` apart it goes smoothly from one draw to the next. `of` has shape (n,) or (m, n),
    `memory_s` then one value or shape (m, 1).
    """

    __slots__ = ("_ends", "_keys", "_knot", "_memory")

    def __init__(self, of: Keys, memory_s: float | Floats) -> None:
        self._keys = of
        self._memory = np.asarray(memory_s, np.float64)
        self._knot: Floats | None = None
        self._ends: tuple[Floats, Floats] = (np.empty(0), np.empty(0))

    def at(self, t: float) -> Floats:
        """Values at `t`, seconds since 1970 UTC."""
        place = t / self._memory
        knot = np.floor(place)
        if self._knot is None or not np.array_equal(knot, self._knot):
            count = knot.astype(np.int64)
            self._knot, self._ends = knot, (normal(self._keys, count), normal(self._keys, count + 1))
        share = place - knot
        first, second = self._ends
        mixed = (first * (1 - share) + second * share) * ((1 - share) ** 2 + share**2) ** -0.5
        return np.minimum(np.maximum(mixed, -_SIGMAS), _SIGMAS)


class Lag:
    """Quantities that follow their targets late, as heat does: first order, time constant `tau_s`."""

    __slots__ = ("_t", "_tau_s", "value")

    def __init__(self, value: Floats, tau_s: float, t: float) -> None:
        self.value = value
        self._tau_s = tau_s
        self._t = t

    def follow(self, target: Floats, t: float) -> Floats:
        """Move towards `target`, which held since the last call, and return where they are at `t`, seconds."""
        keep = np.exp(-max(0.0, t - self._t) / self._tau_s)
        self._t = max(t, self._t)
        self.value = target + (self.value - target) * keep
        return self.value


def _hash(of: Keys, count: Any) -> Keys:
    offset = np.atleast_1d(np.asarray(count)).astype(np.int64).view(np.uint64)
    return mix(of + (offset + np.uint64(1)) * _GOLDEN)
