"""A growing set of seqs, told as PostgreSQL's int8multirange."""


class Seqs:
    """Cheap where seqs come in order, as they nearly always do."""

    def __init__(self) -> None:
        self._ranges: list[list[int]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __str__(self) -> str:
        return "{" + ",".join(f"[{start},{end})" for start, end in sorted(self._ranges)) + "}"

    def add(self, seq: int) -> None:
        """A seq that is not in it yet."""
        self._count += 1
        if self._ranges and self._ranges[-1][1] == seq:
            self._ranges[-1][1] += 1
        else:
            self._ranges.append([seq, seq + 1])
