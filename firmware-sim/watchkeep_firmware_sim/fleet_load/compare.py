"""Ledger against database: every reading, event and seq that was sent is there once, and nothing else."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.sql import SQL

from watchkeep_core.clock import from_ms
from watchkeep_core.database import queries
from watchkeep_firmware_sim.fleet_load.comparison import NAMED, Comparison
from watchkeep_firmware_sim.fleet_load.generator import contents
from watchkeep_firmware_sim.fleet_load.plan import Plan, plan
from watchkeep_firmware_sim.fleet_load.records import OpenMessage, Sent
from watchkeep_firmware_sim.fleet_load.seqs import Seqs
from watchkeep_firmware_sim.fleet_load.sums import Ints, Sums

T = TypeVar("T")

ROWS_AT_ONCE = 10_000


def compare(conn: Connection, sent: Sent) -> Comparison:
    """Read-only; `conn` is of a login that may read what ingest writes. Memory: some 100 bytes per series."""
    return _Compare(conn, sent).run()


@dataclass(frozen=True, slots=True)
class _Register:
    """Series ids of the plan's points, and the other way round."""

    series: Ints
    """By place in the layout; −1 = the register does not know the point."""
    place: Ints
    """By series id; −1 = not of the plan, −2 = not even of its communities."""

    def near(self, series: int) -> bool:
        """Whether a series is of one of the communities."""
        return series < len(self.place) and bool(self.place[series] > -2)


