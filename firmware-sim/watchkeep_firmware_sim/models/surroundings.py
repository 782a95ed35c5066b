"""What machines of one place share: the day, the weather, what people use. Pure functions of time and of a place's key.

So the pumps, tanks and meters of a community see the same demand, the lifts of a building the same mains, all sumps
the same rain, without knowing of each other.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from watchkeep_firmware_sim.signals import (
    LIFT_USE,
    POWER_USE,
    REST_SHIFT_H,
    WARMTH,
    WATER_USE,
    Floats,
    Keys,
    Wander,
    at_hour,
    local_hour,
    sub,
)

_SPRING_FESTIVALS = tuple(
    date.fromisoformat(day)
    for day in ("2024-02-10", "2025-01-29", "2026-02-17", "2027-02-06", "2028-01-26", "2029-02-13", "2030-02-03")
)
"""First days; the holiday is taken as the seven days from the eve."""

_YEAR_MEAN_C, _YEAR_SWING_C, _DAY_SWING_C, _WEATHER_C = 12.0, 12.5, 6.0, 1.7
"""Outdoors on the coast of Shandong: about -1 °C in January, 25 °C in August."""

RAIN_THRESHOLD = 1.5
"""In standard deviations of the weather: it rains about a fifteenth of the time."""


class Moment(NamedTuple):
    """A moment as people live it."""

    t: float
    hour: float
    """Of the local day, 0 ≤ hour < 24."""
    use_hour: float
    """As `hour`, but shifted on days off: the hour of a working day that it resembles."""
    day: int
    """Local days since 1970."""
    rest: bool
    """Saturday, Sunday or public holiday."""
    year_share: float
    """0 = 1 January."""

    @classmethod
    def of(cls, t: float, utc_offset_h: float) -> "Moment":
        day = int((t / 3600 + utc_offset_h) // 24)
        hour, (rest, year_share) = local_hour(t, utc_offset_h), _date(day)
        return cls(t, hour, (hour - REST_SHIFT_H) % 24 if rest else hour, day, rest, year_share)


@lru_cache(maxsize=4096)
def _date(day: int) -> tuple[bool, float]:
    today = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date()
    holiday = (today.month, today.day) in {(1, 1), (5, 1), (5, 2), (5, 3)} or (today.month == 10 and today.day <= 7)
    holiday |= any(-1 <= (today - first).days <= 5 for first in _SPRING_FESTIVALS)
    return holiday or today.weekday() >= 5, today.timetuple().tm_yday / 365.25


class Surroundings:
    """Of n devices: `building` and `community` are the keys of where they stand."""

    def __init__(self, building: Keys, community: Keys) -> None:
        self._demand = Wander(sub(community, "demand"), 900)
        self._load = Wander(sub(building, "load"), 600)
        self._mains = Wander(sub(building, "mains"), 1800)
        self._weather = Wander(sub(community, "weather"), 6 * 3600)
        self._warm = Wander(sub(community, "warm spell"), 2 * 86_400)

    def demand(self, now: Moment) -> Floats:
        """Water used, of the daily maximum; a little more at home on days off."""
        share = float(at_hour(WATER_USE, now.use_hour)) * (1.04 if now.rest else 1.0)
        return share * (1 + 0.025 * self._demand.at(now.t))

    def load(self, now: Moment) -> Floats:
        """Electricity used in the building, of the daily maximum."""
        return float(at_hour(POWER_USE, now.use_hour)) * (1 + 0.03 * self._load.at(now.t))

    def mains(self, now: Moment) -> Floats:
        """Deviation of the mains voltage in percent: low when all cook, within the ±7 that are accepted."""
        return 2.5 - 4.0 * float(at_hour(POWER_USE, now.use_hour)) + 0.8 * self._mains.at(now.t)

    def rain(self, now: Moment) -> Floats:
        """mm/h; dry most of the time, showers of up to about 12."""
        return np.maximum(0.0, self._weather.at(now.t) - RAIN_THRESHOLD) * 8

    def outdoor(self, now: Moment) -> Floats:
        """°C."""
        season = -_YEAR_SWING_C * np.cos(2 * np.pi * (now.year_share - 0.06))
        day = _DAY_SWING_C * (float(at_hour(WARMTH, now.hour)) - 0.45)
        warm: Floats = _YEAR_MEAN_C + season + day + _WEATHER_C * self._warm.at(now.t)
        return warm

    def indoor(self, now: Moment) -> Floats:
        """°C in plant rooms: damped, and never freezing where pipes are lagged."""
        return 16 + 0.38 * (self.outdoor(now) - _YEAR_MEAN_C)


def lift_use(now: Moment) -> float:
    """Calls, of the daily maximum; days off have no rush hour but more going about."""
    share = float(at_hour(LIFT_USE, now.use_hour))
    return min(1.0, 0.25 + 0.6 * share) if now.rest and 8 <= now.hour < 22 else share


def use_of_each(t: Floats, utc_offset_h: float) -> Floats:
    """`lift_use` at a moment of its own for each device; seconds since 1970 UTC."""
    day = np.floor((t / 3600 + utc_offset_h) / 24).astype(np.int64)
    days, places = np.unique(day, return_inverse=True)
    rest = np.array([_date(int(one))[0] for one in days])[places]
    hour = (t / 3600 + utc_offset_h) % 24
    share: Floats = at_hour(LIFT_USE, np.where(rest, hour - REST_SHIFT_H, hour) % 24)
    return np.where(rest & (hour >= 8) & (hour < 22), np.minimum(1.0, 0.25 + 0.6 * share), share)
