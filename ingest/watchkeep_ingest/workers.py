"""Several workers on one machine: a parent starts them, restarts what dies, and ends them all at its own stop.

They share the partitions by advisory locks, as workers on different machines do; the parent has no part in that.
"""

import multiprocessing
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from watchkeep_core import logs
from watchkeep_core.database import connect
from watchkeep_core.errors import WatchkeepError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop
from watchkeep_ingest.service import run as run_worker
from watchkeep_ingest.settings import IngestSettings

log = get_logger(__name__)

_LOOK_S = 0.2
_RESTART_S = (0.5, 30.0)
"""First and longest wait before a worker that died is started again; doubled in between."""

_LIVED_S = 60.0
"""A worker that lived so long did not die of a bad start."""

_END_S = 12.0
"""A worker needs less than 10 s for its stop; then it is killed."""


@dataclass(slots=True)
class _Place:
    """One of the workers, through all its lives."""

    number: int
    process: BaseProcess
    started_s: float
    wait_s: float = _RESTART_S[0]
    restart_at_s: float | None = None


def run(settings: IngestSettings, stop: Stop) -> None:
    """Blocks until the stop. Raises WatchkeepError when the database cannot be had at the start."""
    if settings.workers == 1:
        run_worker(settings, stop)
        return
    settings.session_password()
    connect(settings.database_url.get_secret_value(), "ingest-parent").close()
    places = [_Place(number, _start(settings, number), time.monotonic()) for number in range(settings.workers)]
    log.info("workers_started", workers=len(places), pids=[place.process.pid for place in places])
    try:
        while not stop.wait(_LOOK_S):
            for place in places:
                _look_after(place, settings, time.monotonic())
    finally:
        _end([place.process for place in places])


def _look_after(place: _Place, settings: IngestSettings, now_s: float) -> None:
    if place.process.is_alive():
        return
    if place.restart_at_s is None:
        place.wait_s = _RESTART_S[0] if now_s - place.started_s > _LIVED_S else min(2 * place.wait_s, _RESTART_S[1])
        place.restart_at_s = now_s + place.wait_s
        log.error("worker_died", worker=place.number, exit_code=place.process.exitcode, again_in_s=place.wait_s)
    elif now_s >= place.restart_at_s:
        place.process, place.started_s, place.restart_at_s = _start(settings, place.number), now_s, None


def _start(settings: IngestSettings, number: int) -> BaseProcess:
    """Each has its own `/health` and `/metrics`, on ports one behind the other."""
    port = settings.health_port + number if settings.health_port else 0
    own = settings.model_copy(update={"health_port": port, "workers": 1})
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(own, number), name=f"worker-{number}")
    process.start()
    return process


def _work(settings: IngestSettings, number: int) -> None:
    logs.configure(f"ingest-{number}", settings.log_level)
    stop = Stop().install()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel, stop), name="follow-parent", daemon=True).start()
    try:
        run_worker(settings, stop)
    except WatchkeepError as error:
        log.critical("worker_failed", error=str(error))
        sys.exit(1)


def _follow(sentinel: int, stop: Stop) -> None:
    """A parent that was killed cannot end us: we end when it is gone."""
    wait([sentinel])
    stop.set()


def _end(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _END_S
    for process in processes:
        process.join(max(0.1, deadline - time.monotonic()))
        if process.is_alive():
            log.warning("worker_killed", worker=process.name)
            process.kill()
