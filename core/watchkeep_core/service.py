"""What every service does besides its work: stop on SIGTERM, answer `/health`, `/metrics`."""

import json
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app

from watchkeep_core.errors import SettingsError

StartResponse = Callable[..., Any]
Checks = Mapping[str, Callable[[], bool]]
"""Name of a thing the service needs (`broker`, `database` …) → is it there now. Must answer at once."""


class Stop:
    """Set by SIGTERM and SIGINT; loops wait on it instead of sleeping."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def install(self) -> "Stop":
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._event.set())
        return self

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Sleep until the stop or for `timeout_s`; true when it is time to stop."""
        return self._event.wait(timeout_s)


class _Server(ThreadingMixIn, WSGIServer):
    """Who connects and says nothing keeps no probe waiting, nor does one who asks for much."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    timeout = 10.0
    """Seconds that a client may take to ask."""

    def handle(self) -> None:
        with suppress(TimeoutError, ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Probes every few seconds are no news."""


class HealthServer:
    """`/health/live` (the process runs), `/health` and `/health/ready` (503 and what is missing), `/metrics`."""

    def __init__(self, host: str, port: int, checks: Checks, registry: CollectorRegistry = REGISTRY) -> None:
        """Raises SettingsError when the address cannot be had."""
        self._checks = checks
        self._metrics = make_wsgi_app(registry)
        try:
            self._server: WSGIServer = make_server(host, port, self._app, _Server, _QuietHandler)
        except OSError as error:
            raise SettingsError(f"health_port: cannot listen on {host}:{port}: {error.strerror}") from None
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _app(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"].rstrip("/")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        if path == "/health/live":
            return _answer(start_response, "200 OK", {"status": "ok"})
        if path in ("/health", "/health/ready"):
            missing = [name for name, there in self._checks.items() if not there()]
            status = "503 Service Unavailable" if missing else "200 OK"
            return _answer(start_response, status, {"status": "failing" if missing else "ok", "missing": missing})
        return _answer(start_response, "404 Not Found", {"status": "not found"})


def _answer(start_response: StartResponse, status: str, body: dict[str, Any]) -> list[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]
