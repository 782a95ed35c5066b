"""Trains the equipment models of the simulated fleet as the nights would, from what has been played so far."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from watchkeep_analytics.batch import Floats
from watchkeep_analytics.models.fitted import Active, Frame
from watchkeep_analytics.models.fitting import attempt
from watchkeep_analytics.models.frames import clear_of, worked
from watchkeep_analytics.signals import Signal

EVERY_S = 7 * 86_400.0
"""Between two trainings; the service trains every night, which would only take longer here."""

_ROWS = 28 * 288


class Played(NamedTuple):
    """A day of one kind: `values[t, metric, device]` with the times in s, as bench_fleet has it."""

    metrics: tuple[str, ...]
    equipment: tuple[str, ...]
    t: Floats
    values: Any


class Nights:
    """Keeps four weeks of what was played."""

    def __init__(self) -> None:
        self._days: list[list[Played]] = []
        self.refused: dict[str, int] = {}
        """Why → how many, at the last training."""
        self._version = 0

    def keep(self, day: Sequence[Played]) -> None:
        self._days = [*self._days, list(day)][-_ROWS // 288 :]

    def train(self, raised: Sequence[Signal]) -> dict[tuple[str, str], Active]:
        """Models in force by (community, equipment); what does not pass its check has none."""
        self._version += 1
        self.refused = {}
        stood = _stood(raised)
        found = {}
        for kind in range(len(self._days[0])):
            days = [day[kind] for day in self._days]
            t = np.concatenate([day.t for day in days])
            values = np.concatenate([day.values for day in days]).astype(np.float64)
            for device, name in enumerate(days[0].equipment):
                community, item = name.split("/")
                mine = values[:, :, device]
                spans = [*stood.get((community, item), []), *worked(days[0].metrics, t, mine)]
                made = attempt(Frame(community, item, days[0].metrics, mine, clear_of(t, spans)))
                if made.fitted is None:
                    why = made.why.split(":")[0]
                    self.refused[why] = self.refused.get(why, 0) + 1
                else:
                    found[community, item] = Active(self._version, made.fitted)
        return found


def _stood(raised: Sequence[Signal]) -> Mapping[tuple[str, str], list[tuple[float, float]]]:
    """When a warning stood on each piece of equipment, in s."""
    begun: dict[tuple[Any, ...], float] = {}
    spans: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for signal in raised:
        if signal.tier == "notice":
            continue
        key = (*signal.key, signal.detector, signal.series, signal.source)
        if signal.active:
            begun.setdefault(key, signal.event_us / 1e6)
        elif key in begun:
            spans.setdefault(key[:2], []).append((begun.pop(key), signal.event_us / 1e6))
    for key, since in begun.items():
        spans.setdefault(key[:2], []).append((since, np.inf))
    return spans
