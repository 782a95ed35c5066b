"""When a notification goes out: quiet hours, digests, attempts, the next channel. Pure; times are UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

ATTEMPTS = 6
"""First try and five more; then it is dead, and a person has to look."""
ACTIONS = frozenset({"order_dispatched", "rework", "reminder", "red", "to_verify", "pause_asked", "test"})
"""Kinds that ask somebody to do something: unread, they go on to the person's next channel."""
NEWS = frozenset({"closed", "dismissed", "merged", "ledger"})
"""Kinds that can wait for the digest of a person."""

CHINA = ZoneInfo("Asia/Shanghai")

Span = tuple[time, time]


@dataclass(frozen=True, slots=True)
class Timing:
    """How a site wants it; hours are local. `fallback` is for life safety, class A, and all else."""

    zone: ZoneInfo = CHINA
    quiet: Span | None = None
    digest_at: tuple[time, ...] = ()
    fallback: tuple[timedelta, timedelta, timedelta] = (
        timedelta(minutes=1),
        timedelta(minutes=5),
        timedelta(minutes=30),
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides about one notification."""

    kind: str
    urgent: bool
    case_class: str
    personal: bool
    digest: bool
    """It was held back already."""


def span(text: str) -> Span | None:
    """`22:00-07:00`; empty = none. Raises ValueError."""
    if not text.strip():
        return None
    begin, dash, end = text.partition("-")
    found = time.fromisoformat(begin.strip()), time.fromisoformat(end.strip())
    if not dash or found[0] == found[1]:
        raise ValueError(f"{text!r} is no span such as 22:00-07:00")
    return found


def hours(text: str) -> tuple[time, ...]:
    """`08:30,17:00`; empty = none. Raises ValueError."""
    return tuple(sorted(time.fromisoformat(part.strip()) for part in text.split(",") if part.strip()))


def held_until(facts: Facts, now: datetime, timing: Timing, quiet: Span | None) -> datetime | None:
    """Until when it has to wait; None = not at all. Life safety and class A never wait, nor what was held already."""
    if facts.urgent or facts.case_class == "A" or facts.kind == "test":
        return None
    local = now.astimezone(timing.zone)
    if quiet is not None and _within(local.time(), quiet):
        return _next(local, (quiet[1],)).astimezone(now.tzinfo)
    if facts.personal and facts.kind in NEWS and timing.digest_at and not facts.digest:
        return _next(local, timing.digest_at).astimezone(now.tzinfo)
    return None


def again_after(attempts: int, *, urgent: bool) -> timedelta:
    """Wait after so many attempts in vain: 3, 9, 27, 81, 243 s; life safety 1, 2, 4, 8, 16 s."""
    return timedelta(seconds=2 ** (attempts - 1) if urgent else 3**attempts)


def fallback_after(facts: Facts, timing: Timing) -> timedelta | None:
    """How long a person has to read it before the next channel takes over; None = it never does."""
    if not facts.personal or facts.kind not in ACTIONS:
        return None
    return timing.fallback[0 if facts.urgent else 1 if facts.case_class == "A" else 2]


def reminder_number(since: datetime, now: datetime, every: timedelta) -> int:
    """Which reminder is due, from 1; 0 = none yet. The same for every scheduler that asks."""
    return max(0, int((now - since) / every))


@dataclass(frozen=True, slots=True)
class Share:
    """Which of the waiting ones, by their place, go out one by one, which together, and which not yet."""

    singles: tuple[int, ...]
    together: tuple[int, ...]
    later: tuple[int, ...]


def messages(waiting: Sequence[Facts]) -> int:
    """So many messages these become besides those for life safety: what was held goes together."""
    held = any(facts.digest and not facts.urgent for facts in waiting)
    return sum(not facts.digest and not facts.urgent for facts in waiting) + held


def share(waiting: Sequence[Facts], allowance: int | None) -> Share:
    """Life safety always goes alone and does not count; `allowance` = messages that may go now, None = any number."""
    urgent = tuple(place for place, facts in enumerate(waiting) if facts.urgent)
    held = tuple(place for place, facts in enumerate(waiting) if not facts.urgent and facts.digest)
    fresh = tuple(place for place, facts in enumerate(waiting) if not facts.urgent and not facts.digest)
    if allowance is None or messages(waiting) <= allowance:
        return Share(urgent + fresh, held, ())
    if allowance < 1:
        return Share(urgent, (), fresh + held)
    alone = fresh[: allowance - 1]
    return Share(urgent + alone, tuple(sorted(fresh[allowance - 1 :] + held)), ())


def _within(moment: time, quiet: Span) -> bool:
    begin, end = quiet
    return begin <= moment < end if begin < end else moment >= begin or moment < end


def _next(local: datetime, times: Sequence[time]) -> datetime:
    """The next of these times of day after a moment."""
    days = (local.date(), local.date() + timedelta(days=1))
    return next(
        at for day in days for clock in sorted(times) if (at := datetime.combine(day, clock, local.tzinfo)) > local
    )
