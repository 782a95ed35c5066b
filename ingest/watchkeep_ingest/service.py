"""Runs ingest: two writers, the sessions that feed them, and the keeper that watches both."""

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from psycopg import Connection

from watchkeep_core.broker import BrokerAddress
from watchkeep_core.database import connect
from watchkeep_core.logs import get_logger
from watchkeep_core.service import HealthServer, Stop
from watchkeep_core.topics import LANES, Lane
from watchkeep_ingest import metrics
from watchkeep_ingest.data_lane import DataLane
from watchkeep_ingest.event_lane import EventLane
from watchkeep_ingest.flood import FloodGuard
from watchkeep_ingest.intake import Intake, Limits
from watchkeep_ingest.keeper import Keeper
from watchkeep_ingest.lane import LaneWork
from watchkeep_ingest.sessions import Access, Sessions
from watchkeep_ingest.settings import IngestSettings
from watchkeep_ingest.status import Notes
from watchkeep_ingest.upkeep import Upkeep
from watchkeep_ingest.watchdog import Watchdog
from watchkeep_ingest.writer import Writer

log = get_logger(__name__)

_TICK_S = 1.0

_STOP_S = 6.0
"""How long a writer may finish its batch at the stop; with the farewells that is below 10 s."""

_WATCH_S = 1.0

_UPKEEP_AFTER_S = 10.0
"""A worker that starts empties its queue first."""

_SWITCH_S = 0.0005
"""How long a thread may keep the interpreter from a writer whose answer from the server has come, in seconds.

A batch waits for a dozen answers; at Python's 5 ms it took 380 instead of 160 ms beside a busy thread (measured).
"""

_ACK_EVERY_S = 0.1
"""An ack frees a spool, which nobody waits for; with small batches it would cost as much as the batch."""


def run(settings: IngestSettings, stop: Stop) -> None:
    """Blocks until the stop. Raises WatchkeepError when database or broker cannot be had at the start."""
    sys.setswitchinterval(_SWITCH_S)
    Service(settings).run(stop)


class Service:
    """All objects of one worker."""

    def __init__(self, settings: IngestSettings) -> None:
        """Raises SettingsError."""
        self._settings = settings
        self._url = settings.database_url.get_secret_value()
        address = BrokerAddress.parse(settings.mqtt_url, settings.mqtt_ca_file)
        access = Access(address, settings.session_password(), settings.receive_maximum)
        limits = {
            "data": Limits(settings.linger_ms / 1000, settings.batch_messages, settings.batch_bytes),
            "event": Limits(0.0, settings.batch_messages, settings.batch_bytes),
        }
        notes = Notes()
        works: list[LaneWork] = [
            DataLane(
                settings.unclaimed_cap,
                notes,
                FloodGuard(settings.flood_readings_per_s, settings.backlog_readings_per_s),
            ),
            EventLane(notes),
        ]
        self._end = Stop()
        self._intakes: dict[Lane, Intake] = {
            work.lane: Intake(settings.queue_bytes, limits[work.lane]) for work in works
        }
        self._sessions = Sessions(access, self._intakes)
        self._writers = {
            work.lane: Writer(
                work, self._intakes[work.lane], self._sessions, self._connector(work.lane), self._end, _ACK_EVERY_S
            )
            for work in works
        }
        self._keeper = Keeper(self._connector("keeper"), settings.wanted_partitions, self._sessions, notes)
        self._upkeep = Upkeep(
            self._connector("upkeep"),
            settings.keep,
            self._end,
            keep_batches=timedelta(days=settings.keep_batches_days),
            loaded=lambda: self._intakes["data"].is_loaded(time.monotonic()),
            first_s=_UPKEEP_AFTER_S,
        )
        self._ticked_s = time.monotonic()
        self._started = False

    def run(self, stop: Stop) -> None:
        checks = {
            "database": lambda: self._keeper.healthy and all(writer.healthy for writer in self._writers.values()),
            "broker": lambda: self._started and self._sessions.connected() == len(LANES) * len(self._keeper.held),
        }
        settings = self._settings
        health = HealthServer(settings.health_host, settings.health_port, checks) if settings.health_port else None
        try:
            for writer in self._writers.values():
                writer.start()
            self._keeper.start(time.monotonic())
            self._started = True
            self._ticked_s = time.monotonic()
            Watchdog(self._wrong, self._end, _WATCH_S).start()
            self._upkeep.start()
            for lane, intake in self._intakes.items():
                metrics.watch_queue(lane, intake.__len__, partial(getattr, intake, "queued_bytes"), _age(intake))
            log.info("ingest_started", partitions=sorted(self._keeper.held))
            while not stop.wait(_TICK_S):
                self._keeper.tick(time.monotonic())
                self._ticked_s = time.monotonic()
        finally:
            self._shut_down()
            if health is not None:
                health.close()

    def _shut_down(self) -> None:
        self._end.set()
        for intake in self._intakes.values():
            intake.close()
        deadline = time.monotonic() + _STOP_S
        for writer in self._writers.values():
            if not writer.join(max(0.0, deadline - time.monotonic())):
                log.warning("writer_left_behind")
        self._upkeep.join(1.0)
        self._keeper.close()
        log.info("ingest_stopped")

    def _wrong(self) -> set[str]:
        """Threads that are dead or have given no sign for too long."""
        stuck_s = self._settings.stuck_s
        wrong = {f"writer-{work}" for work, writer in self._writers.items() if writer.silent_s > stuck_s}
        if time.monotonic() - self._ticked_s > stuck_s:
            wrong.add("keeper")
        return wrong | set(self._sessions.zombies())

    def _connector(self, name: str) -> Callable[[], Connection]:
        return lambda: connect(self._url, f"ingest-{name}", autocommit=True)


def _age(intake: Intake) -> Callable[[], float]:
    def age_s() -> float:
        oldest_us = intake.oldest_us()
        return 0.0 if oldest_us is None else max(0.0, time.time() - oldest_us / 1_000_000)

    return age_s
