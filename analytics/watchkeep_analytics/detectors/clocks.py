"""Wrong clocks, from what ingest saw of stamps and what gateways say of themselves; readings have no part in it.

A device that is late because a backlog is sent has a delay that shrinks; a wrong clock is wrong by the same amount.
Most devices of a gateway wrong by the same amount are one warning: the gateway's clock. Most gateways wrong alike are
one, too: it is the server's clock that they are measured by.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from statistics import median
from typing import ClassVar

import msgspec

from watchkeep_analytics.batch import SECOND, Batch
from watchkeep_analytics.registry import Gateway, Registry
from watchkeep_analytics.signals import Moment, Signal

STEADY_S = 60.0
"""An estimate that moves by no more than this is the same error."""

BACKLOG_S = 180.0
"""A clock that seems behind must be so steadily for this long: ingest's median forgets a backlog of two minutes."""

RELEASE = 0.8
"""Of the tolerance: below that a clock is right again."""

MOST, AT_LEAST = 0.6, 3
"""So large a share of a gateway's equipment, and so many pieces, make it the gateway's clock; so with gateways."""

SETTLE_S = 60.0
"""An error of one of several gateways must last so long, that it is seen whether the others have it as well."""

SERVER = "server_clock"
"""Stands for the condition of what is told of one gateway in the name of all."""

Key = tuple[str, str]
"""(community, equipment)"""


class Refused(msgspec.Struct, frozen=True):
    """Readings of a device whose stamps ingest could not believe (quarantine)."""

    skew_s: float
    """Receive time minus stamp, + = behind; median of the newest ones."""
    received_us: int


class Told(msgspec.Struct, frozen=True):
    """What is known of clocks now; seconds, + = behind."""

    devices: Mapping[Key, float] = {}
    gateways: Mapping[Key, float] = {}
    """(community, gateway) → by the gateway's own measurement against the server."""
    refused: Mapping[Key, Refused] = {}


class Error(msgspec.Struct):
    """One clock: what it was first seen off by, since when steadily, and whether that is open."""

    skew_s: float
    since_us: int
    open: bool = False


