"""`watchkeep gateway probe` for people: one table per device, narrow enough for 80 columns."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from watchkeep_gateway.drivers.modbus.probe import ProbedDevice


def show(devices: Sequence[ProbedDevice]) -> None:
    """Nothing in it is taken for markup."""
    console = Console(highlight=False)
    for device in devices:
        place = f"  unit {device.unit} at {device.line}, {device.ms:g} ms"
        console.print(Text.assemble((device.name, "bold"), place))
        if device.values:
            console.print(_table(device))
        if device.why:
            console.print(Text(device.why, style="red"))
        console.print()


def _table(device: ProbedDevice) -> Table:
    """Equipment stands in a column only where the device's name does not say it."""
    named = {value.equipment for value in device.values} != {device.name}
    table = Table(*(["equipment"] if named else []), "metric", "value", "unit", "at", "registers", box=None)
    for value in device.values:
        shown = value.why or " ".join(part for part in (_number(value.value), value.meaning) if part)
        bits = value.at.startswith(("coil", "discrete"))
        words = " ".join(f"{word:d}" if bits else f"{word:04x}" for word in value.registers)
        cells = [value.metric or "fault", shown, value.unit, value.at, words]
        table.add_row(*(Text(cell) for cell in ([value.equipment, *cells] if named else cells)))
    return table


def _number(value: float | str | None) -> str:
    return f"{value:g}" if isinstance(value, float) else value or ""