class _Compare:
    def __init__(self, conn: Connection, sent: Sent) -> None:
        self._conn = conn
        self._sent = sent
        self._plan = plan(sent.options)
        self._names: dict[str, Any] = {
            "communities": self._plan.communities,
            "epoch": sent.epoch,
            "started": from_ms(sent.started_ms),
        }
        self._register = _register(conn, self._plan)
        self._spans = list(_spans(sent, self._register))
        self._arrived = self._which_arrived()
        self._result = Comparison(sent.epoch, self._plan.options.points, 0, 0)

    def run(self) -> Comparison:
        result = self._result
        result.undelivered = len(self._sent.opened) - len(self._arrived)
        self._series()
        self._lanes()
        self._dead()
        self._events()
        result.parked = dict(self._rows("parked"))
        result.quarantined = dict(self._rows("quarantined"))
        return result

    def _rows(self, name: str, **more: Any) -> list[tuple[Any, ...]]:
        return self._conn.execute(_sql(name), {**self._names, **more}).fetchall()

    def _which_arrived(self) -> set[int]:
        """Places in `sent.opened` of the messages that the database has although they were given up."""
        found: set[int] = set()
        for some in _batches(range(len(self._sent.opened))):
            opened = [self._sent.opened[place] for place in some]
            lanes = [each.lane for each in opened]
            row = self._lane_names(opened) | {"lanes": lanes, "seqs": [each.seq for each in opened]}
            found |= {place for (place,) in self._rows("received", places=list(some), **row)}
        return found

    def _lane_names(self, rows: Sequence[Any]) -> dict[str, Any]:
        refs = [self._plan.gateways[each.gateway] for each in rows]
        return {"communities": [ref.community for ref in refs], "gateways": [ref.gateway for ref in refs]}

    def _expected(self) -> Sums:
        """What was acknowledged, and what arrived all the same."""
        sums = Sums(0)
        sums.count, sums.check = self._sent.sums.count.copy(), self._sent.sums.check.copy()
        for place in self._arrived:
            each = self._sent.opened[place]
            if each.readings:
                sums.add_at(*contents(self._plan, each.gateway, each.payload.encode()))
        return sums

    def _found(self) -> tuple[Sums, Ints]:
        """What the database has, by series id; and the readings with more than three decimals, which nobody sent."""
        size = len(self._register.place)
        sums, bent = Sums(size), np.zeros(size, np.int64)
        for series, since, until in self._spans:
            with self._conn.cursor(name="sums") as cursor:
                cursor.execute(_sql("sums"), {**self._names, "series": series, "since": since, "until": until})
                while rows := cursor.fetchmany(ROWS_AT_ONCE):
                    own = np.array([row for row in rows if self._register.near(row[0])], np.int64)
                    ids, counts, checks, odd = own.reshape(-1, 4).T
                    sums.count[ids] += counts
                    sums.check[ids] += checks
                    bent[ids] += odd
        return sums, bent

    def _series(self) -> None:
        result, register = self._result, self._register
        expected, (found, bent) = self._expected(), self._found()
        result.readings_sent, result.readings_found = int(expected.count.sum()), int(found.count.sum())
        known, at = register.series >= 0, np.maximum(register.series, 0)
        count = np.where(known, found.count[at], 0)
        differs = (count != expected.count) | (np.where(known, found.check[at], 0) != expected.check)
        wrong = np.flatnonzero(differs | (known & (bent[at] > 0)))
        distinct = self._distinct([int(number) for number in register.series[wrong] if number >= 0])
        for place in wrong.tolist():
            wanted, there = int(expected.count[place]), int(count[place])
            different = distinct[int(register.series[place])]
            result.missing += max(0, wanted - different)
            result.duplicates += max(0, there - different)
            result.extra += max(0, different - wanted)
            result.altered_series += wanted == there == different
        for place in wrong[:NAMED].tolist():
            different = distinct[int(register.series[place])]
            detail = f"sent {expected.count[place]}, there {count[place]}, of which {different} different"
            unknown = "the register does not know it"
            result.note("series", _title(self._plan, place), detail if register.series[place] >= 0 else unknown)
        foreign = np.flatnonzero((found.count > 0) & (register.place < 0))
        for number in foreign[:NAMED].tolist():
            result.note(
                "series", f"series {number}", f"{found.count[number]} readings of a point that is not of the run"
            )
        result.extra += int(found.count[foreign].sum())
        result.differing_series = len(wrong) + len(foreign)

    def _distinct(self, series: list[int]) -> Counter[int]:
        """How many different readings these have."""
        found: Counter[int] = Counter()
        for only, since, until in self._spans:
            for some in _batches(series if only is None else sorted(set(series) & set(only))):
                found.update(dict(self._rows("distinct", series=list(some), since=since, until=until)))
        return found

    def _lanes(self) -> None:
        opened: dict[tuple[int, str], Seqs] = {}
        for each in sorted(self._sent.opened, key=lambda message: message.seq):
            opened.setdefault((each.gateway, each.lane), Seqs()).add(each.seq)
        for lanes in _batches(self._sent.lanes):
            row = self._lane_names(lanes) | {
                "lanes": [each.lane for each in lanes],
                "next_seqs": [each.next_seq for each in lanes],
                "lost": [each.lost for each in lanes],
                "open": [str(opened.get((each.gateway, each.lane), "{}")) for each in lanes],
            }
            for community, gateway, lane, missing, extra, wrongly in self._rows("lanes", **row):
                self._result.differing_lanes += 1
                detail = f"missing {missing}, extra {extra}, told as lost though sent {wrongly}"
                self._result.note("lane", f"{community}/{gateway}/{lane}", detail)

    def _dead(self) -> None:
        """Poison that was acknowledged, or arrived, is buried; nothing else is."""
        buried = {(c, g, lane): seqs for c, g, lane, seqs in self._rows("dead")}
        late: dict[tuple[int, str], list[OpenMessage]] = {}
        for place in self._arrived:
            if (each := self._sent.opened[place]).dead:
                late.setdefault((each.gateway, each.lane), []).append(each)
        for lane in self._sent.lanes:
            ref = self._plan.gateways[lane.gateway]
            more = [f"[{each.seq},{each.seq + 1})" for each in late.get((lane.gateway, lane.lane), [])]
            wanted = "{" + ",".join(filter(None, (lane.dead.strip("{}"), *more))) + "}"
            there = buried.pop((ref.community, ref.gateway, lane.lane), "{}")
            if wanted != there:  # as text; the same set may be written in more than one way
                ((same, missing, extra),) = self._rows("same_seqs", one=wanted, other=there)
                if not same:
                    self._bury_wrongly(f"{ref.user}/{lane.lane}", f"not buried {missing}, buried though good {extra}")
        for (community, gateway, name), seqs in buried.items():
            self._bury_wrongly(f"{community}/{gateway}/{name}", f"buried though never sent {seqs}")

    def _bury_wrongly(self, where: str, detail: str) -> None:
        self._result.differing_dead += 1
        self._result.note("dead", where, detail)

    def _events(self) -> None:
        away = {
            (each.gateway, each.seq)
            for place, each in enumerate(self._sent.opened)
            if each.lane == "event" and place not in self._arrived
        }
        wanted: Counter[tuple[Any, ...]] = Counter()
        for event in self._sent.events:
            if (event.gateway, event.seq) not in away:
                ref = self._plan.gateways[event.gateway]
                wanted[
                    ref.community, ref.gateway, event.seq, event.equipment, event.condition, event.active, event.t
                ] += 1
        there = Counter(self._rows("events"))
        self._result.events_sent = wanted.total()
        for name, some in (("missing", wanted - there), ("extra", there - wanted)):
            self._result.differing_events += some.total()
            for row in list(some)[:NAMED]:
                self._result.note("event", f"{row[0]}/{row[1]} seq {row[2]}", f"{name}: {row[4]} of {row[3]}")


