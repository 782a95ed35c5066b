"""The way out over GB/T 26875.3: all transmission devices of a fleet, in one thread, as clients of the gateway."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from watchkeep_core.clock import from_ms
from watchkeep_core.gbt26875 import Dialect
from watchkeep_core.logs import get_logger
from watchkeep_core.vocabulary import Vocabulary
from watchkeep_firmware_sim.gbt26875_device import TransmissionDevice
from watchkeep_firmware_sim.gbt26875_fleet import POWER_BITS, Component, Transmission, Wire

log = get_logger(__name__)

BURST = 200
"""Events of a panel at once (issue 3)."""

_FIRE = 1 << 1


class TransmissionDevices:
    """Takes what the simulation says of the devices behind them."""

    def __init__(
        self,
        specs: Sequence[Transmission],
        components: dict[str, Component],
        owners: dict[str, str],
        vocabulary: Vocabulary,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """By `community/equipment`: `components`, the address of each; `owners`, its transmission device."""
        self.clients = {
            f"{spec.community}/{spec.equipment}": TransmissionDevice(
                spec, Dialect.of(vocabulary.fire.profiles[spec.profile]), lambda: from_ms(now_ms())
            )
            for spec in specs
        }
        self._components = components
        self._owners = owners
        self._words: dict[str, int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="gbt26875", daemon=True)
        self._ending = asyncio.Event()
        if self.clients:
            self._thread.start()

    def readings(self, device: str, t_ms: int, values: dict[str, float]) -> int:
        """Tell values; returns how many of them the protocol carries."""
        component = self._components[device]
        if component.address is None:
            bits = sum(1 << bit for metric, bit in POWER_BITS.items() if values.get(metric) == 2)
            if any(metric in values for metric in POWER_BITS):
                mask = sum(1 << bit for metric, bit in POWER_BITS.items() if metric in values)
                self._set(device, self._words.get(device, 0) & ~mask | bits, t_ms)
            return len(values)
        unit = component.values(values, t_ms)
        if unit is None:
            return 0
        self.clients[self._owners[device]].tell(unit)
        return len(unit.objects)

    def event(self, device: str, t_ms: int, condition: str, active: bool) -> bool:
        """Tell a condition; false when the protocol has no bit for it."""
        bit = self._components[device].bits.get(condition)
        if bit is None:
            return False
        word = self._words.get(device, 0)
        self._set(device, word | 1 << bit if active else word & ~(1 << bit), t_ms, always=True)
        return True

    def silence(self, device: str, silent: bool) -> None:
        """A transmission device that is off; what hangs behind it just says nothing."""
        if device in self.clients:
            self.clients[device].silent = silent

    def fault(self, device: str, wire: Wire | None, shift_s: float, begins: bool, t_ms: int) -> None:
        """Something goes wrong with a transmission device, or is right again."""
        client = self.clients.get(device)
        if client is None:
            return
        client.clock_shift_s = shift_s if begins else 0.0
        if wire == "burst":
            if begins:
                self._burst(device, t_ms)
        elif wire:
            client.wire = client.wire | {wire} if begins else client.wire - {wire}

    def close(self) -> None:
        """Ends at once: what is not confirmed is lost with the device's memory, as at a power cut."""
        if self._thread.ident is None:
            self._loop.close()
            return
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(5)

    def drain(self, timeout_s: float) -> None:
        """Wait until all is confirmed, at the end of a run."""
        deadline = time.monotonic() + timeout_s
        while any(client.kept for client in self.clients.values()) and time.monotonic() < deadline:
            threading.Event().wait(0.02)

    def totals(self) -> dict[str, int]:
        """Of all devices: frames confirmed by the centre, not yet, sent again, given up; what the centre asked them."""
        clients = self.clients.values()
        return {
            "confirmed": sum(client.confirmed for client in clients),
            "kept": sum(client.kept for client in clients),
            "resent": sum(client.resent for client in clients),
            "dropped": sum(client.dropped for client in clients),
            "duty_checks": sum(client.duty_checks for client in clients),
            "clocks_set": sum(client.clock_set for client in clients),
        }

    def _set(self, device: str, word: int, t_ms: int, *, always: bool = False) -> None:
        if word == self._words.get(device, 0) and not always:
            return
        self._words[device] = word
        client = self.clients[self._owners[device]]
        if self._components[device].address is None:
            client.word = word or 1
        client.tell(self._components[device].status(word, t_ms, client.dialect))

    def _burst(self, device: str, t_ms: int) -> None:
        """BURST events at once: all that hangs behind it says fire, and is quiet again, in turn; and so does itself."""
        behind = [name for name, owner in self._owners.items() if owner == device and self._components[name].address]
        client = self.clients[device]
        for number in range(BURST if behind else 0):
            name = behind[number // 2 % len(behind)]
            component = self._components[name]
            bit = component.bits.get("fire_alarm", component.bits.get("gas_alarm", 1))
            unit = component.status(0 if number % 2 else 1 << bit, t_ms + number * 5, client.dialect)
            client.tell(unit)
        for word in (_FIRE, 0):
            client.tell(self._components[device].status(word, t_ms, client.dialect))

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._main())
        except Exception:
            log.exception("gbt26875_died")

    async def _main(self) -> None:
        tasks = [asyncio.create_task(client.run()) for client in self.clients.values()]
        await self._ending.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
