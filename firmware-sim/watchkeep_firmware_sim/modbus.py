"""The way out over Modbus TCP: one server per gateway, one unit per device, values as the models last set them.

Metric i of a device (order of the fleet file) is a float32 in holding registers 2i and 2i+1, high word first; the
register after the last metric holds the vendor's fault code as uint16, 0 = none. Not yet known = NaN. Read only.
"""

import asyncio
import struct
import threading
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from watchkeep_core.errors import SettingsError
from watchkeep_firmware_sim.fleet import Device, Fleet, ModbusListener

START_TIMEOUT_S = 5.0
MAX_READ = 125
"""Registers in one Modbus read."""
_NAN = struct.unpack(">HH", struct.pack(">f", float("nan")))


def register_map(device: Device) -> dict[str, int]:
    """Metric → address of its first holding register; `fault_code` last."""
    return {metric: 2 * index for index, metric in enumerate([*device.metrics, "fault_code"])}


class Unit:
    """The registers of one device; set by one thread, copied out by another."""

    def __init__(self, device: Device) -> None:
        self._addresses = register_map(device)
        self._registers = [*(_NAN * len(device.metrics)), 0]
        self.silent = False

    @property
    def registers(self) -> list[int]:
        return self._registers

    def update(self, values: Mapping[str, float]) -> None:
        fresh = list(self._registers)
        for metric, value in values.items():
            address = self._addresses[metric]
            fresh[address : address + 2] = struct.unpack(">HH", struct.pack(">f", value))
        self._registers = fresh

    def set_fault_code(self, code: int) -> None:
        self._registers = [*self._registers[:-1], code]

    async def answer(
        self,
        _function_code: int,
        _start_address: int,
        _address: int,
        _count: int,
        registers: list[int],
        _set_values: object,
    ) -> ExcCodes | None:
        """pymodbus calls this at every request, before it answers from `registers`."""
        if self.silent:
            return ExcCodes.GATEWAY_NO_RESPONSE
        registers[: len(self._registers)] = self._registers
        return None


class ModbusServers:
    """All listeners of a fleet in one thread; `units` by `community/equipment`."""

    def __init__(self, fleet: Fleet) -> None:
        """Starts to listen; raises SettingsError when an address cannot be had."""
        self.units = {device.name: Unit(device) for device in fleet.device if device.transport == "modbus"}
        self.ports: dict[str, int] = {}
        """`community/gateway` → the port it got; of interest when the file says 0."""
        self._servers: list[ModbusTcpServer] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="modbus", daemon=True)
        self._thread.start()
        try:
            for listener in fleet.modbus:
                self._do(self._listen(listener, [device for device in fleet.device if _belongs(device, listener)]))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for server in self._servers:
            self._do(server.shutdown())  # type: ignore[no-untyped-call]  # pymodbus left it untyped
        self._servers.clear()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT_S)
        if not self._thread.is_alive():
            self._loop.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(START_TIMEOUT_S)

    async def _listen(self, listener: ModbusListener, devices: Sequence[Device]) -> None:
        if not devices:
            return
        units = [self._sim_device(device) for device in devices]
        units.append(SimDevice(0, [SimData(0, count=MAX_READ, datatype=DataType.REGISTERS)], action=_nobody))
        server = ModbusTcpServer(units, address=(listener.host, listener.port))
        try:
            await server.serve_forever(background=True)
        except (OSError, RuntimeError) as error:
            raise SettingsError(f"modbus: cannot listen on {listener.host}:{listener.port}: {error}") from None
        self._servers.append(server)
        self.ports[f"{listener.community}/{listener.gateway}"] = _port(server)

    def _sim_device(self, device: Device) -> SimDevice:
        unit = self.units[device.name]
        block = SimData(0, values=list(unit.registers), datatype=DataType.REGISTERS, readonly=True)
        return SimDevice(device.unit_id or 0, [block], action=unit.answer)


async def _nobody(*_request: object) -> ExcCodes:
    """What answers for units that are not there: pymodbus takes unit 0 for them, and without one logs a trace."""
    return ExcCodes.GATEWAY_NO_RESPONSE


def _belongs(device: Device, listener: ModbusListener) -> bool:
    return (device.transport, device.community, device.gateway) == ("modbus", listener.community, listener.gateway)


def _port(server: ModbusTcpServer) -> int:
    listening = cast(asyncio.Server, server.transport)
    port: int = listening.sockets[0].getsockname()[1]
    return port
