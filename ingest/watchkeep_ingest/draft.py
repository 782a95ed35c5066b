"""What can be made of a batch of readings without the database: while one batch is stored, the next is drafted.

A draft is a pure function of the messages, of what their aliases mean and of their communities' modes. The writer takes
the one that another thread has made if all three are still the same objects, and else makes its own.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from operator import is_
from typing import Self

from watchkeep_ingest.columns import Columns, Portion, Rows
from watchkeep_ingest.register import AliasTable, Register
from watchkeep_ingest.resolve import Resolution, resolve


@dataclass(frozen=True, slots=True)
class Draft:
    """A batch that is ready to be stored."""

    columns: Columns
    tables: Sequence[AliasTable]
    replay: Sequence[bool]
    """What it was made of, beside the columns: meaning and mode of each stream."""
    resolution: Resolution
    rows: Rows
    """What is to be stored, sorted."""
    encoded: memoryview
    """The same as the input of COPY."""

    @classmethod
    def of(
        cls, portions: Sequence[Portion], columns: Columns, tables: Sequence[AliasTable], replay: Sequence[bool]
    ) -> Self:
        """`columns` are those of the portions; tables and modes those of their streams."""
        resolution = resolve(portions, columns, tables, replay)
        rows = resolution.stored.sorted()
        return cls(columns, tables, replay, resolution, rows, rows.to_copy())

    def is_of(self, tables: Sequence[AliasTable], replay: Sequence[bool]) -> bool:
        """Whether making it again would give the same; tables never change, a birth makes new ones."""
        return list(replay) == list(self.replay) and all(map(is_, tables, self.tables))


class Drafts:
    """Hands the draft that one thread has made to the writer's thread."""

    def __init__(self, register: Register) -> None:
        """Only what the register remembers is asked for: its writer's thread is the one that reads the database."""
        self._register = register
        self._making = threading.Lock()
        self._made: tuple[Sequence[Portion], Draft] | None = None

    def make(self, portions: Sequence[Portion]) -> None:
        """Draft the next batch, if all its gateways and aliases are known."""
        with self._making:
            self._made = None
            columns = Columns.of(portions)
            keys = [stream.key for stream in columns.streams]
            known = self._register.remembered(keys)
            if known is not None:
                self._made = portions, Draft.of(portions, columns, *known)

    def columns_of(self, portions: Sequence[Portion]) -> Columns:
        """Columns of a batch, from its draft if there is one; waits for a draft under way, which is likely to be it."""
        with self._making:
            if self._made is not None and _are_same(portions, self._made[0]):
                return self._made[1].columns
        return Columns.of(portions)

    def take(
        self, portions: Sequence[Portion], columns: Columns, tables: Sequence[AliasTable], replay: Sequence[bool]
    ) -> Draft:
        """The draft of a batch, which is then forgotten; made now when there is none."""
        with self._making:
            if self._made is not None and self._made[1].columns is columns:
                (_, draft), self._made = self._made, None
                if draft.is_of(tables, replay):
                    return draft
        return Draft.of(portions, columns, tables, replay)


def _are_same(some: Sequence[Portion], others: Sequence[Portion]) -> bool:
    """Whether they hold the same messages."""
    return len(some) == len(others) and all(a.readings is b.readings for a, b in zip(some, others, strict=True))
