"""Decides, for all readings of one gateway and epoch at once: store, quarantine or park. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from watchkeep_core.messages import Data
from watchkeep_ingest.births import UNKNOWN_ALIAS
from watchkeep_ingest.columns import Bools, Columns, Ints, Portion, Rows
from watchkeep_ingest.lane import MAX_AGE_US, MAX_AHEAD_US, REPLAY_FROM_US, REPLAY_UNTIL_US
from watchkeep_ingest.register import AliasTable


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Readings with impossible stamps."""

    rows: Rows
    received_us: Ints
    too_old: Bools
    """Else in the future."""


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


def resolve(portions: Sequence[Portion], columns: Columns, table: AliasTable, *, replay: bool) -> Resolution:
    """`columns` are those of `portions`, all of one gateway and epoch, whose alias table is `table`."""
    series = table.look_up(columns.alias)
    unknown = series < 0
    if replay:
        too_old, ahead = columns.time_us < REPLAY_FROM_US, columns.time_us >= REPLAY_UNTIL_US
    else:
        too_old = columns.time_us < columns.received_us - MAX_AGE_US
        ahead = columns.time_us > columns.received_us + MAX_AHEAD_US
    partition = np.full(len(series), portions[0].partition, np.uint8)
    rows = Rows(series, columns.time_us, columns.value, columns.quality, partition)
    bad = (too_old | ahead) & ~unknown
    return Resolution(
        stored=rows if not (unknown.any() or bad.any()) else rows.where(~unknown & ~bad),
        quarantined=Quarantined(rows.where(bad), columns.received_us[bad], too_old[bad]),
        parked=_park(portions, columns, unknown, table) if unknown.any() else [],
    )


def _park(portions: Sequence[Portion], columns: Columns, unknown: Bools, table: AliasTable) -> list[Parked]:
    starts = np.searchsorted(columns.portion, np.arange(len(portions)))
    parked: list[Parked] = []
    for number in np.unique(columns.portion[unknown]).tolist():
        data = portions[number].data
        by_reason: defaultdict[str, list[int]] = defaultdict(list)
        for at in np.flatnonzero(unknown & (columns.portion == number)).tolist():
            place = at - int(starts[number])
            by_reason[table.refused.get(data.alias[place], UNKNOWN_ALIAS)].append(place)
        parked += [Parked(portions[number], reason, _pick(data, places)) for reason, places in by_reason.items()]
    return parked


def _pick(data: Data, places: Sequence[int]) -> Data:
    return Data(
        floor=0,
        t0=data.t0,
        alias=[data.alias[place] for place in places],
        dt_ms=[data.dt_ms[place] for place in places],
        value=[data.value[place] for place in places],
        quality=None if data.quality is None else [data.quality[place] for place in places],
    )
