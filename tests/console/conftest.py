"""The console's fixtures: a small estate, and the API in this process."""

import itertools
import os
import re
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
import uvicorn
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from tests.conftest import Database
from tests.console import world as w
from tests.console.browser import _used, browser, open_as  # noqa: F401  # fixtures of all tests of pages
from watchkeep_console import services
from watchkeep_console.api.app import create_app
from watchkeep_console.enrol import MemoryEnroller
from watchkeep_console.services import Services
from watchkeep_console.settings import ConsoleSettings
from watchkeep_core.clock import SystemClock

_numbers = itertools.count()
SECRET = secrets.token_hex(32)


@pytest.fixture(scope="session")
def estate(postgres_url: str, template: str) -> Iterator[w.World]:
    """One database with the estate for all tests: cloning and hashing per test took longer than the tests."""
    name = f"watchkeep_console_{os.getpid()}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        yield w.build(Database(make_conninfo(postgres_url, dbname=name)))
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def world(estate: w.World) -> w.World:
    """The estate as it was built: everything that happened in it is gone."""
    w.reset(estate)
    return estate


@pytest.fixture(scope="session")
def _services(estate: w.World) -> Iterator[Services]:
    settings = ConsoleSettings(
        database_url=SecretStr(estate.database.url("watchkeep_console")),
        session_secret=SecretStr(SECRET),
        mqtt_url="mqtt://127.0.0.1:1883",
    )
    built = services.build(settings, SystemClock(), MemoryEnroller())
    yield built
    built.pool.close()


@pytest.fixture
def house(_services: Services, world: w.World) -> Services:
    """Nobody has tried to log in yet, and the broker's twin knows nobody."""
    _services.logins.forget()
    if isinstance(_services.enroller, MemoryEnroller):
        _services.enroller.users.clear()
    return _services


@pytest.fixture(scope="session")
def _server(_services: Services) -> Iterator[str]:
    """The API on a real server in a thread; the listener runs."""
    house = _services
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(house), log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(60)
    listener.close()


@pytest.fixture
def address(_server: str, house: Services) -> str:
    return _server


@pytest.fixture
def client(address: str) -> Iterator[httpx.Client]:
    """Nobody is logged in."""
    with httpx.Client(base_url=address, timeout=60) as found:
        yield found


Login = Callable[[str], httpx.Client]


@pytest.fixture
def as_(address: str) -> Iterator[Login]:
    """`as_("duty")` = a client of that person, with the CSRF token in its headers."""
    opened: list[httpx.Client] = []

    def login(who: str) -> httpx.Client:
        own = httpx.Client(base_url=address, timeout=60)
        opened.append(own)
        answer = own.post("/api/v1/session", json={"login": who, "password": w.PASSWORD})
        assert answer.status_code == 201, answer.text
        own.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return own

    yield login
    for own in opened:
        own.close()


@dataclass(frozen=True)
class Site:
    """The whole console in a process of its own."""

    url: str
    world: w.World
    log: Path


@contextmanager
def serving(world: w.World, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`watchkeep console run` over the world in a process of its own, once it is ready."""
    environment = os.environ | {
        "WATCHKEEP_CONSOLE_DATABASE_URL": world.database.url("watchkeep_console"),
        "WATCHKEEP_CONSOLE_SESSION_SECRET": SECRET,
        "WATCHKEEP_CONSOLE_PORT": "0",  # it says which it has: one that is free now may be taken by then
        "WATCHKEEP_CONSOLE_WEBHOOK_EVERY_S": "0",  # those are for the house of the test, which may reach its receiver
    }
    with log.open("wb") as output:
        command = [sys.executable, "-m", "watchkeep_console", "run"]
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        until(lambda: process.poll() is not None or _ready(_address(log)), log, seconds=180)
        assert process.poll() is None, log.read_text()[-2000:]
        yield _address(log), process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()


@pytest.fixture(scope="session")
def _process(estate: w.World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    log = tmp_path_factory.mktemp("console") / "console.log"
    with serving(estate, log) as (url, _):
        yield url, log


@pytest.fixture
def site(_process: tuple[str, Path], world: w.World) -> Site:
    """`watchkeep console run` with pages, over the fresh estate."""
    return Site(_process[0], world, _process[1])


def until(true: Callable[[], bool], log: Path | None = None, seconds: float = 60.0, poll_s: float = 0.05) -> None:
    """Ask until it is so; fails with the log's end after the deadline. Seldom enough for the API's limits: `poll_s`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(log.read_text()[-2000:] if log else "not in time")
        time.sleep(poll_s)


def _address(log: Path) -> str:
    """'' before it listens."""
    found = re.search(r'"port": (\d+), "event": "listening"', log.read_text())
    return f"http://127.0.0.1:{found[1]}" if found else ""


def _ready(address: str) -> bool:
    try:
        return bool(address) and httpx.get(f"{address}/health/ready", timeout=60).status_code == 200
    except httpx.TransportError:
        return False
