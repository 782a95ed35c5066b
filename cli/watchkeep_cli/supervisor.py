"""The local supervisor: starts services as processes, restarts the ones that end, stops all in reverse order."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from watchkeep_cli.child import end, spawn
from watchkeep_core.errors import PermanentError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop
from watchkeep_core.settings import PREFIX

STOP_TIMEOUT_S = 10.0
"""What every service promises to need at most after SIGTERM."""

RESTART_FIRST_S, RESTART_MOST_S = 1.0, 60.0
QUICK_END_S = 10.0
"""A service that ends sooner after its start than this has not recovered: the next wait is doubled."""

log = get_logger(__name__)


class ServiceFailed(PermanentError):
    """A service ended while it was being started; the text ends with the last line it said."""


@dataclass
class Service:
    """One `watchkeep …` process. Secrets go through `environ`, never on the command line."""

    name: str
    arguments: Sequence[str]
    environ: Mapping[str, str]
    log_file: Path
    inherits: bool = True
    """False: settings (`WATCHKEEP_*`) of our own environment are not passed on, only `environ` is."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started: float = 0.0
    wait_s: float = RESTART_FIRST_S
    restart_at: float = 0.0
    restarts: int = 0

    def start(self) -> None:
        command = [sys.executable, "-m", "watchkeep_cli", *self.arguments]
        ours = {key: value for key, value in os.environ.items() if self.inherits or not key.startswith(PREFIX)}
        self.process = spawn(command, self.log_file, environ=ours | dict(self.environ))
        self.started = time.monotonic()
        self.restart_at = 0.0

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        """The last line of its log that says something."""
        try:
            lines = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
        return next((line for line in reversed(lines) if any(map(str.isalnum, line))), "")


class Supervisor:
    """Owns the services; call `watch` about once a second."""

    def __init__(self) -> None:
        self.services: list[Service] = []

    def start(self, service: Service) -> None:
        """Start a service and keep it."""
        service.start()
        self.services.append(service)

    def watch(self) -> None:
        """Restart what has ended, after a jittered and growing wait."""
        now = time.monotonic()
        for service in self.services:
            if service.alive():
                continue
            if not service.restart_at:
                self._plan_restart(service, now)
            elif now >= service.restart_at:
                service.restarts += 1
                service.start()

    def require_alive(self) -> None:
        """While starting up: a service that has ended means a setting is wrong. Raises ServiceFailed."""
        for service in self.services:
            if not service.alive():
                raise ServiceFailed(f"{service.name} did not start: {service.last_words()}")

    def stop(self) -> None:
        """Stop all, last started first; consumers of a stopped producer have time to finish."""
        for service in reversed(self.services):
            if service.process is not None and service.alive():
                end(service.process, STOP_TIMEOUT_S)
        self.services.clear()

    def stop_one(self, name: str) -> None:
        """Stop one service by name and forget it."""
        for service in [service for service in self.services if service.name == name]:
            if service.process is not None and service.alive():
                end(service.process, STOP_TIMEOUT_S)
            self.services.remove(service)

    def _plan_restart(self, service: Service, now: float) -> None:
        quick = now - service.started < QUICK_END_S
        service.wait_s = min(service.wait_s * 2, RESTART_MOST_S) if quick else RESTART_FIRST_S
        service.restart_at = now + service.wait_s * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        code = service.process.returncode if service.process else None
        log.error("service_ended", name=service.name, code=code, said=service.last_words()[:300])


def run_until(supervisor: Supervisor, stop: Stop, deadline: float | None = None) -> None:
    """Watch until the stop, or until `deadline` (monotonic)."""
    while not stop.wait(0.5):
        supervisor.watch()
        if deadline is not None and time.monotonic() >= deadline:
            return