def _register(conn: Connection, made: Plan) -> _Register:
    """One community at a time: a million names at once would be some hundred megabytes."""
    series = np.full(made.options.points, -1, np.int64)
    near: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    for community in made.communities:
        rows = conn.execute(_sql("series"), {"community": community})
        ids = {(equipment, metric): number for _, equipment, metric, number in rows}
        near.append(np.array(list(ids.values()), np.int64))
        for gateway, ref in enumerate(made.gateways):
            if ref.community == community:
                own = [ids.get((d.equipment, metric), -1) for d in made.devices(gateway) for metric in d.metrics]
                series[made.position(gateway, np.arange(len(own)))] = own
    of_communities = np.concatenate(near)
    place = np.full(int(of_communities.max(initial=0)) + 1, -2, np.int64)
    place[of_communities] = -1
    known = np.flatnonzero(series >= 0)
    place[series[known]] = known
    return _Register(series, place)


def _spans(sent: Sent, register: _Register) -> Iterator[tuple[list[int] | None, datetime, datetime]]:
    """Spans of time that overlap for no series: (series or None for all, since, until)."""
    main = next(window for window in sent.windows if window.places is None)
    yield None, from_ms(main.from_ms), from_ms(main.until_ms)
    edges = sorted({edge for window in sent.windows for edge in (window.from_ms, window.until_ms)})
    for since, until in itertools.pairwise(edges):
        if main.from_ms <= since < main.until_ms:
            continue
        places = {p for w in sent.windows if w.places and w.from_ms <= since and until <= w.until_ms for p in w.places}
        ids = [int(number) for number in register.series[sorted(places)] if number >= 0] if places else []
        if ids:
            yield ids, from_ms(since), from_ms(until)


def _title(made: Plan, place: int) -> str:
    """community/equipment/metric of a place in the layout."""
    group = int(np.searchsorted(made.group_start, place, side="right")) - 1
    alias = int(made.group_first[group]) + place - int(made.group_start[group])
    gateway = int(made.group_gateway[group])
    device = next(d for d in made.devices(gateway) if d.first <= alias < d.first + len(d.metrics))
    return f"{made.gateways[gateway].community}/{device.equipment}/{device.metrics[alias - device.first]}"


def _batches(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[at : at + ROWS_AT_ONCE] for at in range(0, len(values), ROWS_AT_ONCE))


def _sql(name: str) -> SQL:
    return queries("watchkeep_firmware_sim.fleet_load", "compare.sql")[name]
