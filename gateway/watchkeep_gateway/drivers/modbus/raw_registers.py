"""Answers with registers, kept as the bytes they came in: a plan unpacks a block at once, pymodbus each register."""

from pymodbus.exceptions import ModbusIOException
from pymodbus.pdu import ModbusPDU


class HoldingRegisters(ModbusPDU):
    """Takes the place of pymodbus's own answer to function 3."""

    function_code = 3
    rtu_byte_count_pos = 2

    raw: bytes = b""

    def decode(self, data: bytes) -> None:
        """Raises ModbusIOException when it says that it is longer than it is."""
        length = data[0]
        if length >= len(data):
            raise ModbusIOException(f"{length} bytes of registers in {len(data) - 1}", function_code=self.function_code)
        self.raw = bytes(data[1 : 1 + length])

    def __str__(self) -> str:  # pymodbus asks for it at every answer, for a debug log that nobody reads
        return f"{type(self).__name__}({len(self.raw)} bytes)"


class InputRegisters(HoldingRegisters):
    """Function 4."""

    function_code = 4
