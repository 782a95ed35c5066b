"""A driver's event loop in a thread of its own, for drivers that have many lines or connections at once."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from watchkeep_core.logs import get_logger

log = get_logger(__name__)


class LoopThread:
    """Runs `main` once, from `start` until it returns; `main` has to return soon after `ending` is set."""

    def __init__(self, name: str, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.ending = asyncio.Event()
        self._name = name
        self._main = main
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        self._thread.start()

    def call(self, function: Callable[..., None], *arguments: object) -> None:
        """Run it in the loop, from any thread; nothing happens when the loop has ended."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def stop(self, timeout_s: float) -> bool:
        """Set `ending` and wait so long; false when it was never started."""
        if self._thread.ident is None:
            self._loop.close()
            return False
        self.call(self.ending.set)
        self._thread.join(timeout_s)
        return True

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._main())
        except Exception:
            log.exception("driver_died", driver=self._name)
