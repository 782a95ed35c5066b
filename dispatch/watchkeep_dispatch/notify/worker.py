"""The job queue's workers and the clock of notifications, in a thread with an event loop of its own."""

import asyncio
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from psycopg import Connection
from psycopg_pool import ConnectionPool

from watchkeep_core.logs import get_logger
from watchkeep_dispatch import metrics
from watchkeep_dispatch.notify.chores import Pulse
from watchkeep_dispatch.notify.delivery import Delivery
from watchkeep_dispatch.notify.jobs import QUEUE, URGENT_QUEUE, worker_app

_log = get_logger(__name__)

POLL_S = 1.0
"""A notification of the database wakes the worker; this is for those that got lost."""
STALLED_AFTER_S = 30.0
"""A worker without a heartbeat for so long is dead; its jobs are run again."""
STOP_S = 8.0
"""The service must be gone 10 s after SIGTERM; a hand-over that takes longer is repeated by the next worker."""
BACK_OFF_S = (0.5, 30.0)


class NotifyWorker:
    """Hands over notifications until stopped; a lost database ends a run, the next begins after a back-off.

    Channels are served in up to `concurrency` threads for each queue. Without a `pulse` another sees to the clock.
    """

    def __init__(
        self,
        url: str,
        pool: ConnectionPool[Connection],
        delivery: Delivery,
        pulse: Pulse | None,
        concurrency: int,
        queues: Sequence[str] = (URGENT_QUEUE, QUEUE),
    ) -> None:
        self._url = url
        self._pool = pool
        self._delivery = delivery
        self._pulse = pulse
        self._concurrency = concurrency
        self._queues = queues
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._well: bool | None = None
        """Whether the last attempt reached the queue; None before the first."""

    def start(self) -> None:
        self._thread.start()

    def healthy(self) -> bool:
        """Runs, and its last attempt reached the queue."""
        return self._well is True and self._thread.is_alive()

    def stop(self) -> None:
        """Finish what is being handed over, up to `STOP_S`."""
        self._stop.set()
        self._delivery.stop()
        loop, task = self._loop, self._task
        if loop and task and not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)
        if self._thread.is_alive():
            self._thread.join(STOP_S)

    def _run(self) -> None:
        wait_s = BACK_OFF_S[0]
        while not self._stop.is_set():
            try:
                asyncio.run(self._work())
                wait_s = BACK_OFF_S[0]
            except asyncio.CancelledError:
                continue
            except (ConnectorException, psycopg.OperationalError, OSError) as error:
                if self._well is not False:
                    _log.error("queue_lost", error=" ".join(str(error).split()))
                self._well = False
                metrics.LOOP_ERRORS.labels("notify").inc()
                self._stop.wait(wait_s * random.uniform(0.5, 1.0))  # noqa: S311  jitter, no secret
                wait_s = min(2 * wait_s, BACK_OFF_S[1])

    async def _work(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._loop.set_default_executor(ThreadPoolExecutor(len(self._queues) * self._concurrency + 2, "notify"))
        if self._stop.is_set():
            return
        app = worker_app(self._url, self._delivery.serve)
        async with app.open_async():
            self._well = True
            for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
                await app.job_manager.retry_job(job)
            try:
                async with asyncio.TaskGroup() as tasks:
                    for queue in self._queues:
                        tasks.create_task(self._queue(app, queue))
                    if self._pulse:
                        tasks.create_task(self._beats(self._pulse))
            except ExceptionGroup as lost:
                raise lost.exceptions[0] from None

    async def _queue(self, app: App, queue: str) -> None:
        await app.run_worker_async(
            queues=[queue],
            name=queue,
            concurrency=self._concurrency,
            fetch_job_polling_interval=POLL_S,
            stalled_worker_timeout=STALLED_AFTER_S,
            shutdown_graceful_timeout=STOP_S / 2,
            delete_jobs="always",
            install_signal_handlers=False,
            listen_notify=True,
        )

    async def _beats(self, pulse: Pulse) -> None:
        while not self._stop.is_set():
            await asyncio.to_thread(self._beat, pulse)
            await asyncio.sleep(POLL_S)

    def _beat(self, pulse: Pulse) -> None:
        with self._pool.connection() as conn:
            pulse.beat(conn, datetime.now(UTC))
