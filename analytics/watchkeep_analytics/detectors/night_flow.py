"""Leaks and bursts behind district meters: the least flow of the night against its own nights, and jumps by day.

The method of minimum night flow (DOMAIN.md §2.3): between two and four in the morning hardly anybody draws water.
"""

from collections.abc import Iterator
from statistics import median
from typing import ClassVar

import msgspec
import numpy as np

from watchkeep_analytics.batch import NEVER, SECOND, Batch
from watchkeep_analytics.detectors._make import signal
from watchkeep_analytics.registry import Registry
from watchkeep_analytics.signals import Moment, Signal, Tier

METRIC = "inlet_flow"

SENTENCES = ("night_flow", "flow_jump")
"""How it was seen, which is also the sentence."""

KEPT_NIGHTS, READY_NIGHTS = 14, 5
"""Nights that make up what is usual, and how many are needed."""

FLOOR = 0.3
"""m³/h; less is within what meters and a single cistern do."""

LOCAL_US = 8 * 3600 * SECOND  # China has one time zone
DAY_US = 86_400 * SECOND
HOUR_US = 3600 * SECOND

_SLOTS, _LEARN, _SPREADS, _IN_A_ROW = 48, 0.1, 6.0, 3


class Meter(msgspec.Struct):
    """One district meter. Flows in m³/h; the profile has half hours of the day."""

    day: int = -1
    """Local date of the night at hand, as a number of days."""
    least: list[float] = []
    """Its two least flows: one alone may be a disturbed line."""
    nights: list[float] = []
    """What was usual: nights that were called high are not among them."""
    high: int = 0
    """Nights in a row above the ratio."""
    open: dict[str, int] = {}
    """Condition:source → since when."""
    mean: list[float] = msgspec.field(default_factory=lambda: [0.0] * _SLOTS)
    spread: list[float] = msgspec.field(default_factory=lambda: [0.0] * _SLOTS)
    seen: list[int] = msgspec.field(default_factory=lambda: [0] * _SLOTS)
    recent: list[tuple[int, float]] = []
    """Readings of the last hour."""
    jumps: int = 0
    last_us: int = NEVER


