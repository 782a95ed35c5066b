"""Modbus peers of the tests: pymodbus's own servers over TCP and serial lines, and one that can be deaf."""

import asyncio
import os
import pty
import select
import struct
import threading
import tty
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pymodbus import FramerType
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from watchkeep_cli.ports import free_port

REGISTERS = [
    SimData(0, values=[7, 65535], datatype=DataType.REGISTERS),
    SimData(2, values=-70000, datatype=DataType.INT32),
    SimData(4, values=41.5, datatype=DataType.FLOAT32),
    SimData(6, values=[0x0000, 0x4226], datatype=DataType.REGISTERS),  # 41.5, low word first
    SimData(8, values=0b1100, datatype=DataType.REGISTERS),
    SimData(100, values=9, datatype=DataType.REGISTERS),
]
BITS = [SimData(0, values=[True, False, True], datatype=DataType.BITS)]


def devices(*units: int) -> list[SimDevice]:
    """The same registers in each unit; holes between them are refused."""
    return [SimDevice(unit, simdata=(BITS, BITS, REGISTERS, REGISTERS)) for unit in units]


@contextmanager
def served(serve: Callable[[], Awaitable[Any]]) -> Iterator[None]:
    """Run a server, which `serve` makes and starts, in a thread of its own."""
    loop, there, ends = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def body() -> None:
        server = await serve()
        there.set()
        await ends.wait()
        if isinstance(server, asyncio.Server):
            server.close()
        else:
            await server.shutdown()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:  # ends what still serves
            runner.run(body())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert there.wait(60)
        yield
    finally:
        loop.call_soon_threadsafe(ends.set)
        thread.join(60)


@contextmanager
def simulator(
    *units: int, port: int = 0, framer: FramerType = FramerType.SOCKET, codes: set[int] | None = None
) -> Iterator[int]:
    """pymodbus's TCP server; yields its port. `codes` collects the function codes of all requests."""
    port = port or free_port("127.0.0.1")

    async def serve() -> ModbusTcpServer:
        trace = _collect(codes) if codes is not None else None
        server = ModbusTcpServer(devices(*units), address=("127.0.0.1", port), framer=framer, trace_pdu=trace)
        await server.serve_forever(background=True)
        return server

    with served(serve):
        yield port


@contextmanager
def serial_simulator(*units: int, codes: set[int] | None = None) -> Iterator[str]:
    """pymodbus's serial server at the far end of a line; yields the name of the near end."""
    with serial_line() as (near, far):

        async def serve() -> ModbusSerialServer:
            trace = _collect(codes) if codes is not None else None
            server = ModbusSerialServer(devices(*units), port=far, framer=FramerType.RTU, trace_pdu=trace)
            await server.serve_forever(background=True)
            return server

        with served(serve):
            yield near


def _collect(codes: set[int]) -> Callable[[bool, ModbusPDU], ModbusPDU]:
    def trace(_sending: bool, pdu: ModbusPDU) -> ModbusPDU:
        codes.add(pdu.function_code)
        return pdu

    return trace


@contextmanager
def serial_line() -> Iterator[tuple[str, str]]:
    """Two pseudo terminals that hear each other: a null modem cable."""
    pairs = [pty.openpty() for _ in range(2)]
    for _, slave in pairs:
        tty.setraw(slave)
    masters = [master for master, _ in pairs]
    wake, ends = os.pipe()

    def carry() -> None:
        while True:
            readable, _, _ = select.select([*masters, wake], [], [])
            if wake in readable:
                return
            for master in readable:
                other = masters[1 - masters.index(master)]
                os.write(other, os.read(master, 4096))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield os.ttyname(pairs[0][1]), os.ttyname(pairs[1][1])
    finally:
        os.write(ends, b"x")
        thread.join(60)
        for one in (*masters, *(slave for _, slave in pairs), wake, ends):
            os.close(one)


class Peer:
    """A server that answers holding registers; units in `deaf` never answer. Counts what it is asked."""

    def __init__(self, registers: Sequence[int] = (7,), deaf: Sequence[int] = (), delay_s: float = 0.0) -> None:
        self.registers = list(registers)
        self.deaf = set(deaf)
        self.delay_s = delay_s
        self.asked: list[tuple[int, int, int]] = []
        """(unit, address, count)."""
        self.connections = 0
        self.lines = 0
        """Connections that are open now."""
        self.holes: set[int] = set()
        """Addresses that are refused as illegal."""

    @contextmanager
    def listen(self, port: int = 0) -> Iterator[int]:
        port = port or free_port("127.0.0.1")

        async def serve() -> asyncio.Server:
            return await asyncio.start_server(self._serve, "127.0.0.1", port)

        with served(serve):
            yield port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.lines += 1
        try:
            while True:
                head = await reader.readexactly(7)
                transaction, _, length, unit = struct.unpack(">HHHB", head)
                code, address, count = struct.unpack(">BHH", await reader.readexactly(length - 1))
                self.asked.append((unit, address, count))
                if unit in self.deaf:
                    continue
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                body = self._answer(code, address, count)
                writer.write(struct.pack(">HHHB", transaction, 0, len(body) + 1, unit) + body)
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            writer.close()
        finally:
            self.lines -= 1

    def _answer(self, code: int, address: int, count: int) -> bytes:
        if self.holes & set(range(address, address + count)):
            return struct.pack(">BB", code | 0x80, 2)
        words = [self.registers[at % len(self.registers)] for at in range(address, address + count)]
        return struct.pack(f">BB{count}H", code, 2 * count, *words)
