"""A set of seqs as sorted half-open ranges: Python's view of PostgreSQL's int8multirange."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import Self

_NUMBER = re.compile(r"\d+")


class SeqRanges:
    """Non-negative integers; ranges never touch or overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []  # exclusive

    @classmethod
    def parse(cls, text: str) -> Self:
        """From PostgreSQL's canonical text: `{[0,5),[7,9)}`."""
        made = cls()
        numbers = [int(number) for number in _NUMBER.findall(text)]
        made._starts, made._ends = numbers[::2], numbers[1::2]
        return made

    @classmethod
    def of(cls, seqs: Iterable[int]) -> Self:
        made = cls()
        starts, ends = made._starts, made._ends
        for seq in sorted(seqs):
            if ends and seq <= ends[-1]:
                ends[-1] = max(ends[-1], seq + 1)
            else:
                starts.append(seq)
                ends.append(seq + 1)
        return made

    def __str__(self) -> str:
        return "{" + ",".join(f"[{a},{b})" for a, b in zip(self._starts, self._ends, strict=True)) + "}"

    def __len__(self) -> int:
        """Number of ranges."""
        return len(self._starts)

    def __contains__(self, seq: int) -> bool:
        at = bisect_right(self._starts, seq) - 1
        return at >= 0 and seq < self._ends[at]

    @property
    def upper(self) -> int:
        """One above the highest member; 0 when empty."""
        return self._ends[-1] if self._ends else 0

    def is_apart(self, seq: int) -> bool:
        """Whether adding `seq` would make one more range."""
        at = bisect_right(self._starts, seq) - 1
        touches_left = at >= 0 and seq <= self._ends[at]
        touches_right = at + 1 < len(self._starts) and self._starts[at + 1] == seq + 1
        return not (touches_left or touches_right)

    def add(self, start: int, end: int) -> None:
        """Add start … end − 1; nothing when that is empty."""
        if start >= end:
            return
        first = bisect_right(self._starts, start)
        if first and self._ends[first - 1] >= start:
            first -= 1
            start = self._starts[first]
        last = bisect_right(self._starts, end)
        if last > first:
            end = max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]
