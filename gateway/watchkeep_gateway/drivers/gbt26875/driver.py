"""The server that fire transmission devices connect to: a frame is confirmed after what it says is on disk."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from watchkeep_core.clock import from_ms
from watchkeep_core.errors import SettingsError
from watchkeep_core.gbt26875 import ACK, CONTROL, REFUSE, REQUEST, RESPONSE, Dialect, Frame, FrameReader, Refused
from watchkeep_core.logs import get_logger
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_gateway.drivers.gbt26875.device import Device
from watchkeep_gateway.drivers.gbt26875.listener import Connection, Listener, Seen
from watchkeep_gateway.drivers.gbt26875.tables import ListenerTable
from watchkeep_gateway.drivers.loop_thread import LoopThread
from watchkeep_gateway.errors import SpoolClosed
from watchkeep_gateway.values import Delivery, Emit, Rejected

log = get_logger(__name__)

OnLink = Callable[[str, bool, str], None]

READ_BYTES = 65_536

STALL_S = 3.0
"""A frame whose rest does not come for this long has a wrong length: what it swallowed is looked at."""

MAX_STRIKES = 20
"""Refused in a row on one connection: it is no transmission device, or its line is broken. It is closed."""

TICK_S = 1.0
CLOSE_S = 1.0
STOP_TIMEOUT_S = 4.0


class Gbt26875:
    """All [[gbt26875]] tables, in one thread with a task per connection."""

    name = "gbt26875"

    def __init__(
        self,
        tables: Sequence[ListenerTable],
        words: Vocabulary,
        kinds: Mapping[str, str],
        emit: Emit,
        on_link: OnLink,
        *,
        memory: Mapping[str, str],
        digests: Iterable[bytes] = (),
        synchronised: Callable[[], bool] = lambda: True,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`kinds`: equipment → kind. `memory`, `digests`: of the spool. `synchronised`: may our time be passed on?"""
        self._emit = emit
        self._on_link = on_link
        self._synchronised = synchronised
        self._clock_ms = clock_ms
        self._now_s = now_s
        self._listeners = [Listener(table, words, kinds, memory, (now_s(), clock_ms())) for table in tables]
        self._seen = Seen(digests)
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = LoopThread(self.name, self._main)

    @property
    def alive(self) -> bool:
        return self._thread.alive

    @property
    def ports(self) -> dict[str, int]:
        """Listener → the port it has."""
        return {one.table.name: one.socket.getsockname()[1] for one in self._listeners if one.socket}

    def start(self) -> None:
        """Raises SettingsError when an address cannot be had."""
        for listener in self._listeners:
            table = listener.table
            try:
                family = socket.AF_INET6 if ":" in table.host else socket.AF_INET
                listener.socket = socket.create_server((table.host, table.port), family=family)
            except OSError as error:
                why = f"cannot listen on {table.host}:{table.port}: {error.strerror or error}"
                raise SettingsError(f"gbt26875 {table.name}: {why}") from None
        self._thread.start()

    def stop(self) -> None:
        if not self._thread.stop(STOP_TIMEOUT_S):
            for listener in self._listeners:
                if listener.socket:
                    listener.socket.close()

    async def _main(self) -> None:
        servers = [
            await asyncio.start_server(partial(self._accept, one), sock=one.socket, limit=READ_BYTES)
            for one in self._listeners
        ]
        log.info("gbt26875_listens", ports=self.ports)
        ending = self._thread.ending
        while not ending.is_set():
            for listener in self._listeners:
                try:
                    self._tick(listener)
                except SpoolClosed:
                    ending.set()
                except Exception:
                    log.exception("gbt26875_tick_failed", listener=listener.table.name)
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await ending.wait()
        await self._say_goodbye()
        for server in servers:
            server.close()
        await asyncio.sleep(0)  # sockets close in the round after

    async def _say_goodbye(self) -> None:
        """To all, also to those who are just being let in: asyncio leaks them when the server is closed before."""
        for listener in self._listeners:
            if listener.socket:
                asyncio.get_running_loop().remove_reader(listener.socket)
        for task in list(self._tasks):
            task.cancel()
        deadline_s = time.monotonic() + 2 * CLOSE_S
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=0.1)
            if time.monotonic() > deadline_s:
                break

    async def _accept(self, listener: Listener, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._thread.ending.is_set() or len(listener.connections) >= listener.table.max_connections:
            log.warning("gbt26875_not_let_in", listener=listener.table.name, connections=len(listener.connections))
            await _close(writer)
            return
        host, port, *_ = writer.get_extra_info("peername") or ("?", 0)
        connection = Connection(writer, f"gbt26875/{listener.table.name}/{host}:{port}")
        listener.connections.add(connection)
        self._tasks.add(task)
        try:
            await self._serve(listener, connection, reader)
        except (ConnectionError, SpoolClosed, asyncio.CancelledError):
            pass
        except Exception:
            log.exception("gbt26875_connection_failed", origin=connection.origin)
        finally:
            self._tasks.discard(task)  # closing is not to be cancelled
            listener.forget(connection)
            await _close(writer)

    async def _serve(self, listener: Listener, connection: Connection, reader: asyncio.StreamReader) -> None:
        """Until it closes, is silent, or sends nothing but rubbish."""
        frames = FrameReader(Dialect(zone=listener.zone))
        since_s = time.monotonic()  # since when the frame that is not complete is waited for
        while connection.strikes < MAX_STRIKES:
            wait_s = listener.table.silent_s
            if frames.waiting:
                wait_s = max(0.0, since_s + STALL_S - time.monotonic())
            try:
                async with asyncio.timeout(wait_s):
                    data = await reader.read(READ_BYTES)
            except TimeoutError:
                if not frames.waiting:
                    return
                found = frames.give_up()
            else:
                if not data:
                    return
                if not frames.waiting:
                    since_s = time.monotonic()
                found = frames.feed(data)
            for one in found:
                since_s = time.monotonic()
                self._take(listener, connection, frames, one)
                if connection.strikes >= MAX_STRIKES:  # what comes behind is not even looked at
                    break
        log.warning("gbt26875_rubbish", origin=connection.origin)

    def _take(self, listener: Listener, connection: Connection, frames: FrameReader, found: Frame | Refused) -> None:
        now_ms = self._clock_ms()
        if isinstance(found, Refused):
            known = found.frame is not None and found.frame.source in listener.devices
            if not (known and found.error.reason == "bad_checksum"):  # that is a noisy line, and will be sent again
                connection.strikes += 1
            self._emit(_rejected(now_ms, connection, str(found.error), found.raw))
            if found.frame is not None:
                connection.send(found.frame.answer(REFUSE, from_ms(now_ms)).encode(frames.dialect))
            return
        connection.strikes = 0
        device = listener.device(found.source, (self._now_s(), now_ms))
        if device is None:
            raw = found.encode(frames.dialect)
            self._emit(_rejected(now_ms, connection, f"unknown_device: {found.source} is in no table", raw))
            connection.send(found.answer(REFUSE, from_ms(now_ms)).encode(frames.dialect))
            return
        frames.dialect = device.dialect
        device.heard(found, self._now_s(), now_ms)
        greets = listener.moved(found.source, connection)
        self._obey(connection, device, found, now_ms)
        may_set_clocks = self._synchronised()
        now_s, now = self._now_s(), from_ms(now_ms)
        commands = (
            device.greeting(now_s, now, may_set_clocks) if greets else device.correction(now_s, now, may_set_clocks)
        )
        for raw in commands:
            connection.send(raw)

    def _obey(self, connection: Connection, device: Device, frame: Frame, now_ms: int) -> None:
        """What a good frame asks of us."""
        answer = frame.answer(ACK, from_ms(now_ms)).encode(device.dialect)
        if frame.command == ACK:
            device.supervision.confirmed(frame.serial)
        elif frame.command == REFUSE:
            device.supervision.refused(frame.serial, self._now_s())
        elif frame.command in (CONTROL, REQUEST):
            why = f"bad_command: {frame.command} is for devices, not for a centre"
            self._emit(_rejected(now_ms, connection, why, frame.encode(device.dialect)))
            connection.send(frame.answer(REFUSE, from_ms(now_ms)).encode(device.dialect))
        elif len(frame.unit) < 2:  # a heartbeat: no data, or one byte of a maker's own
            connection.send(answer)
        else:
            digest = device.digest(frame)
            future = self._keep(connection, device, frame, digest, now_ms)
            said = b"" if frame.command == RESPONSE else answer  # an answer is not answered
            future.add_done_callback(partial(self._on_disk, connection, digest, said))

    def _keep(self, connection: Connection, device: Device, frame: Frame, digest: bytes, now_ms: int) -> "Future[None]":
        """The future ends when what the frame says is on disk; a frame that came before is not told again."""
        known = self._seen.get(digest)
        if known is None:
            if frame.command > REFUSE:
                delivery = _rejected(now_ms, connection, f"bad_command: {frame.command} is a maker's own", frame.unit)
            else:
                delivery = device.understand(frame, digest, connection.origin, now_ms)
            known = self._emit(delivery)
            self._seen.add(digest, known)
        return known

    def _on_disk(self, connection: Connection, digest: bytes, answer: bytes, done: "Future[None]") -> None:
        """In the spool's thread, or at once."""
        if done.exception() is None:
            # Not confirmed when the loop has ended: the device sends it again.
            self._thread.call(self._confirm, connection, digest, answer)

    def _confirm(self, connection: Connection, digest: bytes, answer: bytes) -> None:
        self._seen.settle(digest)
        if answer:
            connection.send(answer)

    def _tick(self, listener: Listener) -> None:
        now_s, now_ms = self._now_s(), self._clock_ms()
        may_set_clocks = self._synchronised()
        for number, device in list(listener.devices.items()):
            connection = listener.where.get(number)
            before = device.up
            if delivery := device.tick(now_s, now_ms, connection is not None):
                self._emit(delivery)
            if device.up is not None and device.up is not before:
                why = "" if device.up else f"nothing heard for {now_s - device.heard_s:.0f} s"
                self._on_link(device.name, device.up, why)
                (log.info if device.up else log.warning)("device_link", device=device.name, up=device.up, why=why)
            if connection is not None:
                for raw in device.commands(now_s, from_ms(now_ms), may_set_clocks):
                    connection.send(raw)


async def _close(writer: asyncio.StreamWriter) -> None:
    """At once, whatever the other side does."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()
        await asyncio.sleep(0)


def _rejected(now_ms: int, connection: Connection, reason: str, raw: bytes) -> Delivery:
    return Delivery(rejected=(Rejected(now_ms, connection.origin, reason, raw),))
