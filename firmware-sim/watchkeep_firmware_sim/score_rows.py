"""Figures of a score, per condition and of all."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec


class Row(msgspec.Struct, kw_only=True):
    """Figures of one condition (the first that a scenario expects), or of all."""

    condition: str
    faults: int = 0
    detected: int = 0
    pending: int = 0
    """Still going on and not found yet: counted neither way."""
    recall: float | None = None
    delay_median_s: float | None = None
    """From the beginning, of growing faults from the broken limit; negative = before it."""
    delay_p95_s: float | None = None
    false_warnings: int = 0
    duplicates: int = 0
    """The same warning again during one fault."""
    missing_orders: int = 0
    waiting_orders: int = 0
    """Warnings that still wait for a verdict."""
    extra_orders: int = 0
    """Further orders for the same fault."""
    wrong_party: int = 0
    wrong_class: int = 0


def finished(rows: Iterable[Row], delays: Mapping[str, Sequence[float]]) -> list[Row]:
    """With recall and quantiles of the delays (seconds, by condition), in the order of the conditions."""
    return sorted((_with_shares(row, delays.get(row.condition, ())) for row in rows), key=lambda row: row.condition)


def total(rows: Sequence[Row], delays: Mapping[str, Sequence[float]]) -> Row:
    """Of all conditions."""
    found = Row(condition="")
    counted = [field for field in Row.__struct_fields__ if isinstance(getattr(found, field), int)]
    for row in rows:
        for field in counted:
            setattr(found, field, getattr(found, field) + getattr(row, field))
    return _with_shares(found, [delay for of_condition in delays.values() for delay in of_condition])


def _with_shares(row: Row, delays: Sequence[float]) -> Row:
    row.recall = row.detected / row.faults if row.faults else None
    if delays:
        row.delay_median_s, row.delay_p95_s = _quantile(delays, 0.5), _quantile(delays, 0.95)
    return row


def _quantile(values: Sequence[float], share: float) -> float:
    """By straight lines between the sorted values."""
    ranked = sorted(values)
    place = share * (len(ranked) - 1)
    low = int(place)
    high = min(low + 1, len(ranked) - 1)
    return ranked[low] + (ranked[high] - ranked[low]) * (place - low)
