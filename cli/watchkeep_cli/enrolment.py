"""The supervisor's side of gateway enrolment: the console asks by a file, we add the user to the broker we run.

A request is `*.request.json` with `{"user": "community/gateway", "password": "…"}`; it is renamed to `*.done` when the
broker knows the user, to `*.failed` with the reason inside when it cannot be served.
"""

import json
from collections.abc import Callable
from pathlib import Path

from watchkeep_core.errors import WatchkeepError
from watchkeep_core.logs import get_logger
from watchkeep_core.topics import GatewayRef

log = get_logger(__name__)


def serve(directory: Path, add_user: Callable[[str, str], None]) -> int:
    """Serve all waiting requests; returns how many. Call it about twice a second."""
    served = 0
    for request in sorted(directory.glob("*.request.json")):
        stem = request.name.removesuffix(".request.json")
        try:
            user, password = _read(request)
            add_user(user, password)
        except (WatchkeepError, ValueError, KeyError, TypeError) as error:
            (directory / f"{stem}.failed").write_text(str(error), encoding="utf-8")
            log.error("enrolment_failed", request=stem, reason=str(error))
        else:
            (directory / f"{stem}.done").touch()
            served += 1
        request.unlink()  # it holds a secret
    return served


def _read(request: Path) -> tuple[str, str]:
    wanted = json.loads(request.read_text(encoding="utf-8"))
    community, _, gateway = str(wanted["user"]).partition("/")
    password = str(wanted["password"])
    if len(password) < 16:
        raise ValueError("password: shorter than 16 characters")
    return GatewayRef(community, gateway).user, password
