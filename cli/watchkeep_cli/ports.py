"""Free TCP ports for the servers and services we start."""

import random
import socket

from watchkeep_core.errors import SettingsError

_RANGE = range(20_000, 32_000)
"""Below Linux's ephemeral ports (32768 and up): a port from there is soon taken by somebody's outgoing connection."""

_TRIES = 200


def free_port(host: str, wanted: int = 0, *, setting: str = "host") -> int:
    """`wanted` when it is free, else one that nobody listens on.

    Raises SettingsError that names `setting` when `host` is no address of this machine.
    """
    candidates = random.SystemRandom().sample(_RANGE, _TRIES)  # two processes with one seed would want the same
    for port in (wanted, *candidates) if wanted else candidates:
        if _is_free(host, port):
            return port
    raise SettingsError(f"{setting}: cannot listen on {host}: not an address of this machine")


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
