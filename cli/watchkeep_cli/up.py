"""`watchkeep up`: the four services as processes of one supervisor, against the servers that WATCHKEEP_* names."""

import os
import time
from pathlib import Path

from watchkeep_cli.supervisor import Service, Supervisor, run_until
from watchkeep_core.errors import SettingsError
from watchkeep_core.service import Stop

SERVICES = ("ingest", "analytics", "dispatch", "console")
STARTUP_S = 10.0
"""A service that ends so soon has a wrong setting: its reason is shown, and nothing runs."""


def run(stop: Stop) -> None:
    """Start, watch and stop them. Raises SettingsError, ServiceFailed."""
    folder = Path(os.environ.get("WATCHKEEP_LOG_DIR", ".watchkeep/logs"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"WATCHKEEP_LOG_DIR: cannot use {folder}: {error.strerror}") from None
    supervisor = Supervisor()
    try:
        for name in SERVICES:
            supervisor.start(Service(name, [name, "run"], {}, folder.resolve() / f"{name}.log"))
        settled = time.monotonic() + STARTUP_S
        while not stop.wait(0.2) and time.monotonic() < settled:
            supervisor.require_alive()
        run_until(supervisor, stop)
    finally:
        supervisor.stop()
