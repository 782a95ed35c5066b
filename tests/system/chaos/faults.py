"""What is done to a running house, each fault with where the product must show it."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import psycopg

from tests.brokers import Proxy
from tests.system.chaos.machine import Machine
from tests.system.demo import until
from tests.system.house import PARTS, House, missing, processes_of

SKEWED = "SELECT 1 FROM gateway_status WHERE abs(skew_ms) > 10000 LIMIT 1"
"""What the gateways' page and `watchkeep ingest status` tell."""

FORGOTTEN = """SELECT 1 FROM orders o WHERE responded_at IS NULL AND respond_due < now() + make_interval(secs => %s)
AND NOT EXISTS (SELECT FROM escalations e WHERE e.order_id = o.order_id AND clock = 'respond' AND level = 1) LIMIT 1"""
"""Orders without the red card that is due when the clock is that much ahead."""


@dataclass(frozen=True)
class Fault:
    """`begin` and `end` are called `lasts_s` apart; in between each of `shown` must come true."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]
    lasts_s: float
    shown: tuple[Callable[[], bool], ...] = ()
    healed: Callable[[], bool] = lambda: True
    """Beside green health and readings that flow again."""


@dataclass(frozen=True)
class World:
    """What there is to be broken."""

    house: House
    line: Proxy
    machine: Machine
    longest_s: float
    """No fault lasts longer than this."""

    def lasts_s(self, chance: random.Random, least_s: float = 2.0) -> float:
        return chance.uniform(least_s, max(least_s, self.longest_s))

    def red(self, *parts: str) -> tuple[Callable[[], bool], ...]:
        """The health of these parts tells it."""
        return tuple(lambda port=self.house.health[part]: missing(port, 2.0) != [] for part in parts)


Kind = Callable[[World, random.Random], Fault]


def kinds(machine: Machine) -> list[Kind]:
    """Those that this machine can play; a slow line by the best means it has."""
    found: list[Kind] = [_kill, _freeze, _broker_killed, _database_killed, _sessions_ended, _line_cut]
    found.append(_network_bad if machine.network else _line_slow)
    found += [_disk_full] if machine.disk else []
    return found + ([_clock_ahead, _clock_back] if machine.clock else [])


def plan(world: World, seed: int, number: int) -> list[Fault]:
    """`number` faults in random order, every kind before any a second time."""
    chance = random.Random(seed)
    left = kinds(world.machine)
    drawn: list[Fault] = []
    while len(drawn) < number:
        chance.shuffle(left)
        left.sort(key=_turn)
        drawn += [kind(world, chance) for kind in left]
    return drawn[:number]


def _turn(kind: Kind) -> int:
    """The clock late, so that there are orders whose time is over then; last what a short run leaves out."""
    return 2 if kind in (_sessions_ended, _clock_back) else int(kind is _clock_ahead)


def _kill(world: World, chance: random.Random) -> Fault:
    house, part = world.house, chance.choice(PARTS)
    return Fault(f"{part} killed", lambda: _signal(house, part, signal.SIGKILL), _nothing, 0.0, world.red(part))


def _freeze(world: World, chance: random.Random) -> Fault:
    house, part = world.house, chance.choice(PARTS)
    return Fault(
        f"{part} frozen",
        lambda: _signal(house, part, signal.SIGSTOP),
        lambda: _signal(house, part, signal.SIGCONT),
        world.lasts_s(chance, 4),
        world.red(part),
    )


def _broker_killed(world: World, chance: random.Random) -> Fault:
    """Mosquitto writes its sessions every 30 s: what it had taken since is gone, and the spools must send it again."""
    house = world.house

    def begin() -> None:
        os.kill(house.broker.pid, signal.SIGKILL)
        house.broker.stop()

    return Fault("broker killed", begin, house.start_broker, world.lasts_s(chance), world.red("ingest", "analytics"))


def _database_killed(world: World, chance: random.Random) -> Fault:
    """Immediate shutdown: open transactions are lost, the start recovers from the log."""
    house = world.house

    def begin() -> None:
        os.kill(house.postgres.pid, signal.SIGQUIT)
        house.postgres.stop()

    return Fault("database killed", begin, house.start_postgres, world.lasts_s(chance), world.red(*PARTS))


def _sessions_ended(world: World, chance: random.Random) -> Fault:
    """Every database session of the services is ended, again and again."""

    def begin() -> None:
        over = time.monotonic() + world.lasts_s(chance)
        with psycopg.connect(world.house.postgres.admin_url, autocommit=True) as conn:
            while time.monotonic() < over:
                conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'watchkeep%'"
                )
                time.sleep(0.2)

    return Fault("database sessions ended every 200 ms", begin, _nothing, 0.0)


def _line_cut(world: World, chance: random.Random) -> Fault:
    line = world.line

    def end() -> None:
        line.closed = False

    shown = world.red("ingest", "analytics")
    return Fault("line cut", lambda: line.cut(closed=True), end, world.lasts_s(chance), shown)


def _line_slow(world: World, chance: random.Random) -> Fault:
    line = world.line

    def begin() -> None:
        line.delay_s = 0.3

    def end() -> None:
        line.delay_s = 0.0

    return Fault("line slow", begin, end, world.lasts_s(chance, 4))


def _disk_full(world: World, chance: random.Random) -> Fault:
    """The database's; when it has ended for it, its service manager starts it as soon as there is room."""
    disk, house = world.machine.disk, world.house
    assert disk

    def end() -> None:
        disk.free()
        until(lambda: house.answers() or not house.postgres.alive(), 120)
        if not house.postgres.alive():
            house.postgres.stop()
            house.start_postgres()

    return Fault("disk of the database full", disk.fill, end, world.lasts_s(chance, 4), world.red("ingest"))


def _network_bad(world: World, chance: random.Random) -> Fault:
    """Between all of them: TCP hides it, it only takes longer."""
    network = world.machine.network
    assert network
    return Fault(f"network bad ({network.rule.split()[0]})", network.spoil, network.mend, world.lasts_s(chance, 4))


def _clock_ahead(world: World, chance: random.Random) -> Fault:
    """Deadlines are over all at once. When it is set back, what was learnt of the devices' clocks is forgotten."""
    ahead, house = _clock_set(world, chance, 600), world.house
    shown = (*ahead.shown, lambda: house.query(FORGOTTEN, 600) == [])
    return replace(ahead, shown=shown, healed=lambda: house.query(SKEWED) == [])


def _clock_back(world: World, chance: random.Random) -> Fault:
    return _clock_set(world, chance, -120)


def _clock_set(world: World, chance: random.Random, by_s: int) -> Fault:
    """That of the services' machine, and back; devices and database keep the right time."""
    clock, house = world.machine.clock, world.house
    assert clock
    return Fault(
        f"clock set by {by_s:+d} s",
        lambda: clock.set(by_s),
        lambda: clock.set(0),
        world.lasts_s(chance, 6),
        (lambda: house.query(SKEWED) != [],),
    )


def _signal(house: House, part: str, number: int) -> None:
    for pid in processes_of(house.folder, f"watchkeep_cli {part} run"):
        os.kill(pid, number)


def _nothing() -> None: ...
