"""Messages that no ingest can take, and what must become of each (issue 4's list): buried, quarantined or refused."""

from collections.abc import Callable
from typing import Literal, NamedTuple

from watchkeep_core.messages import MAX_PAYLOAD_BYTES
from watchkeep_core.topics import Lane

Outcome = Literal["dead", "quarantined", "refused"]
"""`dead`: a dead letter, its seq counts as received. `refused`: over the broker's packet limit, never on the wire."""

YEAR_1970_MS = 0
YEAR_2106_MS = 2**32 * 1000
"""Where 32-bit seconds end."""

SPAN_MS = 86_400_000
"""Poisoned stamps are within a day of these."""


class Poison(NamedTuple):
    """One sort; `make` takes a seq and the present, ms since 1970, and returns the whole payload."""

    name: str
    lane: Lane
    outcome: Outcome
    make: Callable[[int, int], bytes]


def _data(columns: bytes) -> Callable[[int, int], bytes]:
    return lambda _seq, now_ms: b'{"floor":0,"t0":%d,%b}' % (now_ms, columns)


def _event(text: bytes) -> Callable[[int, int], bytes]:
    body = b'{"floor":0,"t":%d,"equipment":"poison","condition":"fire_alarm","active":true,"raw_code":"%b"}'
    return lambda _seq, now_ms: body % (now_ms, text)


def _in_year(start_ms: int) -> Callable[[int, int], bytes]:
    """Well-formed, one reading of the gateway's first point; the seq makes its stamp the only one."""
    body = b'{"floor":0,"t0":%d,"alias":[0],"dt_ms":[0],"value":[1.5]}'
    return lambda seq, _now_ms: body % stamp(start_ms, seq)


def stamp(start_ms: int, seq: int) -> int:
    return start_ms + seq % SPAN_MS


YEARS = {"year_1970": YEAR_1970_MS, "year_2106": YEAR_2106_MS}
YEARS_THOUSANDTHS = 1500
"""The value of their one reading."""

_DEEP = b'{"floor":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
_TOO_LARGE = b" " * (MAX_PAYLOAD_BYTES + 1)
_10_MB = b" " * 10_000_000

POISONS = (
    Poison("nan", "data", "dead", _data(b'"alias":[0],"dt_ms":[0],"value":[NaN]')),
    Poison("1e999", "data", "dead", _data(b'"alias":[0],"dt_ms":[0],"value":[1e999]')),
    Poison("wrong_types", "data", "dead", _data(b'"alias":["0"],"dt_ms":[0],"value":["12"]')),
    Poison("unequal_columns", "data", "dead", _data(b'"alias":[0,1],"dt_ms":[0],"value":[1.0]')),
    Poison("depth_100000", "data", "dead", lambda *_: _DEEP),
    Poison("too_large", "data", "dead", lambda *_: _TOO_LARGE),
    Poison("10_mb", "data", "refused", lambda *_: _10_MB),
    Poison("nul", "event", "dead", _event(b"\\u0000")),
    Poison("lone_surrogate", "event", "dead", _event(b"\\ud800")),
    *(Poison(name, "data", "quarantined", _in_year(start)) for name, start in YEARS.items()),
)
