"""`watchkeep bench sim`: readings/s of one core, made and encoded, and published to a real broker; memory at full size.

Nothing stores the readings here: a message counts as done at its PUBACK, so that only the sender is measured. Rates are
per second of this process's CPU time, all its threads together, which is what one core gives.
"""

import multiprocessing
import resource
import time
from collections.abc import Callable

import numpy as np

from watchkeep_core import bench, vocabulary
from watchkeep_firmware_sim.fleet_load.generator import Generator
from watchkeep_firmware_sim.fleet_load.links import Links, Login
from watchkeep_firmware_sim.fleet_load.options import MAX_POINTS, FleetOptions
from watchkeep_firmware_sim.fleet_load.plan import Plan, plan
from watchkeep_firmware_sim.fleet_load.sick import Infirmary
from watchkeep_firmware_sim.fleet_load.sums import Ints
from watchkeep_firmware_sim.fleet_load.traffic import Traffic
from watchkeep_firmware_sim.fleet_load.values import Values

GOAL_PER_S = 200_000
"""Issue 3."""

POINTS = 100_000
STALL_S = 30.0


def options(points: int = POINTS) -> FleetOptions:
    """The fleet that is measured; its broker must know the load user and its communities."""
    return FleetOptions(points=points, gateways=200, communities=20, rate=0)


def communities() -> list[str]:
    """For the broker's access rules."""
    return plan(options()).communities


def run_bench(login: Login, *, seconds: float = 5.0, runs: int = 3) -> bench.Result:
    """Medians of `runs` of `seconds` each, and one look at the memory of a process with a million points."""
    made = plan(options())
    found: dict[str, list[float]] = {"made": [], "published": [], "published_wall": []}
    links = Links(made, login)
    try:
        for _ in range(runs):
            machine = _Machine(made, links)
            found["made"].append(machine.run(seconds, send=False)[0])
            cpu, wall = machine.run(seconds, send=True)
            found["published"].append(cpu)
            found["published_wall"].append(wall)
    finally:
        links.close()
    return bench.Result(
        bench="sim",
        machine=bench.machine(),
        versions=bench.versions("numpy", "msgspec", "paho-mqtt"),
        measures=[
            bench.at_least("made_and_encoded", "readings/s/core", GOAL_PER_S, _rounded(found["made"])),
            bench.at_least("made_and_published", "readings/s/core", GOAL_PER_S, _rounded(found["published"])),
            bench.at_least("published_beside_the_broker", "readings/s", None, _rounded(found["published_wall"])),
            bench.at_most("rss_at_1000000_points", "MiB", None, [_in_a_process(login, MAX_POINTS)]),
        ],
    )


class _Machine:
    """A generator and a sender that throw away what has left."""

    def __init__(self, made: Plan, links: Links) -> None:
        words, now_s = vocabulary.load(), time.time()
        self._links = links
        self._plan = made
        self._traffic = Traffic(made, f"bench-{now_s:.0f}-{time.monotonic_ns()}", links, words)
        values = Values(made, words, now_s)
        self._generator = Generator(made, words, values, Infirmary(made, words, now_s), self._traffic)
        self._next = 0
        self._ms = int(now_s * 1000)

    def run(self, seconds: float, *, send: bool) -> tuple[float, float]:
        """Readings per second of CPU and of wall time."""
        if send:
            self._traffic.greet()
        self._settle(lambda held: True)
        done, start, cpu = 0, time.monotonic(), time.process_time()
        moved = start
        while (now := time.monotonic()) < start + seconds:
            if self._traffic.counts.unacked < 2_000:
                self._make(now)
            if send:
                self._traffic.step(now)
            fresh = self._settle(lambda held: held.published and not held.on_the_wire if send else True)
            done += fresh
            moved = now if fresh else moved
            if send and not fresh:
                if now > moved + STALL_S:
                    break
                self._links.wake.wait(0.001)
                self._links.wake.clear()
        return done / (time.process_time() - cpu), done / (time.monotonic() - start)

    def _make(self, now_s: float) -> None:
        count = min(self._generator.groups_at_once, self._plan.groups - self._next)
        self._ms += 1
        due_ms: Ints = np.full(count, self._ms, np.int64)
        self._generator.make(self._next, self._next + count, due_ms, now_s)
        self._next = (self._next + count) % self._plan.groups

    def _settle(self, left: "Callable[..., bool]") -> int:
        """As if the database had everything that has left; returns the readings."""
        readings = 0
        for lanes in self._traffic.lanes:
            lane = lanes["data"]
            seq = lane.floor - 1
            for held in lane.held:
                if not left(held):
                    break
                seq = held.seq
            done = lane.ack(seq, 0.0)
            self._traffic.counts.acked_messages += len(done)
            readings += sum(held.readings for held in done)
            self._traffic.offer(lane)
        return readings


def _in_a_process(login: Login, points: int) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_rss_mib, (login, points))


def _rss_mib(login: Login, points: int) -> float:
    """Peak resident memory of a process that declared and made every reading of such a fleet twice, in MiB."""
    made = plan(options(points))
    words, now_s = vocabulary.load(), time.time()
    links = Links(made, login)
    traffic = Traffic(made, f"bench-{now_s:.0f}", links, words)
    traffic.greet()
    generator = Generator(made, words, Values(made, words, now_s), Infirmary(made, words, now_s), traffic)
    for turn in range(2):
        for first in range(0, made.groups, 100):
            count = min(100, made.groups - first)
            generator.make(first, first + count, np.full(count, int(now_s * 1000) + turn, np.int64), 0.0)
            for lanes in traffic.lanes:
                lanes["data"].ack(lanes["data"].next_seq - 1, 0.0)
    links.close()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _rounded(values: list[float]) -> list[float]:
    return [float(round(value)) for value in values]