class NightFlow:
    """One small state per meter; a reading costs a few microseconds, and there are few meters."""

    name: ClassVar[str] = "night_flow"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._meters: dict[int, Meter] = {}
        self._watched = np.zeros(0, np.bool_)
        self.configure()

    def configure(self) -> list[Signal]:
        self._watched = np.array([metric == METRIC for metric in self._registry.metrics], np.bool_)
        return []

    def observe(self, batch: Batch) -> list[Signal]:
        mine = batch.where(self._watched[batch.row])
        found: list[Signal] = []
        for row, a, b in mine.spans():
            meter = self._meters.setdefault(int(self._registry["series"][row]), Meter())
            for t_us, x in zip(mine.t_us[a:b].tolist(), mine.value[a:b].tolist(), strict=True):
                found += self._night(row, meter, t_us, x)
                found += self._day(row, meter, t_us, x)
                meter.last_us = t_us
        return found

    def tick(self, moment: Moment) -> list[Signal]:
        return []

    def ready(self, row: int) -> bool:
        meter = self._meters.get(int(self._registry["series"][row]))
        return meter is not None and len(meter.nights) >= READY_NIGHTS

    def save(self) -> bytes:
        return msgspec.msgpack.encode(list(self._meters.items()))

    def load(self, data: bytes) -> None:
        try:
            self._meters = dict(msgspec.msgpack.decode(data, type=list[tuple[int, Meter]]))
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None

    @property
    def nbytes(self) -> int:
        return 3_000 * int(self._watched.sum())

    def _night(self, row: int, meter: Meter, t_us: int, x: float) -> Iterator[Signal]:
        """Collect while the night lasts; judge with the first reading after it."""
        figure = self._registry.figure
        day, of_day_us = divmod(t_us + LOCAL_US, DAY_US)
        start, end = figure("night_window_start").value, figure("night_window_end").value
        if meter.least and (day != meter.day or of_day_us >= end * HOUR_US):
            yield from self._judge(row, meter, t_us, max(meter.least))
            meter.least = []
        if start * HOUR_US <= of_day_us < end * HOUR_US:
            meter.day = day
            meter.least = sorted([*meter.least, x])[:2]

    def _judge(self, row: int, meter: Meter, t_us: int, least: float) -> Iterator[Signal]:
        figure = self._registry.figure
        if len(meter.nights) < READY_NIGHTS:
            meter.nights = [*meter.nights, least]
            return
        usual = median(meter.nights)
        leak = max(figure("night_flow_warning_ratio").value * usual, usual + FLOOR)
        burst = max(figure("night_flow_alarm_ratio").value * usual, usual + 2 * FLOOR)
        meter.high = meter.high + 1 if least > leak else 0
        if not meter.high:
            meter.nights = [*meter.nights, least][-KEPT_NIGHTS:]
        for condition, ratio, limit, stands in (
            (
                "night_flow_leak",
                "night_flow_warning_ratio",
                leak,
                meter.high >= figure("night_flow_warning_nights").value,
            ),
            ("pipe_burst", "night_flow_alarm_ratio", burst, least > burst),
        ):
            tier: Tier = "alarm" if condition == "pipe_burst" else "warning"
            evidence = {"actual": least, "expected": {"value": usual, "high": limit}, "samples": meter.high}
            yield from self._turn(
                row, meter, t_us, condition, "night_flow", tier, ratio, stands, not meter.high, evidence
            )

    def _day(self, row: int, meter: Meter, t_us: int, x: float) -> Iterator[Signal]:
        """A jump within the window, beyond what this hour of the day has ever been like."""
        figure = self._registry.figure
        window_us = figure("burst_jump_window").value * HOUR_US
        slot = (t_us + LOCAL_US) % DAY_US * _SLOTS // DAY_US
        mean, spread, seen = meter.mean[slot], meter.spread[slot], meter.seen[slot]
        meter.recent = [(t, v) for t, v in meter.recent if t >= t_us - window_us]
        before = min((v for _, v in meter.recent), default=x)
        ready = seen >= 7 and len(meter.nights) >= READY_NIGHTS
        limit = mean + max(_SPREADS * spread, (figure("burst_jump_ratio").value - 1) * mean, 2 * FLOOR)
        is_open = "pipe_burst:flow_jump" in meter.open
        jumped = is_open or meter.jumps > 0 or x > figure("burst_jump_ratio").value * before + FLOOR
        meter.jumps = meter.jumps + 1 if ready and jumped and x > limit else 0
        evidence = {"actual": x, "expected": {"value": mean, "high": limit}, "samples": meter.jumps}
        stands = meter.jumps >= _IN_A_ROW
        yield from self._turn(
            row, meter, t_us, "pipe_burst", "flow_jump", "alarm", "burst_jump_ratio", stands, meter.jumps == 0, evidence
        )
        if not meter.open and not meter.jumps:
            meter.recent.append((t_us, x))
            rate = max(_LEARN, 1 / (seen + 1))
            meter.mean[slot] = mean + rate * (x - mean)
            meter.spread[slot] = spread + rate * (abs(x - mean) - spread) if seen else 0.3 * abs(x)
            meter.seen[slot] = min(seen + 1, 1000)

    def _turn(
        self,
        row: int,
        meter: Meter,
        t_us: int,
        condition: str,
        source: str,
        tier: Tier,
        ratio: str,
        stands: bool,
        over: bool,
        evidence: dict[str, object],
    ) -> Iterator[Signal]:
        """Open or close one of a meter's conditions."""
        key = f"{condition}:{source}"
        if stands == (key in meter.open) or (key in meter.open and not over):
            return
        since = meter.open.pop(key, t_us)
        if stands:
            meter.open[key] = t_us
        figure = self._registry.figure(ratio)
        yield signal(
            self,
            self._registry,
            row,
            t_us,
            condition=condition,
            tier=tier,
            active=stands,
            source=source,
            text=source,
            evidence={
                **evidence,
                "driver": METRIC,
                "since_us": since,
                "basis": figure.basis,
                "mark": figure.mark,
                "rule": f"{ratio} {figure.value:g}",
            },
        )
