"""One transaction on the spool: everything that is due at that moment, all of it or nothing."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite

import msgspec

from watchkeep_core.messages import MAX_READINGS
from watchkeep_core.topics import LANES, Lane
from watchkeep_gateway import bounds
from watchkeep_gateway.aliases import Aliases
from watchkeep_gateway.batching import Columns, Payload, data_payloads, event_payload
from watchkeep_gateway.config import SpoolTable
from watchkeep_gateway.spool_file import new_epoch
from watchkeep_gateway.spool_state import MAX_DIGESTS, LaneState, SpoolState, with_oldest
from watchkeep_gateway.statements import SQL
from watchkeep_gateway.values import Delivery, DeviceEvent, Reading, Readings, Rejected, Unmapped

MAX_REJECTED = 1_000
"""Rejected messages that are kept to be looked at; older ones go, the counter stays."""

MAX_REJECTED_BYTES = 16_384
"""Of one of them: enough to see what is wrong with it."""

MAX_UNMAPPED = 10_000
"""Names of foreign publishers that are listed as unmapped."""

MAX_COMMANDS = 50
"""Commands from the server that are kept for `status`."""

UPLINK = "uplink"
"""Name of the link to the gateway's own broker."""

_MAX_TIME_MS = 253_402_300_799_999  # the end of the year 9999: what a data message can carry


@dataclass(frozen=True, slots=True)
class Rules:
    """What the writer must know and never changes."""

    equipment: str
    """The gateway's own id as equipment, for what it says of itself."""
    units: Mapping[str, str]
    """Metric → unit."""
    table: SpoolTable
    batch_s: float = 1.0
    batch_readings: int = 5000


@dataclass(slots=True)
class Counts:
    """What one transaction did; becomes metrics after COMMIT."""

    readings: int = 0
    events: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    redelivered: int = 0
    lost: bounds.Loss | None = None
    renewed: bool = False


