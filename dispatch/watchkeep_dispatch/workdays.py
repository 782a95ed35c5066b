"""Which days are worked: the operator's own file first, then the published plan, then the law's feast days by the moon.

The State Council publishes each year's holidays and make-up days in the autumn before; chinesecalendar carries them in
its next release. Until then the days can be written into a file, and without one the statutory feast days still count.
"""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Self

import chinese_calendar
import holidays

from watchkeep_core.logs import get_logger

_log = get_logger(__name__)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class SpecialDays:
    """Days off and days worked that go before every other source: the plan of a new year, a local day off."""

    off: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Self:
        """A TOML file with `off = [2027-02-05, …]` and `worked = […]`. Raises ValueError that names the fault."""
        try:
            found = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: {error}") from None
        if unknown := sorted(found.keys() - {"off", "worked"}):
            raise ValueError(f"{path}: {unknown[0]}: expected `off` and `worked` only")
        for name, days in found.items():
            if not isinstance(days, list) or not all(type(day) is date for day in days):
                raise ValueError(f"{path}: {name}: expected a list of dates such as 2027-02-05")
        off, worked = (frozenset(found.get(name, ())) for name in ("off", "worked"))
        if both := sorted(off & worked):
            raise ValueError(f"{path}: {both[0]} stands in both lists")
        return cls(off, worked)

    def is_workday(self, day: date) -> bool:
        """Whether a day is worked."""
        if day in self.off or day in self.worked:
            return day in self.worked
        return is_workday(day)


NO_SPECIAL_DAYS = SpecialDays()


@lru_cache(maxsize=4096)
def is_workday(day: date) -> bool:
    """Chinese holidays and make-up days; in years without a published plan, Monday to Friday but for feast days."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        _note_unpublished(day.year)
        return day.weekday() < _SATURDAY and day not in _feasts(day.year)


@lru_cache(maxsize=64)
def _feasts(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("CN", years=[year]))


@lru_cache(maxsize=64)
def _note_unpublished(year: int) -> None:
    _log.warning("holiday_plan_unknown", year=year, fallback="Monday to Friday but for feast days, no make-up days")
