"""What every device model is: a machine that is asked what its sensors read at a moment of event time."""

import math
from dataclasses import dataclass
from random import Random
from typing import Protocol

NEVER = math.inf

Values = dict[str, float]
"""Metric → value in the metric's unit."""


@dataclass(frozen=True, slots=True)
class Site:
    """What a model is made from: the same site gives the same readings."""

    seed: str
    """Differs for each device; all randomness of a device comes from it."""
    start: float
    """Seconds since 1970 UTC."""
    utc_offset_h: float

    def rng(self, purpose: str) -> Random:
        """A source of its own for each purpose, so that adding one changes no other. The same on every machine."""
        return Random(f"{self.seed}/{purpose}")  # noqa: S311 - a simulation wants repeatable numbers


class Model(Protocol):
    """One machine. Times are seconds since 1970 UTC and never go back."""

    metrics: frozenset[str]
    """What it can tell."""

    def read(self, t: float) -> Values:
        """All continuous readings at `t`; readings that exist per occasion only (a ride) are not among them."""
        ...

    def next_change(self) -> float:
        """When a state will change next; NEVER when none will."""
        ...

    def changed(self, t: float) -> Values:
        """Pass all changes due at `t`, and tell what they changed, per-occasion readings included."""
        ...

    def halt(self, t: float) -> None:
        """The machine stops where it is."""
        ...

    def resume(self, t: float, states: Values) -> None:
        """The machine works again, beginning in the states in which the fault left it."""
        ...


class Steady:
    """A model without states that change by themselves; the base of those."""

    metrics: frozenset[str] = frozenset()

    def next_change(self) -> float:
        return NEVER

    def changed(self, _t: float) -> Values:
        return {}

    def halt(self, _t: float) -> None:
        """Nothing moves."""

    def resume(self, _t: float, _states: Values) -> None:
        """Nothing moved."""