class Transaction:
    """Between BEGIN and COMMIT. `state` is a draft; call `publish_to` after COMMIT only."""

    def __init__(self, connection: sqlite3.Connection, state: SpoolState, rules: Rules, now_ms: int) -> None:
        self.counts = Counts()
        self.state = state.draft()
        self._connection = connection
        self._rules = rules
        self._now_ms = now_ms
        self.aliases = Aliases(connection, self.state, rules.units)
        self._digests: list[bytes] = []

    def deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Events first: should the process die in between two transactions, they are the ones that are safe."""
        fresh = [delivery for delivery in deliveries if self._is_new(delivery)]
        for delivery in fresh:
            for event in delivery.events:
                self.add_event(event)
        self._add_readings(Readings.join([delivery.readings for delivery in fresh]))
        self._reject([rejected for delivery in fresh for rejected in delivery.rejected])
        for delivery in fresh:
            for key, value in delivery.remember.items():
                self._remember(key, value)
        self._list([one for delivery in fresh for one in delivery.unmapped])

    def _list(self, unmapped: Sequence[Unmapped]) -> None:
        if unmapped:
            (known,) = self._connection.execute(SQL["count_unmapped"]).fetchone()
            rows = [(one.source[:256], one.name[:256], self._now_ms) for one in unmapped]
            self._connection.executemany(SQL["insert_unmapped"], rows[: max(0, MAX_UNMAPPED - known)])

    def _remember(self, key: str, value: str | None) -> None:
        if value is None:
            self._connection.execute(SQL["forget"], (key,))
        else:
            self._connection.execute(SQL["remember"], (key, value))

    def add_event(self, event: DeviceEvent) -> None:
        self._append("event", [event_payload(event)])
        self.counts.events += 1
        if event.raw_code:
            statement = "code_active" if event.active else "code_cleared"
            self._connection.execute(SQL[statement], (event.equipment, event.condition))

    def ack(self, lane: Lane, epoch: str, seq: int) -> None:
        """Delete what the database has. An ack at or above our own next seq means we run on a copied spool."""
        state = self.state.lanes[lane]
        if epoch != state.epoch:
            return
        if seq >= state.next_seq:
            self.renew()
            return
        if seq >= state.floor:
            self._delete(lane, seq)

    def renew(self) -> None:
        """A new epoch for both lanes; what is still held is numbered anew, as it may never have been sent."""
        for lane in LANES:
            state = self.state.lanes[lane]
            self._connection.execute(SQL[f"renumber_{lane}_away"], (state.floor,))
            self._connection.execute(SQL[f"renumber_{lane}_back"])
            next_seq = state.next_seq - state.floor
            self.state.lanes[lane] = replace(state, epoch=new_epoch(), next_seq=next_seq, floor=0)
        self.counts.renewed = True

    def keep_bounds(self, free_bytes: int, now_s: float, clock_trusted: bool = True) -> None:
        """Oldest telemetry goes first, never events; the loss is told by an event and by the floor.

        Without a clock to be trusted nothing is too old: one that says 2036 would throw away everything.
        """
        state = self.state.lanes["data"]
        (free_pages,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        (page_bytes,) = self._connection.execute("PRAGMA page_size").fetchone()
        free_bytes += free_pages * page_bytes
        with_rows = state.bytes + state.messages * bounds.ROW_BYTES
        rows = self._connection.execute(SQL["sizes_data"])
        now_ms = self._now_ms if clock_trusted else 0
        loss = bounds.to_evict(rows, with_rows, free_bytes, now_ms, self._rules.table)
        if loss:
            self._delete("data", loss.last_seq)
            self.state.loss = bounds.note(self.state.loss, loss, now_s)
            self.counts.lost = loss
        epoch = self.state.lanes["data"].epoch
        self.state.loss, event = bounds.due(self.state.loss, now_s, self._now_ms, self._rules.equipment, epoch)
        if event:
            self._tell(event)

    def _tell(self, event: DeviceEvent) -> None:
        """And keep that it was told: what is open must be cleared by the next process too."""
        self.add_event(event)
        self.note((), {bounds.CONDITION: "true" if event.active else "false"})

    def tell_replaced(self, set_aside: str, now_s: float) -> None:
        """This spool is new because the old file was damaged: what it held is not on its way any more."""
        attributes = {"set_aside": set_aside}
        self._tell(DeviceEvent(self._now_ms, self._rules.equipment, bounds.CONDITION, True, attributes=attributes))
        self.state.loss = bounds.LossReport(last_loss_s=now_s, told_s=now_s)

    def forget_links(self) -> None:
        """What an earlier process saw of them says nothing any more."""
        self._connection.execute(SQL["delete_links"])

    def link(self, name: str, up: bool, detail: str) -> None:
        self._connection.execute(SQL["save_link"], (name, up, self._now_ms, detail))
        if up and name == UPLINK:
            self._connection.execute(SQL["set_connected"])

    def note(self, commands: Iterable[tuple[str, str]], facts: Mapping[str, str]) -> None:
        """Commands with their outcomes, and facts about the running gateway, for `status`."""
        for command, outcome in commands:
            self._connection.execute(SQL["insert_command"], (self._now_ms, command, outcome))
            self._connection.execute(SQL["trim_commands"], (MAX_COMMANDS,))
        for name, value in facts.items():
            self._connection.execute(SQL["save_fact"], (name, self._now_ms, value))

    def save(self) -> None:
        """The last step before COMMIT."""
        for n, digest in enumerate(self._digests, self.state.next_digest):
            self._connection.execute(SQL["insert_digest"], (n, digest))
        self.state.next_digest += len(self._digests)
        if self._digests:
            self._connection.execute(SQL["delete_digests"], (self.state.next_digest - 1 - MAX_DIGESTS,))
        for lane in LANES:
            state = self.state.lanes[lane] = with_oldest(self._connection, lane, self.state.lanes[lane])
            row = (state.epoch, state.next_seq, state.messages, state.readings, state.bytes, lane)
            self._connection.execute(SQL["save_lane"], row)

    def result(self) -> SpoolState:
        """The state after COMMIT, with this transaction's aliases and digests in it."""
        state = self.state
        self.aliases.publish()
        for digest in self._digests:
            state.digests.append(digest)
            state.known_digests.add(digest)
            if len(state.digests) > MAX_DIGESTS:
                state.known_digests.discard(state.digests.popleft())
        return state

    def _is_new(self, delivery: Delivery) -> bool:
        if not delivery.digest:
            return True
        known = delivery.digest in self.state.known_digests or delivery.digest in self._digests
        if known and delivery.once:
            self.counts.redelivered += 1
            return False
        if not known:
            self._digests.append(delivery.digest)
        return True

    def _add_readings(self, readings: Readings) -> None:
        if not readings:
            return
        aliases = self.aliases.of(readings) if _sound(readings) else None
        if aliases is None:
            aliases, readings = self._sift(readings)
        most = max(self._rules.batch_readings, min(len(readings), MAX_READINGS))
        columns = Columns(aliases, readings.t_ms, readings.values, readings.quality)
        self._append("data", data_payloads(columns, most))
        self.counts.readings += len(readings)

    def _sift(self, readings: Readings) -> tuple[list[int], Readings]:
        """Those that can be sent, with their aliases; the others are refused."""
        aliases: list[int] = []
        taken: list[int] = []
        refused: list[Rejected] = []
        for index, reading in enumerate(readings):
            alias = _unsound(reading) or self.aliases.of_point(reading.equipment, reading.metric)
            if isinstance(alias, int):
                aliases.append(alias)
                taken.append(index)
            else:
                refused.append(Rejected(self._now_ms, reading.equipment, alias, msgspec.json.encode(reading)))
        self._reject(refused)
        return aliases, readings.at(taken)

    def _append(self, lane: Lane, payloads: Iterable[Payload]) -> None:
        state = self.state.lanes[lane]
        for payload in payloads:
            row = (state.next_seq, self._now_ms, payload.readings, len(payload.body), payload.body)
            self._connection.execute(SQL[f"insert_{lane}"], row)
            state = LaneState(
                state.epoch,
                state.next_seq + 1,
                state.messages + 1,
                state.readings + payload.readings,
                state.bytes + len(payload.body),
                state.floor,
                state.oldest_ms,
            )
        self.state.lanes[lane] = state

    def _delete(self, lane: Lane, up_to: int) -> None:
        state = self.state.lanes[lane]
        messages, readings, size = self._connection.execute(SQL[f"totals_{lane}"], (up_to,)).fetchone()
        self._connection.execute(SQL[f"delete_{lane}"], (up_to,))
        self.state.lanes[lane] = replace(
            state,
            messages=state.messages - messages,
            readings=state.readings - readings,
            bytes=state.bytes - size,
            floor=up_to + 1,
        )

    def _reject(self, rejected: Sequence[Rejected]) -> None:
        for one in rejected:
            row = (one.at_ms, one.origin[:512], one.reason[:512], one.payload[:MAX_REJECTED_BYTES])
            self._connection.execute(SQL["insert_rejected"], row)
            slug = one.reason.partition(":")[0]
            self.counts.rejected[slug] = self.counts.rejected.get(slug, 0) + 1
        if rejected:
            self._connection.execute(SQL["trim_rejected"], (MAX_REJECTED,))


def _sound(readings: Readings) -> bool:
    """None is `_unsound`: a sum with something in it that is not finite is not finite."""
    return isfinite(sum(readings.values)) and min(readings.t_ms) >= 0 and max(readings.t_ms) <= _MAX_TIME_MS


def _unsound(reading: Reading) -> str:
    """Why it cannot be sent; empty when it can."""
    if not isfinite(reading.value):
        return "not_finite"
    return "" if 0 <= reading.t_ms <= _MAX_TIME_MS else "time_out_of_range"
