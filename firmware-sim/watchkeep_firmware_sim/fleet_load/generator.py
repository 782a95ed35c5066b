"""Makes the telemetry messages: values, text and checksums of many readings at a time, without an object per reading.

Text: the JSON of a column of 100 values costs 78 ns per value through msgspec and `tolist`, 43 ns by digits in numpy
(which pads with blanks), 209 ns by `repr` (measured). Aliases and offsets of a message are the same each round.
"""

from functools import cache
from random import Random

import msgspec
import numpy as np

from watchkeep_core import messages
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim.fleet_load import poison
from watchkeep_firmware_sim.fleet_load.lanes import Held, LoadLane
from watchkeep_firmware_sim.fleet_load.plan import SPREAD_MS, Plan, spread
from watchkeep_firmware_sim.fleet_load.poison import POISONS, Poison
from watchkeep_firmware_sim.fleet_load.sick import Infirmary, Part
from watchkeep_firmware_sim.fleet_load.sums import Ints, Sums, mixed
from watchkeep_firmware_sim.fleet_load.traffic import Traffic
from watchkeep_firmware_sim.fleet_load.values import Values
from watchkeep_firmware_sim.signals import Bools, Floats

CHUNK_READINGS = 10_000
"""Made at once: beyond it numpy gains nothing, and the sender waits."""

_json = msgspec.json.Encoder()


