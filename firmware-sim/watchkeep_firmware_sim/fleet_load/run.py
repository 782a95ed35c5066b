"""One load run from the first birth to the ledger: what is due is made, sent, and followed until it is committed."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from watchkeep_core import vocabulary
from watchkeep_core.logs import get_logger
from watchkeep_core.messages import encode
from watchkeep_core.service import Stop
from watchkeep_core.topics import LANES
from watchkeep_firmware_sim.fleet_load import records
from watchkeep_firmware_sim.fleet_load.generator import Generator, poison_places, poison_windows
from watchkeep_firmware_sim.fleet_load.lanes import LoadLane
from watchkeep_firmware_sim.fleet_load.links import Links, Login
from watchkeep_firmware_sim.fleet_load.options import FleetOptions
from watchkeep_firmware_sim.fleet_load.plan import SPREAD_MS, Plan, plan
from watchkeep_firmware_sim.fleet_load.records import OpenMessage, SentEvent, SentLane, Window
from watchkeep_firmware_sim.fleet_load.sick import Infirmary
from watchkeep_firmware_sim.fleet_load.traffic import Traffic
from watchkeep_firmware_sim.fleet_load.values import Values
from watchkeep_firmware_sim.ledger import Ledger, describe, utc
from watchkeep_firmware_sim.simulation import FaultNote

log = get_logger(__name__)

LONGEST_WAIT_S = 0.02
"""Between two looks at acks and the stop."""

SHORTEST_WAIT_S = 0.002
"""Between two looks while nothing can be sent: a wake-up for every single PUBACK would take the core."""

MAX_UNACKED = 20_000
"""As fast as it goes: messages that may wait for the database before no more are made."""

STOPPED_DRAIN_S = 5.0
"""A run that was stopped waits no longer than this for its acks."""

PROGRESS_S = 0.5


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a run stands, for people who watch it."""

    elapsed_s: float
    made: int
    """Readings."""
    acked: int
    """Readings that the database has."""
    on_the_wire: int
    """Messages without PUBACK."""
    unacked: int
    """Messages in the spools."""
    behind_s: float
    """How late the generator is."""
    faults: int
    up: bool


def run_fleet(
    options: FleetOptions,
    login: Login,
    stop: Stop,
    *,
    ledger: Path | None = None,
    progress: Callable[[Snapshot], None] = lambda _: None,
) -> dict[str, Any]:
    """Run until the stop or the options' end, then wait for the acks; returns the totals, as the ledger ends with.

    Raises SettingsError, FleetError, ScenarioError, BrokerUnreachable, BrokerRefused and FleetRefused at the start.
    """
    made = plan(options)
    words = vocabulary.load()
    values = Values(made, words, time.time())
    infirmary = Infirmary(made, words, time.time(), values)
    links = Links(made, login)
    try:
        with _Run(made, values, infirmary, links, ledger) as run:
            run.begin()
            run.produce(stop, progress)
            run.drain(STOPPED_DRAIN_S if stop.is_set() else options.drain_s, progress)
            return run.end()
    finally:
        links.close()


