"""Deadlines: the four kinds of the responsibility list, counted over working hours, holidays and make-up days. Pure.

urgent_hours   the clock runs day and night
working_hours  only the working hours of working days count
working_days   the day of the start does not count; due when work ends on the n-th working day
natural_days   same local time, n days later
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from watchkeep_dispatch.workdays import NO_SPECIAL_DAYS, SpecialDays

_HOURS = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)")

YELLOW_SHARE = 0.75
"""Share of the allotted time after which a short deadline gets its yellow card (CP)."""
LONG = timedelta(days=2)
"""From this allotted time on the yellow card comes one working day before the deadline (DOMAIN §6)."""


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Working hours of a working day: local times, ascending, not overlapping."""

    hours: tuple[tuple[time, time], ...]
    zone: ZoneInfo
    special: SpecialDays = NO_SPECIAL_DAYS
    """Days off and worked that the holiday list does not know."""

    @classmethod
    def parse(cls, hours: str, zone: str, special: SpecialDays = NO_SPECIAL_DAYS) -> Self:
        """`08:30-12:00,13:30-17:30` and a zone name. Raises ValueError."""
        spans = []
        for part in hours.split(","):
            found = _HOURS.fullmatch(part.strip())
            if not found:
                raise ValueError(f"working hours {part.strip()!r}: expected HH:MM-HH:MM")
            spans.append((time.fromisoformat(found[1]), time.fromisoformat(found[2])))
        ends = [moment for span in spans for moment in span]
        if any(a >= b for a, b in pairwise(ends)):
            raise ValueError(f"working hours {hours!r} are not in ascending order")
        try:
            return cls(tuple(spans), ZoneInfo(zone), special)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"no time zone {zone!r}") from None

    def deadline(self, start: datetime, amount: timedelta, kind: str) -> datetime:
        """When `amount` of `kind` (a deadline kind of the vocabulary) after `start` is over; UTC. Raises ValueError."""
        local = start.astimezone(self.zone)
        match kind:
            case "urgent_hours":
                return start + amount
            case "natural_days":
                return (local + amount).astimezone(UTC)  # wall-clock arithmetic: the same local time
            case "working_days":
                return self._after_days(local.date(), math.ceil(amount / timedelta(days=1))).astimezone(UTC)
            case "working_hours":
                return self._after_hours(local, amount).astimezone(UTC)
        raise ValueError(f"no deadline kind {kind!r}")

    def works(self, moment: datetime) -> bool:
        """Whether it is working time."""
        local = moment.astimezone(self.zone)
        return self.special.is_workday(local.date()) and any(opens <= local.time() < ends for opens, ends in self.hours)

    def yellow(self, start: datetime, due: datetime) -> datetime:
        """When the yellow card comes: one working day before a long deadline, else after 75 % of the time."""
        if due - start < LONG:
            return start + (due - start) * YELLOW_SHARE
        local = due.astimezone(self.zone)
        day = local.date() - timedelta(days=1)
        while not self.special.is_workday(day):
            day -= timedelta(days=1)
        return max(start, datetime.combine(day, local.time(), self.zone).astimezone(UTC))

    def _after_days(self, day: date, count: int) -> datetime:
        left = count
        while left > 0:
            day += timedelta(days=1)
            left -= self.special.is_workday(day)
        return datetime.combine(day, self.hours[-1][1], self.zone)

    def _after_hours(self, start: datetime, amount: timedelta) -> datetime:
        day, left = start.date(), amount
        while True:
            if self.special.is_workday(day):
                for opens, closes in self.hours:
                    begin = max(start, datetime.combine(day, opens, self.zone))
                    end = datetime.combine(day, closes, self.zone)
                    if begin >= end:
                        continue
                    if left <= end - begin:
                        return begin + left
                    left -= end - begin
            day += timedelta(days=1)


DEFAULT_CALENDAR = WorkCalendar.parse("08:30-12:00,13:30-17:30", "Asia/Shanghai")
"""The working hours of the settings' defaults."""
