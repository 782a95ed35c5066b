"""Several processes of one service: a parent starts them, restarts what dies, and ends them all at its own stop.

They share work by advisory locks, as processes on different machines do (see `shares`); the parent has no part in that.
"""

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from watchkeep_core import logs
from watchkeep_core.errors import WatchkeepError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop

log = get_logger(__name__)

_LOOK_S = 0.2
_RESTART_S = (0.5, 30.0)
"""First and longest wait before a process that died is started again; doubled in between."""

_LIVED_S = 60.0
"""A process that lived so long did not die of a bad start."""

_END_S = 12.0
"""A process needs less than 10 s for its stop; then it is killed."""


@dataclass(frozen=True, slots=True)
class Child:
    """One process to keep alive; `work` must be picklable, blocks until its stop and raises WatchkeepError."""

    name: str
    """In its log lines, such as ingest-0."""
    work: Callable[[Stop], None]
    log_level: str = "info"


@dataclass(slots=True)
class _Place:
    """One of the children, through all its lives."""

    child: Child
    process: BaseProcess
    started_s: float
    wait_s: float = _RESTART_S[0]
    restart_at_s: float | None = None


def run_children(children: Sequence[Child], stop: Stop) -> None:
    """Blocks until the stop."""
    places = [_Place(child, _start(child), time.monotonic()) for child in children]
    log.info("workers_started", workers=len(places), pids=[place.process.pid for place in places])
    try:
        while not stop.wait(_LOOK_S):
            for place in places:
                _look_after(place, time.monotonic())
    finally:
        _end([place.process for place in places])


def _look_after(place: _Place, now_s: float) -> None:
    if place.process.is_alive():
        return
    if place.restart_at_s is None:
        place.wait_s = _RESTART_S[0] if now_s - place.started_s > _LIVED_S else min(2 * place.wait_s, _RESTART_S[1])
        place.restart_at_s = now_s + place.wait_s
        code = place.process.exitcode
        log.error("worker_died", worker=place.child.name, exit_code=code, again_in_s=place.wait_s)
    elif now_s >= place.restart_at_s:
        place.process, place.started_s, place.restart_at_s = _start(place.child), now_s, None


def _start(child: Child) -> BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=_work, args=(child,), name=child.name)
    process.start()
    return process


def _work(child: Child) -> None:
    logs.configure(child.name, child.log_level)
    stop = Stop().install()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent.sentinel, stop), name="follow-parent", daemon=True).start()
    try:
        child.work(stop)
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
