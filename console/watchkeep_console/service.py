"""The service: one uvicorn process with pages and API; stops within 10 s."""

import asyncio
import contextlib
import gc
import socket
import threading
from collections.abc import Iterator

import uvicorn

from watchkeep_console import pages, services
from watchkeep_console.api.app import create_app
from watchkeep_console.settings import ConsoleSettings
from watchkeep_core.errors import SettingsError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Stop

log = get_logger(__name__)
GRACE_S = 2
"""Event streams and WebSockets never end by themselves; after so long they are cut."""


class _Server(uvicorn.Server):
    """Signals belong to `Stop`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(settings: ConsoleSettings, stop: Stop) -> None:
    """Serve until `stop`. Raises SettingsError (address), DatabaseUnavailable or DatabaseRefused."""
    listener = _listen(settings.host, settings.port)
    house = services.build(settings)
    try:
        app = create_app(house)
        pages.mount(app, house)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxy),
            forwarded_allow_ips=settings.trusted_proxy or None,
            timeout_graceful_shutdown=GRACE_S,
            ws_max_size=2 * 1024 * 1024,
        )
        server = _Server(config)
        _collect_seldom()
        log.info("listening", host=settings.host, port=listener.getsockname()[1])
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:  # uvloop where it is installed
            runner.run(_serve(server, listener, stop))
    finally:
        house.pool.close()
        listener.close()


def _collect_seldom() -> None:
    """What was imported stays for ever and is looked through no more; pages are when some dozens have been built.

    By default a third of the CPU that a page costs went into looking for cycles, all threads waiting meanwhile.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 5)


async def _serve(server: uvicorn.Server, listener: socket.socket, stop: Stop) -> None:
    loop = asyncio.get_running_loop()

    def watch() -> None:
        stop.wait()
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(setattr, server, "should_exit", True)

    threading.Thread(target=watch, name="stop", daemon=True).start()
    await server.serve(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Before anything else is built, so that a port in use is one clear line. Raises SettingsError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise SettingsError(f"port: cannot listen on {host}:{port}: {error.strerror or error}") from None