class Clocks:
    """Judged at ticks against what `tell` brought; state: one entry per clock that is off."""

    name: ClassVar[str] = "clocks"
    version: ClassVar[str] = "1"

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._told: Told | None = None
        self._refused: dict[Key, Refused] = {}
        self._errors: dict[tuple[str, str, str], Error] = {}
        """(community, equipment, condition)"""
        self._pieces: Counter[Gateway] = Counter()
        self.configure()

    def tell(self, told: Told) -> None:
        """The latest facts; refused readings are only the new ones."""
        self._told = told
        self._refused |= told.refused

    def configure(self) -> list[Signal]:
        registry = self._registry
        first = [next(iter(item.points.values())) for item in registry.equipment if item.points]
        self._pieces = Counter(registry.gateways[number] for number in registry["gateway"][first].tolist())
        return []

    def observe(self, batch: Batch) -> list[Signal]:
        return []

    def tick(self, moment: Moment) -> list[Signal]:
        if self._told is None or not (self._told.devices or self._told.gateways or self._refused or self._errors):
            return []
        now_us = int(moment.wall_us.max(initial=0))
        off = self._off(self._told)
        wrong = dict(self._gateways(self._told, off))
        ours = self._ours(off, wrong)
        server = {} if ours is None else dict([ours])
        alike = math.inf if ours is None else ours[1]
        gateways = {(g.community, g.equipment): s for g, s in wrong.items() if abs(s - alike) > STEADY_S}
        devices = {
            key: skew
            for key, (skew, of) in off.items()
            if abs(skew - wrong.get(of, math.inf)) > STEADY_S and abs(skew - alike) > STEADY_S
        }
        said = self._judge(SERVER, server, now_us)
        found = [replace(s, condition="gateway_clock_wrong", source=SERVER, text="server_clock") for s in said]
        found += self._judge("gateway_clock_wrong", gateways, now_us)
        return found + self._judge("sensor_clock_skew", devices, now_us)

    def ready(self, row: int) -> bool:
        return True

    def save(self) -> bytes:
        return msgspec.msgpack.encode((list(self._errors.items()), list(self._refused.items())))

    def load(self, data: bytes) -> None:
        shape = tuple[list[tuple[tuple[str, str, str], Error]], list[tuple[Key, Refused]]]
        try:
            errors, refused = msgspec.msgpack.decode(data, type=shape)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from None
        self._errors, self._refused = dict(errors), dict(refused)

    @property
    def nbytes(self) -> int:
        return 200 * (len(self._errors) + len(self._refused))

    def _off(self, told: Told) -> dict[Key, tuple[float, Gateway]]:
        """Equipment with a known error → seconds, and its gateway."""
        registry = self._registry
        found: dict[Key, tuple[float, Gateway]] = {}
        for key in sorted(told.devices.keys() | self._refused.keys()):
            item = registry.equipment_of(*key)
            if item is None or item.replay:
                continue
            rows = list(item.points.values())
            refused = self._refused.get(key)
            if refused is not None and registry["last_us"][rows].max() > refused.received_us + STEADY_S * SECOND:
                del self._refused[key]  # it has sent believable stamps since
                refused = None
            skew = refused.skew_s if refused is not None else told.devices.get(key, 0.0)
            if abs(skew) > self._release_s:
                found[key] = (skew, registry.gateways[int(registry["gateway"][rows[0]])])
        return found

    def _gateways(self, told: Told, off: Mapping[Key, tuple[float, Gateway]]) -> Iterator[tuple[Gateway, float]]:
        """Gateways whose clock is wrong: they say so, or most of their equipment is wrong by the same amount."""
        skews: dict[Gateway, list[float]] = {}
        for skew, of in off.values():
            skews.setdefault(of, []).append(skew)
        for gateway, pieces in self._pieces.items():
            said = told.gateways.get((gateway.community, gateway.id), 0.0)
            same = skews.get(gateway, [])
            middle = sorted(same)[len(same) // 2] if same else 0.0
            alike = sum(abs(skew - middle) <= STEADY_S for skew in same)
            if abs(said) > self._release_s and not gateway.replay:
                yield gateway, said
            elif gateway.id and alike >= max(AT_LEAST, MOST * pieces):
                yield gateway, middle

    def _ours(
        self, off: Mapping[Key, tuple[float, Gateway]], wrong: Mapping[Gateway, float]
    ) -> tuple[Key, float] | None:
        """The gateway that speaks for all, and the error, when most gateways are off alike; None = they are not."""
        live = self._live()
        skews = {gateway: [skew] for gateway, skew in wrong.items()}
        for skew, of in off.values():
            if of not in wrong:
                skews.setdefault(of, []).append(skew)
        said = sorted(median(same) for of, same in skews.items() if of in wrong or len(same) >= MOST * self._pieces[of])
        if len(said) < AT_LEAST:
            return None
        middle = said[len(said) // 2]
        alike = sum(abs(skew - middle) <= STEADY_S for skew in said)
        first = min(live, key=lambda gateway: (gateway.community, gateway.id), default=None)
        if first is None or alike < max(AT_LEAST, MOST * len(live)):
            return None
        return (first.community, first.equipment), middle

    def _live(self) -> list[Gateway]:
        return [gateway for gateway in self._pieces if gateway.id and not gateway.replay]

    def _judge(self, condition: str, off: Mapping[Key, float], now_us: int) -> list[Signal]:
        found: list[Signal] = []
        settle_s = SETTLE_S if off and len(self._live()) >= AT_LEAST else 0.0
        for (community, equipment), skew in sorted(off.items()):
            error = self._errors.setdefault((community, equipment, condition), Error(skew, now_us))
            if abs(skew - error.skew_s) > STEADY_S:
                error.skew_s, error.since_us = skew, now_us
            lasting = now_us - error.since_us >= (settle_s if skew < 0 else BACKLOG_S) * SECOND
            if not error.open and abs(skew) > self._tolerance_s and lasting:
                error.open = True
                found.append(self._signal(community, equipment, condition, error, skew, error.since_us, True))
        for key in [key for key in self._errors if key[2] == condition and key[:2] not in off]:
            error = self._errors.pop(key)
            if error.open:
                found.append(self._signal(key[0], key[1], condition, error, 0.0, now_us, False))
        return found

    @property
    def _tolerance_s(self) -> float:
        return self._registry.figure("clock_skew_tolerance").value

    @property
    def _release_s(self) -> float:
        return RELEASE * self._tolerance_s

    def _signal(
        self, community: str, equipment: str, condition: str, error: Error, skew: float, event_us: int, active: bool
    ) -> Signal:
        figure = self._registry.figure("clock_skew_tolerance")
        return Signal(
            community=community,
            equipment=equipment,
            condition=condition,
            tier="warning",
            active=active,
            detector=self.name,
            version=self.version,
            event_us=event_us,
            source="stamps",
            text="clock",
            evidence={
                "actual": -skew,
                "unit": "s",
                "expected": {"low": -figure.value, "high": figure.value},
                "driver": "clock",
                "since_us": error.since_us,
                "basis": figure.basis,
                "mark": figure.mark,
                "rule": f"off by more than {figure.value:g} s, steadily",
            },
        )
