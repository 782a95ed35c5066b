"""The exactly-once ledger: which seqs of each gateway, lane and epoch the database holds (ARCHITECTURE §4)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.database import queries
from watchkeep_core.topics import GatewayRef, Lane
from watchkeep_ingest.seq_ranges import SeqRanges

MAX_JUMP = 10**9
"""A seq further above the highest known one is a lie: at 1 message/s it takes 30 years (ARCHITECTURE §3)."""

MAX_RANGES = 1_000
"""Ranges in one row; the gateway resends in order, so holes fill before new ones are taken (ARCHITECTURE §3)."""

Key = tuple[GatewayRef, str]
"""Gateway and epoch; the lane is the writer's."""

Verdict = Literal["new", "duplicate", "seq_jump", "too_many_ranges"]
UNRECORDED: frozenset[str] = frozenset({"seq_jump", "too_many_ranges"})
"""Refusals that leave the seq open: recording it is what would do the harm."""


@dataclass(slots=True)
class Entry:
    """One row of the ledger, locked by our transaction."""

    received: SeqRanges = field(default_factory=SeqRanges)
    known: SeqRanges = field(default_factory=SeqRanges)
    """Received or lost."""
    stored_lost: SeqRanges = field(default_factory=SeqRanges)
    stored_upper: int = 0
    """What the database held when the row was locked: lost seqs, and one above the highest known."""
    added: list[int] = field(default_factory=list)
    floor: int = 0
    recovered: list[tuple[int, str]] = field(default_factory=list)
    """Seqs that close a gap the database knows of, with what they had been: missing or lost."""

    def judge(self, seq: int, floor: int) -> Verdict:
        """Take one message in. A lost seq that comes after all is new: the gap ledger shows it as recovered.

        The floor counts even when the message is a duplicate, else a spool of duplicates above a hole waits for ever.
        """
        if seq in self.received:
            self._raise_floor(floor)
            return "duplicate"
        if seq > self.known.upper + MAX_JUMP:
            return "seq_jump"
        self._raise_floor(floor)
        if (len(self.known) >= MAX_RANGES and self.known.is_apart(seq)) or (
            len(self.received) >= MAX_RANGES and self.received.is_apart(seq)
        ):
            return "too_many_ranges"
        if seq < self.stored_upper:
            self.recovered.append((seq, "lost" if seq in self.stored_lost else "missing"))
        self.received.add(seq, seq + 1)
        self.known.add(seq, seq + 1)
        self.added.append(seq)
        return "new"

    def judge_all(self, seqs: Sequence[int], floors: Sequence[int]) -> dict[int, Verdict]:
        """`judge` of many messages in order of arrival → the place and verdict of each that is not new.

        A run without holes above all known seqs is taken in as one range, as nearly every batch is one.
        """
        last = seqs[0] + len(seqs) - 1
        is_run = seqs[0] >= self.known.upper and seqs[-1] == last and list(seqs) == list(range(seqs[0], last + 1))
        if is_run and (verdict := self.judge(seqs[0], floors[0])) == "new":
            self.received.add(seqs[0], last + 1)
            self.known.add(seqs[0], last + 1)
            self.added.extend(seqs[1:])
            self._raise_floor(max(floors))
            return {}
        start, found = (1, {0: verdict}) if is_run else (0, {})
        for place in range(start, len(seqs)):
            verdict = self.judge(seqs[place], floors[place])
            if verdict != "new":
                found[place] = verdict
        return found

    def _raise_floor(self, floor: int) -> None:
        if floor > self.floor:
            self.floor = floor
            self.known.add(0, floor)


def lock(conn: Connection, lane: Lane, keys: Iterable[Key]) -> dict[Key, Entry]:
    """Lock the rows of these gateways and epochs until the transaction ends; absent ones are empty entries.

    Rows that are created meanwhile cannot be: `accounts.lock` holds the partition.
    """
    entries: dict[Key, Entry] = {key: Entry() for key in keys}
    if entries:
        names = _names(entries)
        for community, gateway, epoch, *ranges in conn.execute(_sql("lock_progress"), {"lane": lane, **names}):
            entry = entries[GatewayRef(community, gateway), epoch]
            entry.received, entry.known, entry.stored_lost = (SeqRanges.parse(text) for text in ranges)
            entry.stored_upper = entry.known.upper
    return entries


def save(conn: Connection, lane: Lane, entries: dict[Key, Entry]) -> dict[Key, int]:
    """Add the new seqs and losses; returns the contiguous seq of each, which is what may be acknowledged."""
    if not entries:
        return {}
    row = {
        "lane": lane,
        **_names(entries),
        "added": [str(SeqRanges.of(entry.added)) for entry in entries.values()],
        "floors": [entry.floor for entry in entries.values()],
    }
    _save_recoveries(conn, lane, entries)
    saved = conn.execute(_sql("save_progress"), row).fetchall()
    return {(GatewayRef(community, gateway), epoch): seq for community, gateway, epoch, seq in saved}


def _save_recoveries(conn: Connection, lane: Lane, entries: dict[Key, Entry]) -> None:
    found = [
        (source.community, source.gateway, epoch, state, str(SeqRanges.of(seqs)))
        for (source, epoch), entry in entries.items()
        for state in ("missing", "lost")
        if (seqs := [seq for seq, had_been in entry.recovered if had_been == state])
    ]
    if found:
        names = ("communities", "gateways", "epochs", "states", "ranges")
        columns = {name: list(column) for name, column in zip(names, zip(*found, strict=True), strict=True)}
        conn.execute(_sql("save_recoveries"), {"lane": lane, **columns})


def _names(keys: Iterable[Key]) -> dict[str, list[str]]:
    found = list(keys)
    return {
        "communities": [source.community for source, _ in found],
        "gateways": [source.gateway for source, _ in found],
        "epochs": [epoch for _, epoch in found],
    }


def _sql(name: str) -> SQL:
    return queries("watchkeep_ingest", "sql/ledger.sql")[name]
