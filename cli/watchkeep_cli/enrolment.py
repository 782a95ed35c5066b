"""The supervisor's side of gateway enrolment: the console asks by a file, we tell the broker we run.

A request is `*.request.json` with `{"user": "community/gateway", "password": "…"}`, or `{"user": …, "revoke": true}`;
it becomes `*.done` when the broker has done it, `*.failed` with the reason inside when it cannot be served.
"""

import json
from collections.abc import Callable
from pathlib import Path

from watchkeep_core.errors import WatchkeepError
from watchkeep_core.logs import get_logger
from watchkeep_core.topics import GatewayRef

log = get_logger(__name__)


def serve(directory: Path, add_user: Callable[[str, str], None], remove_user: Callable[[str], object]) -> int:
    """Serve all waiting requests; returns how many. Call it about twice a second."""
    served = 0
    for request in sorted(directory.glob("*.request.json")):
        stem = request.name.removesuffix(".request.json")
        try:
            user, password = _read(request)
            if password is None:
                remove_user(user)
            else:
                add_user(user, password)
        except (WatchkeepError, ValueError, KeyError, TypeError) as error:
            (directory / f"{stem}.failed").write_text(str(error), encoding="utf-8")
            log.error("enrolment_failed", request=stem, reason=str(error))
        else:
            (directory / f"{stem}.done").touch()
            served += 1
        request.unlink()  # it holds a secret
    return served


def _read(request: Path) -> tuple[str, str | None]:
    """The user, and the password to give to it; None = it is shut out."""
    wanted = json.loads(request.read_text(encoding="utf-8"))
    community, _, gateway = str(wanted["user"]).partition("/")
    if wanted.get("revoke") is True:
        return GatewayRef(community, gateway).user, None
    password = str(wanted["password"])
    if len(password) < 16:
        raise ValueError("password: shorter than 16 characters")
    return GatewayRef(community, gateway).user, password
