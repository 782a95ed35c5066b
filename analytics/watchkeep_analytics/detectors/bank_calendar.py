"""Working days and days off in China, by the day's number since 1970.

Weekends have their own course. On holidays and make-up days both courses are usual: not every place keeps them.
"""

from datetime import date, timedelta
from functools import lru_cache

import chinese_calendar
import numpy as np

from watchkeep_analytics.batch import SECOND, Ints

DAY_US = 86_400 * SECOND

WORKING, OFF, SPECIAL = 0, 1, 2

_UTC_PLUS_8_US = 8 * 3600 * SECOND
_EPOCH = date(1970, 1, 1)
_SATURDAY = 5


def day_kinds(t_us: Ints) -> Ints:
    """WORKING, OFF (a weekend) or SPECIAL, of each time (µs since 1970 UTC), by the date in China."""
    day = (t_us + _UTC_PLUS_8_US) // DAY_US
    first, last = int(day.min()), int(day.max())
    if first == last:
        return np.full(len(day), _kind(first))
    known = np.unique(day)
    return np.array([_kind(one) for one in known.tolist()])[np.searchsorted(known, day)]


@lru_cache(maxsize=4096)
def _kind(day: int) -> int:
    try:
        on = _EPOCH + timedelta(days=day)
    except OverflowError:  # a stamp far outside of history
        return WORKING
    weekend = on.weekday() >= _SATURDAY
    try:
        return SPECIAL if chinese_calendar.is_workday(on) == weekend else int(weekend)
    except NotImplementedError:  # a year without a published plan
        return int(weekend)
