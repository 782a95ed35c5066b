"""Does the broker do what it is asked to? paho asks by pings alone, and waits for a missing answer for ever."""

import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

LOOK_S = 1.0


class WatchedClient(Client):
    """paho's client; its thread calls `look` at least once a second while there is a connection."""

    look: Callable[[], None] | None = None

    def loop_misc(self) -> MQTTErrorCode:
        if self.look:
            self.look()
        return super().loop_misc()


class AnswerWatch:
    """Tells a broker that answers pings and nothing else; times are monotonic seconds."""

    def __init__(self, patience_s: float) -> None:
        """`patience_s`: longest time without one PUBACK while the broker has publishes of ours, or without a SUBACK."""
        self._patience_s = patience_s
        self._since_s = 0.0
        self._look_at_s = 0.0

    def progress(self, now_s: float) -> None:
        """A PUBACK came, or there was nothing to wait for."""
        self._since_s = now_s

    def due(self, now_s: float) -> bool:
        """Whether it is time for another look."""
        if now_s < self._look_at_s:
            return False
        self._look_at_s = now_s + LOOK_S
        return True

    def in_vain(self, now_s: float, client: Client, outstanding: int, asked_s: float) -> bool:
        """Whether to leave this broker: `outstanding` publishes wait, a subscription was asked for `asked_s` ago."""
        sock = client.socket()
        under_way = sock is None or client.want_write() or unsent_bytes(sock) > 0
        if under_way or not outstanding:
            self.progress(now_s)
        return now_s - self._since_s > self._patience_s or (not under_way and asked_s > self._patience_s)


def hang_up(client: Client) -> None:
    """paho sees the end of the line, and connects anew."""
    sock: Any = client.socket()
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def unsent_bytes(sock: Any) -> int:
    """What the other side's kernel has not confirmed: on a slow line the broker cannot answer that yet."""
    try:
        queued: int = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
    except (OSError, ValueError):
        return 0
    return queued
