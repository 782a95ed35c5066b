"""What is done to a running house, each fault with the parts whose health must show it."""

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from tests.brokers import Proxy
from tests.system.house import PARTS, House, processes_of


@dataclass(frozen=True)
class Fault:
    """`begin` and `end` are called `lasts_s` apart; `shown_by`: parts that must be red in between."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]
    lasts_s: float
    shown_by: Sequence[str] = ()


def plan(house: House, line: Proxy, seed: int, number: int) -> list[Fault]:
    """`number` faults in random order, every kind before any a second time."""
    chance = random.Random(seed)
    kinds = [_kill, _freeze, _broker_killed, _database_killed, _sessions_ended, _line_cut, _line_slow]
    drawn: list[Fault] = []
    while len(drawn) < number:
        chance.shuffle(kinds)
        drawn += [kind(house, line, chance) for kind in kinds]
    return drawn[:number]


def _kill(house: House, _line: Proxy, chance: random.Random) -> Fault:
    part = chance.choice(PARTS)
    return Fault(f"{part} killed", lambda: _signal(house, part, signal.SIGKILL), _nothing, 0.0)


def _freeze(house: House, _line: Proxy, chance: random.Random) -> Fault:
    part = chance.choice(PARTS)
    return Fault(
        f"{part} frozen",
        lambda: _signal(house, part, signal.SIGSTOP),
        lambda: _signal(house, part, signal.SIGCONT),
        chance.uniform(4, 12),
        (part,),
    )


def _broker_killed(house: House, _line: Proxy, chance: random.Random) -> Fault:
    """Mosquitto writes its sessions every 30 s: what it had taken since is gone, and the spools must send it again."""

    def begin() -> None:
        os.kill(house.broker.pid, signal.SIGKILL)
        house.broker.stop()

    return Fault("broker killed", begin, house.start_broker, chance.uniform(2, 8), ("ingest", "analytics"))


def _database_killed(house: House, _line: Proxy, chance: random.Random) -> Fault:
    """Immediate shutdown: open transactions are lost, the start recovers from the log."""

    def begin() -> None:
        os.kill(house.postgres.pid, signal.SIGQUIT)
        house.postgres.stop()

    return Fault("database killed", begin, house.start_postgres, chance.uniform(2, 8), PARTS)


def _sessions_ended(house: House, _line: Proxy, chance: random.Random) -> Fault:
    """Every database session of the services is ended, again and again."""

    def begin() -> None:
        until = time.monotonic() + chance.uniform(2, 5)
        with psycopg.connect(house.postgres.admin_url, autocommit=True) as conn:
            while time.monotonic() < until:
                conn.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'watchkeep%'"
                )
                time.sleep(0.2)

    return Fault("database sessions ended every 200 ms", begin, _nothing, 0.0)


def _line_cut(_house: House, line: Proxy, chance: random.Random) -> Fault:
    def end() -> None:
        line.closed = False

    return Fault("line cut", lambda: line.cut(closed=True), end, chance.uniform(2, 8), ("ingest", "analytics"))


def _line_slow(_house: House, line: Proxy, chance: random.Random) -> Fault:
    def begin() -> None:
        line.delay_s = 0.3

    def end() -> None:
        line.delay_s = 0.0

    return Fault("line slow", begin, end, chance.uniform(4, 8))


def _signal(house: House, part: str, number: int) -> None:
    for pid in processes_of(house.folder, f"watchkeep_cli {part} run"):
        os.kill(pid, number)


def _nothing() -> None: ...
