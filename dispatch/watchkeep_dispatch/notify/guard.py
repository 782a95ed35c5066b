"""Bounds for what a channel may do on the network while it hands over one message.

A channel's URL is somebody's input: it may point into the house (SSRF), answer without end, or never. Libraries that
carry messages (requests, smtplib) have no common seam for that, so Python's own audit hook sees every connection just
before it is made, name resolved, redirects included; requests gets a session that reads only a part of an answer.
"""

import ipaddress
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests
import requests.sessions
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ANSWER_BYTES = 65_536
"""More of an answer is not read: its status decides, and a service's error code stands at its beginning."""
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""NAT64: any IPv4 address in another form."""


@dataclass(frozen=True, slots=True)
class Egress:
    """Where messages may go and how long one may take, in seconds; public addresses always, `allowed` besides."""

    allowed: tuple[Network, ...] = ()
    deadline_s: float = 8.0


class TargetRefused(OSError):
    """An OSError, so that every library closes its socket and passes it on."""


def permitted(address: Address, allowed: tuple[Network, ...]) -> bool:
    """Public, or in a network that the operator named. Pure."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return permitted(inner, allowed)
    if any(address in network for network in allowed):
        return True
    hidden = address.version == 6 and (address in _TRANSLATED or bool(getattr(address, "teredo", None)))
    return address.is_global and not address.is_multicast and not hidden


class Exchange:
    """One hand-over: the lines it opened, what was refused, and the last answer over HTTP."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._ends = time.monotonic() + egress.deadline_s
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()
        self.refused = False
        self.over = False
        self.status: int | None = None
        self.body = b""

    def connecting(self, line: socket.socket, address: Any) -> None:
        """Called before each connection. Raises TargetRefused, TimeoutError."""
        try:
            target = ipaddress.ip_address(str(address[0]).partition("%")[0])
        except (ValueError, IndexError, TypeError):
            target = None
        if line.family not in (socket.AF_INET, socket.AF_INET6) or target is None:
            self.refused = True
            raise TargetRefused("only connections to IP addresses")
        if not permitted(target, self._egress.allowed):
            self.refused = True
            raise TargetRefused("the target is in a private network")
        with self._lock:
            if self.over or time.monotonic() > self._ends:
                raise TimeoutError("the hand-over took too long")
            self._lines.append(socket.socket(fileno=os.dup(line.fileno())))  # TLS takes the first one away

    def cut(self) -> None:
        """The time is over: whoever waits for one of the lines gets an error or the end of the stream."""
        with self._lock:
            self.over = True
            for line in self._lines:
                try:
                    line.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # not connected any more

    def close(self) -> None:
        with self._lock:
            for line in self._lines:
                line.close()

    def read(self, response: requests.Response) -> None:
        """Keep status and beginning of an answer; an answer that breaks off has its status all the same."""
        found = bytearray()
        try:
            for chunk in response.iter_content(8192):
                found += chunk
                if len(found) >= ANSWER_BYTES:
                    break
        except (requests.RequestException, HTTPError, OSError):
            pass
        response.close()
        self.status, self.body = response.status_code, bytes(found[:ANSWER_BYTES])
        response._content = self.body
        response._content_consumed = True  # so that nobody reads on


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def guarded(egress: Egress) -> Iterator[Exchange]:
    """Inside, this thread's connections keep to `egress`; all are cut when the time is over."""
    _install()
    exchange = Exchange(egress)
    timer = threading.Timer(egress.deadline_s, exchange.cut)
    timer.daemon = True
    timer.start()
    token = _current.set(exchange)
    try:
        yield exchange
    finally:
        _current.reset(token)
        timer.cancel()
        exchange.close()


class _Adapter(HTTPAdapter):
    def send(
        self, request: requests.PreparedRequest, stream: bool = False, *args: Any, **more: Any
    ) -> requests.Response:
        exchange = _current.get()
        response = super().send(request, stream or exchange is not None, *args, **more)
        if exchange is not None:
            exchange.read(response)
        return response


class _Session(requests.Session):
    """One per request, as `requests.post` has it: a connection that is kept could be neither checked nor cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())


@cache
def _install() -> None:
    """Once per process; without a guarded hand-over in the thread neither does anything."""
    sys.addaudithook(_watch)
    requests.sessions.Session = _Session  # type: ignore[misc]  # requests.post has no other way to be given a session


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        exchange = _current.get()
        if exchange is not None:
            exchange.connecting(*args)
