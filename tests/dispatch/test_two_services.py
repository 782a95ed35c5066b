"""Two services at once, killed again and again: what one leaves the other finishes, nothing is done twice."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tests.dispatch.conftest import World, eventually

SEED = 20261122
CASES, KILLS, RUNGS = 15, 3, 18
"""Three clocks with six rungs each; more than one transaction fires."""


def service(world: World) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "watchkeep_dispatch", "run", "--log-level", "error"]
    environment = os.environ | {"WATCHKEEP_DISPATCH_DATABASE_URL": world.database.url("watchkeep_dispatch")}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def two(world: World) -> Iterator["list[subprocess.Popen[bytes]]"]:
    services = [service(world), service(world)]
    try:
        yield services
    finally:
        for one in services:
            one.kill()
        for one in services:
            one.wait(60)


@pytest.mark.slow
def test_each_rung_fires_once_and_each_warning_is_filed_once_whoever_dies(own_world: World) -> None:
    world, dice = own_world, random.Random(SEED)
    long_ago = datetime.now(UTC) - timedelta(days=40)
    for n in range(CASES):
        world.filed(f"old-{n}", "sensor_silent", long_ago)
    fresh = 0
    with two(world) as services:
        for kill in range(KILLS):
            for _ in range(15):
                world.warn(f"new-{fresh}", "vibration_high", at=datetime.now(UTC), proposed_class="A")
                fresh += 1
            # Somewhere in the middle of what waits: a share of it is done by then.
            share = dice.random() * fresh
            eventually(lambda share=share: world.value("SELECT count(*) FROM cases") >= CASES + share, 120)  # type: ignore[misc]  # bound now
            victim = dice.randrange(2)
            services[victim].kill()
            services[victim].wait(60)
            if kill < KILLS - 1:
                services[victim] = service(world)
        eventually(lambda: world.value("SELECT count(*) FROM escalations") >= CASES * RUNGS, 120)
        eventually(lambda: world.value("SELECT count(*) FROM unjudged") == 0, 120)
    assert world.value("SELECT count(*) FROM escalations") == CASES * RUNGS
    assert world.value("SELECT count(*) FROM orders") == CASES + fresh
    assert (
        world.value("SELECT count(*) FROM (SELECT warning_id FROM case_warnings GROUP BY 1 HAVING count(*) > 1) x") == 0
    )
    told = "SELECT count(*), count(DISTINCT dedup_key) FROM notifications WHERE dedup_key LIKE 'order/%%'"
    told += " AND person_id IS NULL AND channel = 'in_app'"
    assert world.rows(told) == [(CASES * RUNGS, CASES * RUNGS)]
