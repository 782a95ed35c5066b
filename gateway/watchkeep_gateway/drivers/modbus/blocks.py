"""Cells to requests: as few as block size and gaps allow; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from watchkeep_gateway.drivers.modbus.tables import Cell, RegisterKind


@dataclass(frozen=True, slots=True)
class Block:
    """One request: `count` registers or bits of one kind, and the values in them."""

    kind: RegisterKind
    address: int
    count: int
    cells: tuple[Cell, ...]

    @property
    def text(self) -> str:
        return f"{self.kind} {self.address} to {self.address + self.count - 1}"


def blocks(cells: Sequence[Cell], max_block: int, max_gap: int) -> list[Block]:
    """Group cells; registers between them are read along when the gap is at most `max_gap`."""
    ordered = sorted(cells, key=lambda cell: (cell.kind, cell.address))
    found: list[Block] = []
    for kind, group in groupby(ordered, key=lambda cell: cell.kind):
        members: list[Cell] = []
        start = end = 0
        for cell in group:
            stop = cell.address + cell.words
            if members and (cell.address - end > max_gap or max(stop, end) - start > max_block):
                found.append(Block(kind, start, end - start, tuple(members)))
                members = []
            if not members:
                start = end = cell.address
            members.append(cell)
            end = max(end, stop)
        found.append(Block(kind, start, end - start, tuple(members)))
    return found


def without_gaps(block: Block) -> list[Block]:
    """For a device that refuses registers nobody asked for; a block without gaps stays one."""
    return blocks(block.cells, block.count, 0)