class _Run:
    def __init__(self, made: Plan, values: Values, infirmary: Infirmary, links: Links, path: Path | None) -> None:
        words = vocabulary.load()
        start_s = infirmary.start_s
        self._plan = made
        self._links = links
        self._path = path
        self._infirmary = infirmary
        self._start_s = start_s
        self._clock_s = time.time() - time.monotonic()
        """Wall time minus monotonic: the run's clock is never set."""
        self._epoch = f"L{int(start_s):x}-{secrets.token_hex(3)}"
        self._ledger = Ledger(path)
        self._books = Ledger(records.beside(path, self._epoch, "sent.jsonl") if path else None)
        self._traffic = Traffic(made, self._epoch, links, words)
        self._generator = Generator(made, words, values, infirmary, self._traffic)
        self._done = 0
        """Groups made since the start."""
        self._newest_ms = 0
        self._events = 0
        self._faults = 0
        self._refused_readings = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ledger.close()
        self._books.close()

    def begin(self) -> None:
        self._traffic.greet()
        self._ledger.write(
            {
                "what": "run",
                "mode": "fleet",
                "t": utc(self._start_s),
                "started_ms": int(self._start_s * 1000),
                "seed": self._plan.options.seed,
                "speed": 1.0,
                "points": self._plan.points_by_community(),
                "epoch": self._epoch,
                "options": self._plan.options.plain(),
            }
        )
        log.info("fleet_running", points=self._plan.options.points, gateways=len(self._plan.gateways))

    def produce(self, stop: Stop, progress: Callable[[Snapshot], None]) -> None:
        """Make and send until the stop or the end."""
        options = self._plan.options
        shown_s = 0.0
        while not stop.is_set():
            now_s = time.monotonic()
            t_s = now_s + self._clock_s
            if options.for_s is not None and t_s >= self._start_s + options.for_s:
                break
            self._happen(t_s, now_s)
            late = self._make_due(t_s, now_s) if options.rate else self._make_more(t_s, now_s)
            self._send()
            if now_s - shown_s >= PROGRESS_S:
                shown_s = now_s
                progress(self._snapshot(t_s))
            if not late:
                self._rest(stop)

    def drain(self, timeout_s: float, progress: Callable[[Snapshot], None]) -> None:
        """Wait until the database has everything, or the time is over."""
        now_s = time.monotonic()
        deadline_s, shown_s = now_s + timeout_s, 0.0
        while True:
            self._tell_losses(now_s)
            self._send()
            now_s = time.monotonic()
            if now_s >= deadline_s or (self._traffic.counts.unacked == 0 and not self._untold()):
                break
            self._links.wake.wait(LONGEST_WAIT_S)
            self._links.wake.clear()
            if now_s - shown_s >= PROGRESS_S:
                shown_s = now_s
                progress(self._snapshot(now_s + self._clock_s, making=False))

    def end(self) -> dict[str, Any]:
        """Say farewell, close the books; returns the totals."""
        ended_s = time.monotonic() + self._clock_s
        unacked = self._traffic.counts.unacked
        self._traffic.say_offline()
        self._close_books()
        if self._path:
            records.save_sums(self._path, self._epoch, self._generator.sums)
        totals = self._totals(ended_s, unacked)
        self._ledger.write({"what": "end", "t": utc(ended_s), **totals})
        return totals

    def _make_due(self, t_s: float, now_s: float) -> bool:
        """The next messages whose time has come; true when there are more."""
        step_s = self._plan.period_s / self._plan.groups
        due = int((t_s - self._start_s) / step_s) + 1
        first = self._done % self._plan.groups
        count = min(due - self._done, self._plan.groups - first, self._generator.groups_at_once)
        if count > 0:
            moments = self._start_s + np.arange(self._done, self._done + count) * step_s
            self._make(first, np.floor(moments * 1000).astype(np.int64), now_s)
        return self._done < due

    def _make_more(self, t_s: float, now_s: float) -> bool:
        """As much as the database takes: stamped now, later than the points' last stamps."""
        first, now_ms = self._done % self._plan.groups, int(t_s * 1000)
        if self._traffic.counts.unacked >= MAX_UNACKED or (first == 0 and now_ms <= self._newest_ms):
            return False
        count = min(self._plan.groups - first, self._generator.groups_at_once)
        self._make(first, np.full(count, now_ms), now_s)
        return not self._traffic.blocked()

    def _make(self, first: int, due_ms: "np.ndarray[Any, np.dtype[np.int64]]", now_s: float) -> None:
        self._generator.make(first, first + len(due_ms), due_ms, now_s)
        self._done += len(due_ms)
        self._newest_ms = int(due_ms[-1])

    def _happen(self, t_s: float, now_s: float) -> None:
        """Faults begin and end, devices say so."""
        for output in self._infirmary.step(t_s):
            if isinstance(output, FaultNote):
                self._faults += output.begins
                self._ledger.write(describe(output))
                continue
            event, lane = output.event, self._traffic.lanes[output.gateway]["event"]
            body = encode(event).removeprefix(b'{"floor":0,')
            seq = self._traffic.put(lane, body, 0, now_s)
            self._events += 1
            sent = SentEvent(output.gateway, seq, event.equipment, event.condition, event.active, event.t)
            self._books.write(records.line("event", sent))

    def _send(self) -> None:
        self._traffic.step(time.monotonic())
        for lane, held in self._traffic.refused:
            self._refused_readings += held.readings
            self._generator.take_back(lane.gateway, held)
        self._traffic.refused.clear()

    def _rest(self, stop: Stop) -> None:
        if self._traffic.blocked() or not self._plan.options.rate:
            stop.wait(SHORTEST_WAIT_S)
            return
        step_s = self._plan.period_s / self._plan.groups
        next_s = self._start_s + self._done * step_s - (time.monotonic() + self._clock_s)
        stop.wait(min(max(next_s, SHORTEST_WAIT_S), LONGEST_WAIT_S))

    def _untold(self) -> list[LoadLane]:
        return [lanes["data"] for lanes in self._traffic.lanes if lanes["data"].untold]

    def _tell_losses(self, now_s: float) -> None:
        """A loss is told by the floor of a later message: of one that is sent again, or of a last one."""
        t_ms = max(int((now_s + self._clock_s) * 1000), self._newest_ms + 1)
        for lane in self._untold():
            good = next((held for held in lane.held if not held.whole), None)
            if good is None:
                self._newest_ms = t_ms
                self._generator.one_reading(lane, t_ms, now_s)
            elif not good.on_the_wire:
                lane.rewind(good.seq)
                self._traffic.offer(lane)

    def _close_books(self) -> None:
        """What is not acknowledged is open: only the database knows whether it has it."""
        for number, lanes in enumerate(self._traffic.lanes):
            for name in LANES:
                lane = lanes[name]
                for held in lane.held:
                    self._generator.take_back(number, held)
                    lane.readings -= held.readings
                for held in (*lane.opened, *lane.held):
                    payload = "" if held.dead else (held.body if held.whole else b'{"floor":0,' + held.body).decode()
                    row = OpenMessage(number, name, held.seq, held.readings, held.dead, payload)
                    self._books.write(records.line("open", row))
                row_of = SentLane(number, name, lane.next_seq, lane.readings, str(lane.lost), str(lane.dead))
                self._books.write(records.line("lane", row_of))
        first_ms, until_ms = int(self._start_s * 1000) - SPREAD_MS, self._newest_ms + 1
        self._books.write(records.line("window", Window(first_ms, until_ms, None)))
        for shift_s, places in self._infirmary.shifts.items():
            shift_ms = round(shift_s * 1000)
            window = Window(first_ms + shift_ms, until_ms + shift_ms, sorted(places))
            self._books.write(records.line("window", window))
        if self._plan.options.poison:
            for start, end in poison_windows():
                places_of = [int(place) for place in poison_places(self._plan)]
                self._books.write(records.line("window", Window(start, end, places_of)))

    def _snapshot(self, t_s: float, *, making: bool = True) -> Snapshot:
        options, counts = self._plan.options, self._traffic.counts
        step_s = self._plan.period_s / self._plan.groups
        behind_s = max(0.0, t_s - self._start_s - self._done * step_s) if options.rate and making else 0.0
        return Snapshot(
            t_s - self._start_s,
            self._generator.readings,
            counts.acked_readings,
            self._links.on_the_wire,
            counts.unacked,
            behind_s,
            self._infirmary.active,
            all(link.up for link in self._links.all),
        )

    def _totals(self, ended_s: float, unacked: int) -> dict[str, Any]:
        counts, made, lanes = self._traffic.counts, self._generator, self._traffic.lanes
        lags_ms = np.array(self._traffic.lags_s) * 1000
        p50, p99 = np.percentile(lags_ms, [50, 99]).round(1).tolist() if len(lags_ms) else (None, None)
        elapsed_s = ended_s - self._start_s
        return {
            "epoch": self._epoch,
            "elapsed_s": round(elapsed_s, 3),
            "readings_made": made.readings,
            "readings_acked": counts.acked_readings,
            "readings_lost": made.lost_readings + self._refused_readings,
            "readings_dropped": made.dropped_readings,
            "messages_put": counts.put,
            "messages_acked": counts.acked_messages,
            "messages_unacked": unacked,
            "messages_published": sum(link.published for link in self._links.all),
            "messages_refused": sum(link.refused for link in self._links.all),
            "refused_because": next((link.why for link in self._links.all if link.why), ""),
            "duplicates": self._traffic.disorder.duplicates,
            "lost_messages": sum(len(each.lost) for pair in lanes for each in pair.values()),
            "poison": dict(sorted(made.poisoned.items())),
            "events": self._events,
            "faults": self._faults,
            "resends": counts.resends,
            "reconnects": counts.reconnects,
            "rebirths": counts.rebirths,
            "ack_lag_ms_p50": p50,
            "ack_lag_ms_p99": p99,
            "readings_per_s": round(made.readings / elapsed_s, 1) if elapsed_s else 0,
            "series_checksum": int(made.sums.check.sum() % (2**31 - 1)),
        }
