"""Hourly means and daily medians of chosen series, as the slow detectors want them; China's hours and days."""

from typing import NamedTuple

import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Floats, Ints
from watchkeep_analytics.table import Spec, Table

HOUR_US = 3600 * SECOND
DAY_US = 24 * HOUR_US
LOCAL_US = 8 * HOUR_US  # China has one time zone

FEWEST_HOURS = 12
"""With readings, for a day to have a median."""

SPECS = {
    "hour": Spec(np.int64, NEVER),
    "hour_sum": Spec(np.float64),
    "hour_count": Spec(np.int64),
    "hours": Spec(np.float32, np.nan, 24),
}
"""Columns that `turn` keeps."""


class Closed(NamedTuple):
    """Hours that have ended; columns of equal length."""

    slot: Ints
    hour: Ints
    """Hours since 1970 in China."""
    mean: Floats
    day_over: Ints
    """Position in these columns of those that ended their day, too …"""
    median: Floats
    """… and the day's median of each of those; NaN = too few hours …"""
    low: Floats
    """… and its least and its greatest hour."""
    high: Floats


_NONE, _NO_NUMBERS = np.zeros(0, np.int64), np.zeros(0, np.float64)
_NOTHING = Closed(_NONE, _NONE, _NO_NUMBERS, _NONE, _NO_NUMBERS, _NO_NUMBERS, _NO_NUMBERS)


def turn(state: Table, slots: Ints, t_us: Ints, value: Floats) -> Closed:
    """One reading each of different series; closes the hour before when it begins a new one, then adds it."""
    hour = (t_us + LOCAL_US) // HOUR_US
    last = state["hour"][slots]
    fresh = hour > last
    if not fresh.any():  # as in most batches
        state["hour_sum"][slots] += value
        state["hour_count"][slots] += 1
        return _NOTHING
    over = fresh & (state["hour_count"][slots] > 0)
    mine, then = slots[over], last[over]
    mean = state["hour_sum"][mine] / state["hour_count"][mine]
    state["hours"][mine, then % 24] = mean
    ends = np.flatnonzero(hour[over] // 24 > then // 24)
    hours = state["hours"][mine[ends]]
    enough = np.isfinite(hours).sum(axis=1) >= FEWEST_HOURS
    median = np.full(len(ends), np.nan)
    median[enough] = np.nanmedian(hours[enough], axis=1)
    low, high = (each(hours, axis=1, initial=edge) for each, edge in ((np.nanmin, np.inf), (np.nanmax, -np.inf)))
    state["hours"][mine[ends]] = np.nan
    state["hour"][slots] = np.maximum(hour, last)
    state["hour_sum"][slots] = np.where(fresh, value, state["hour_sum"][slots] + value)
    state["hour_count"][slots] = np.where(fresh, 1, state["hour_count"][slots] + 1)
    return Closed(mine, then, mean, ends, median, low, high)
