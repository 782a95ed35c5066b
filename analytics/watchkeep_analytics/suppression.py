"""Maintenance and test modes: what they hold back is kept as a notice with the reason, and comes out when they end.

Life safety that a device itself reports is never held back; nor does planned work hold back any life safety.
"""

import bisect
from dataclasses import dataclass, field, replace

from watchkeep_analytics.batch import NEVER
from watchkeep_analytics.signals import Signal
from watchkeep_core import vocabulary

_KEPT = 16  # changes of mode remembered per piece of equipment: late signals are judged by the mode of their time


@dataclass(frozen=True, slots=True)
class Window:
    """Planned work on one piece of equipment, or ("" ) on the whole community; µs since 1970 UTC."""

    community: str
    equipment: str
    from_us: int
    until_us: int
    reason: str


@dataclass(slots=True)
class _Modes:
    times: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def mode_reason(metric: str, value: float) -> str:
    """Why a reading of this metric holds warnings back; "" = it does not."""
    word = vocabulary.load().metrics.get(metric)
    state = word.states.get(int(value)) if word is not None else None
    return f"mode: {metric} {state.id}" if state is not None and state.suppresses else ""


class Modes:
    """Which equipment is in a mode that suppresses, and was when. For one thread."""

    def __init__(self) -> None:
        self._modes: dict[tuple[str, str], dict[str, _Modes]] = {}
        self._windows: tuple[Window, ...] = ()
        self.changes = 0
        """Counts up with each change."""

    def plan(self, windows: tuple[Window, ...]) -> None:
        """Planned work, as the register has it now."""
        self.changes += windows != self._windows
        self._windows = windows

    def set(self, community: str, equipment: str, by: str, t_us: int, reason: str) -> None:
        """From `t_us` on; an empty reason ends it. `by` is what says so: a metric or a condition."""
        of = self._modes.get((community, equipment), {})
        modes = of.get(by, _Modes())
        at = bisect.bisect_right(modes.times, t_us)
        if (modes.reasons[at - 1] if at else "") == reason:
            return
        self._modes[community, equipment] = of | {by: modes}
        modes.times.insert(at, t_us)
        modes.reasons.insert(at, reason)
        del modes.times[:-_KEPT], modes.reasons[:-_KEPT]
        self.changes += 1

    def work(self, until_us: int) -> dict[tuple[str, str], tuple[int, int]]:
        """(community, equipment or "" for all of it) → the latest time of work that began by `until_us`.

        From and until; -NEVER while its end is not known.
        """
        found: dict[tuple[str, str], tuple[int, int]] = {}
        spans = [((w.community, w.equipment), w.from_us, w.until_us) for w in self._windows if w.from_us <= until_us]
        for key, of in self._modes.items():
            for modes in of.values():
                ends = [*modes.times[1:], -NEVER]
                last = [span for *span, why in zip(modes.times, ends, modes.reasons, strict=True) if why][-1:]
                spans += [(key, begin, end) for begin, end in last]
        for key, begin, end in sorted(spans, key=lambda span: span[2]):
            before = found.get(key, (NEVER, NEVER))
            found[key] = (min(begin, before[0]) if before[1] >= begin else begin, end)
        return found

    def reason(self, signal: Signal, t_us: int) -> str:
        """Why this signal is held back at `t_us`; "" = it is not."""
        condition = vocabulary.load().conditions.get(signal.condition)
        life = condition is not None and condition.life_safety
        if life and signal.detector == "events":
            return ""
        if condition is not None and condition.domain == "platform":
            return ""  # a silent sensor is silent in any mode
        mode = self._mode(signal.community, signal.equipment, t_us)
        if mode or life:
            return mode
        for window in self._windows:
            ours = window.community == signal.community and window.equipment in ("", signal.equipment)
            if ours and window.from_us <= t_us < window.until_us:
                return f"maintenance: {window.reason}"
        return ""

    def _mode(self, community: str, equipment: str, t_us: int) -> str:
        for modes in self._modes.get((community, equipment), {}).values():
            at = bisect.bisect_right(modes.times, t_us)
            if at and modes.reasons[at - 1]:
                return modes.reasons[at - 1]
        return ""


class Suppression:
    """Holds signals of one lane and partition back while a mode lasts."""

    def __init__(self, modes: Modes) -> None:
        self._modes = modes
        self._held: dict[tuple[object, ...], Signal] = {}

    def filter(self, signals: list[Signal]) -> list[Signal]:
        """What may pass: suppressed openings become notices, their endings are forgotten with them."""
        passed: list[Signal] = []
        for signal in signals:
            key = (*signal.key, signal.detector, signal.source, signal.series)
            reason = self._modes.reason(signal, signal.event_us) if signal.active and signal.tier != "notice" else ""
            if reason:
                self._held[key] = signal
                passed.append(_muted(signal, reason))
            elif not signal.active and key in self._held:
                passed.append(_muted(signal, "", opened=self._held.pop(key)))
            else:
                passed.append(signal)
        return passed

    def release(self, now_us: int) -> list[Signal]:
        """Signals that still stand when their reason is gone."""
        free = [key for key, signal in self._held.items() if not self._modes.reason(signal, now_us)]
        return [replace(self._held.pop(key), event_us=now_us) for key in free]

    @property
    def held(self) -> list[Signal]:
        return list(self._held.values())

    def restore(self, signals: list[Signal]) -> None:
        for signal in signals:
            self._held[(*signal.key, signal.detector, signal.source, signal.series)] = signal


def _muted(signal: Signal, reason: str, opened: Signal | None = None) -> Signal:
    evidence = {**signal.evidence, "suppressed": reason} if reason else dict(signal.evidence)
    if opened is not None:
        evidence["was_suppressed"] = True
    return replace(signal, tier="notice", evidence=evidence)
