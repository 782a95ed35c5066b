"""Decides, for all readings of a batch at once: store, quarantine or park. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from watchkeep_core.messages import Data
from watchkeep_ingest.births import UNKNOWN_ALIAS
from watchkeep_ingest.columns import Bools, Columns, Ints, Portion, Rows
from watchkeep_ingest.lane import MAX_AGE_US, MAX_AHEAD_US, MAX_VALUE, REPLAY_FROM_US, REPLAY_UNTIL_US
from watchkeep_ingest.register import AliasTable


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Readings with impossible stamps or values."""

    rows: Rows
    portion: Ints
    received_us: Ints
    reason: list[str]


@dataclass(frozen=True, slots=True)
class Parked:
    """Readings of one message that wait, as a data message of their own."""

    portion: Portion
    reason: str
    data: Data


@dataclass(frozen=True, slots=True)
class Resolution:
    """Every reading is in exactly one of the three."""

    stored: Rows
    quarantined: Quarantined
    parked: list[Parked]


def resolve(
    portions: Sequence[Portion], columns: Columns, tables: Sequence[AliasTable], replay: Sequence[bool]
) -> Resolution:
    """`columns` are those of `portions`; `tables` and modes (`replay`) are those of its streams, in their order."""
    series = _series(portions, columns, tables)
    unknown = series < 0
    partition = columns.of_each([stream.partition for stream in columns.streams], np.uint8)
    rows = Rows(series, columns.time_us, columns.value, columns.quality, partition)
    too_old, ahead = _out_of_bounds(columns, replay)
    absurd = np.abs(columns.value) > MAX_VALUE
    bad = (too_old | ahead | absurd) & ~unknown
    reasons = np.select([too_old[bad], ahead[bad]], ["too_old", "in_future"], "impossible_value")
    owners = columns.portion_of(bad)
    return Resolution(
        stored=rows if not (unknown.any() or bad.any()) else rows.where(~unknown & ~bad),
        quarantined=Quarantined(rows.where(bad), owners, columns.arrival_us[owners], reasons.tolist()),
        parked=_park(portions, columns, unknown, tables) if unknown.any() else [],
    )


def _series(portions: Sequence[Portion], columns: Columns, tables: Sequence[AliasTable]) -> NDArray[np.int32]:
    """Series of every reading, −1 = unknown: the tables lie one behind the other, so that one look-up does for all."""
    sizes = [len(table.series) for table in tables]
    starts = np.cumsum([0, *sizes])[:-1]
    pool = np.concatenate([*(table.series for table in tables), np.array([-1], np.int32)])
    place = columns.alias
    if any(table.aliases is not None for table in tables):
        owners = [tables[number] for number in columns.stream.tolist()]
        place = np.concatenate([t.places(portion.readings.alias) for t, portion in zip(owners, portions, strict=True)])
    found = place + columns.of_each(starts.tolist())
    known = place < columns.of_each(sizes)
    series: NDArray[np.int32] = pool[found if known.all() else np.where(known, found, len(pool) - 1)]
    return series


def _out_of_bounds(columns: Columns, replay: Sequence[bool]) -> tuple[Bools, Bools]:
    """Which stamps are too old, and which too far ahead."""
    received_us = columns.received_us
    low: Any = received_us - MAX_AGE_US
    high: Any = received_us + MAX_AHEAD_US
    if any(replay):
        recorded = columns.of_each(replay, np.bool_)
        low = np.where(recorded, REPLAY_FROM_US, low)
        high = np.where(recorded, REPLAY_UNTIL_US - 1, high)
    return columns.time_us < low, columns.time_us > high


def _park(portions: Sequence[Portion], columns: Columns, unknown: Bools, tables: Sequence[AliasTable]) -> list[Parked]:
    parked: list[Parked] = []
    for number in np.unique(columns.portion_of(unknown)).tolist():
        start, end = columns.starts[number : number + 2]
        refused = tables[int(columns.stream[number])].refused
        by_reason: defaultdict[str, list[int]] = defaultdict(list)
        for place in np.flatnonzero(unknown[start:end]).tolist():
            alias = int(columns.alias[start + place])
            by_reason[refused.get(alias, UNKNOWN_ALIAS)].append(place)
        readings = portions[number].readings
        parked += [
            Parked(portions[number], reason, readings.to_data(np.array(places))) for reason, places in by_reason.items()
        ]
    return parked