class Generator:
    """Puts messages into the data lanes of `traffic`, and what they hold into `sums`."""

    def __init__(self, plan: Plan, words: Vocabulary, values: Values, infirmary: Infirmary, traffic: Traffic) -> None:
        self.sums = Sums(plan.options.points)
        self.readings = 0
        """Made so far, lost ones included."""
        self.messages = 0
        self.lost_readings = 0
        """Of messages that `--lose` took."""
        self.dropped_readings = 0
        """Of messages that went because the spool was full."""
        self.poisoned: dict[str, int] = {}
        """Sort of poison → messages."""
        self._plan = plan
        self._words = words
        self._infirmary = infirmary
        self._traffic = traffic
        self._values = values
        self._rng = Random(f"{plan.options.seed}/delivery")  # noqa: S311 - a simulation wants repeatable numbers
        self.groups_at_once = max(1, CHUNK_READINGS // plan.options.readings_per_message)
        plan.dt_ms  # noqa: B018 - made now rather than with the first message

    def make(self, first: int, end: int, due_ms: Ints, now_s: float) -> None:
        """Messages of the groups `first` … `end - 1`, due at `due_ms` (one each); `now_s` is monotonic."""
        start = first
        while start < end:
            bucket_ends = (start // self._values.bucket_groups + 1) * self._values.bucket_groups
            until = min(end, start + self.groups_at_once, bucket_ends)
            self._chunk(start, until, due_ms[start - first : until - first], now_s)
            start = until

    def _chunk(self, first: int, end: int, due_ms: Ints, now_s: float) -> None:
        """Groups of one bucket. Those with nothing special about them are counted as one stretch."""
        starts = self._plan.group_start[first : end + 1]
        low, high = int(starts[0]), int(starts[-1])
        values = self._values.read(low, high, float(due_ms[0]) / 1000)
        for group in self._infirmary.parts.keys() & range(first, end) if self._infirmary.parts else ():
            self._bend(group, values[int(starts[group - first]) - low :], float(due_ms[group - first]) / 1000)
        there = ~np.isnan(values)
        complete = np.logical_and.reduceat(there, starts[:-1] - low)
        thousandths = np.rint(np.nan_to_num(values) * 1000).astype(np.int64)
        shown = thousandths / 1000.0
        t0_ms = due_ms - SPREAD_MS
        time_us = (np.repeat(t0_ms, np.diff(starts)) + self._plan.dt_ms[low:high]) * 1000
        mixes = mixed(time_us, thousandths)
        self.sums.add(low, high, mixes)
        self.readings += high - low
        for number, (group, plain) in enumerate(zip(range(first, end), complete.tolist(), strict=True)):
            a, b = int(starts[number]) - low, int(starts[number + 1]) - low
            gateway, alias = int(self._plan.group_gateway[group]), int(self._plan.group_first[group])
            lane = self._traffic.lanes[gateway]["data"]
            sick = group in self._infirmary.parts
            if sick or not plain:
                self.sums.add_at(np.arange(a, b) + low, mixes[a:b], -1)
                self.readings -= b - a
                self._special(group, lane, int(due_ms[number]), thousandths[a:b], there[a:b].copy(), now_s)
            elif self._loses():
                self.sums.add_at(np.arange(a, b) + low, mixes[a:b], -1)
                self.lost_readings += b - a
                lane.lose()
            else:
                body = _body(int(t0_ms[number]), *_columns(alias, b - a), shown[a:b])
                self._put(lane, body, b - a, now_s)
            self.messages += 1
            if self._plan.options.poison and self._rng.random() < self._plan.options.poison:
                self._add_poison(gateway, int(due_ms[number]), now_s)

    def _bend(self, group: int, values: Floats, t_s: float) -> None:
        for part in self._infirmary.parts[group]:
            part.sick.bend(t_s, values[part.start : part.end], part.metrics, self._words)

    def _special(self, group: int, lane: LoadLane, due_ms: int, thousandths: Ints, there: Bools, now_s: float) -> None:
        """The usual ones in one message, devices with wrong clocks or copies in others, silent ones in none."""
        for part in self._infirmary.parts.get(group, ()):
            shift_ms, copies = self._manners(part, due_ms / 1000)
            if copies == 1 and not shift_ms:
                continue
            chosen = part.start + np.flatnonzero(there[part.start : part.end])
            there[part.start : part.end] = False
            for _ in range(copies):
                self._send_some(group, lane, due_ms + shift_ms, chosen, thousandths, now_s)
        self._send_some(group, lane, due_ms, np.flatnonzero(there), thousandths, now_s)

    @staticmethod
    def _manners(part: Part, t_s: float) -> tuple[int, int]:
        """How wrong its clock is, ms, and how often it says everything."""
        return round(part.sick.shift_s(t_s) * 1000), 0 if part.sick.silent(t_s) else part.sick.copies(t_s)

    def _send_some(
        self, group: int, lane: LoadLane, due_ms: int, chosen: Ints, thousandths: Ints, now_s: float
    ) -> None:
        """A message of some readings of a group, if there are any."""
        if not len(chosen):
            return
        self.readings += len(chosen)
        if self._loses():
            self.lost_readings += len(chosen)
            lane.lose()
            return
        start, first = int(self._plan.group_start[group]), int(self._plan.group_first[group])
        dt_ms = spread(len(thousandths))[chosen].astype(np.int64)
        t0_ms = due_ms - SPREAD_MS
        self.sums.add_at(chosen + start, mixed((dt_ms + t0_ms) * 1000, thousandths[chosen]))
        columns = _json.encode((chosen + first).tolist()), _json.encode(dt_ms.tolist())
        self._put(lane, _body(t0_ms, *columns, thousandths[chosen] / 1000.0), len(chosen), now_s)

    def _put(self, lane: LoadLane, body: bytes, readings: int, now_s: float) -> None:
        self._traffic.put(lane, body, readings, now_s)
        while lane.bytes > self._plan.options.spool_bytes and len(lane.held) > 1:
            gone = self._traffic.give_up(lane)
            self.dropped_readings += gone.readings
            self.take_back(lane.gateway, gone)

    def one_reading(self, lane: LoadLane, t_ms: int, now_s: float) -> None:
        """The gateway's first point once more; it is never lost."""
        body = b'"t0":%d,"alias":[0],"dt_ms":[0],"value":[1.5]}' % t_ms
        self.sums.add_at(*self.contents(lane.gateway, b'{"floor":0,' + body))
        self.readings += 1
        self._put(lane, body, 1, now_s)

    def take_back(self, gateway: int, gone: Held) -> None:
        """What was given up does not count any more."""
        if gone.readings:
            places, mixes = self.contents(gateway, gone.body if gone.whole else b'{"floor":0,' + gone.body)
            self.sums.add_at(places, mixes, -1)

    def contents(self, gateway: int, payload: bytes) -> tuple[Ints, Ints]:
        """Places in the layout and mixes of the readings in a payload of ours."""
        return contents(self._plan, gateway, payload)

    def _loses(self) -> bool:
        return self._plan.options.lose > 0 and self._rng.random() < self._plan.options.lose

    def _add_poison(self, gateway: int, now_ms: int, now_s: float) -> None:
        chosen: Poison = self._rng.choice(POISONS)
        self.poisoned[chosen.name] = self.poisoned.get(chosen.name, 0) + 1
        lane = self._traffic.lanes[gateway][chosen.lane]
        payload = chosen.make(lane.next_seq, now_ms)
        readings = int(chosen.outcome == "quarantined")
        if readings:
            self.sums.add_at(*self.contents(gateway, payload))
            self.readings += readings
        self._traffic.put(lane, payload, readings, now_s, whole=True, dead=chosen.outcome == "dead")


def contents(plan: Plan, gateway: int, payload: bytes) -> tuple[Ints, Ints]:
    """Places in the layout and mixes of the readings in a data message of this gateway."""
    data = messages.decode(messages.Data, payload)
    time_us = (np.array(data.dt_ms, np.int64) + data.t0) * 1000
    thousandths = np.rint(np.array(data.value) * 1000).astype(np.int64)
    return plan.position(gateway, np.array(data.alias, np.int64)), mixed(time_us, thousandths)


def poison_places(plan: Plan) -> Ints:
    """Points that poisoned stamps are given to: the first of each gateway."""
    return np.array([plan.position(number, np.zeros(1, np.int64))[0] for number in range(len(plan.gateways))])


def poison_windows() -> list[tuple[int, int]]:
    """Spans of poisoned stamps, ms since 1970."""
    return [(start, start + poison.SPAN_MS) for start in poison.YEARS.values()]


@cache
def _columns(first: int, size: int) -> tuple[bytes, bytes]:
    """JSON of the columns alias and dt_ms of a whole group; a plan has as many of them as a gateway has messages."""
    return _json.encode(list(range(first, first + size))), _json.encode(spread(size).tolist())


def _body(t0_ms: int, alias: bytes, dt_ms: bytes, shown: Floats) -> bytes:
    return b'"t0":%d,"alias":%b,"dt_ms":%b,"value":%b}' % (t0_ms, alias, dt_ms, _json.encode(shown.tolist()))
