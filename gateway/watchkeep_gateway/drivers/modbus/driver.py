"""Devices that speak Modbus TCP or RTU: read at their period, never written to; one that is dead delays no other."""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from watchkeep_core.logs import get_logger
from watchkeep_gateway.drivers.loop_thread import LoopThread
from watchkeep_gateway.drivers.modbus.decode import Code, sources
from watchkeep_gateway.drivers.modbus.line import DeviceSilent, Line, Poll, Unit, connect, lines, poll
from watchkeep_gateway.drivers.modbus.tables import Tables
from watchkeep_gateway.errors import SpoolClosed
from watchkeep_gateway.fault_edges import Fault, FaultEdges
from watchkeep_gateway.values import Delivery, DeviceEvent, Emit, Point, Readings, Rejected

log = get_logger(__name__)

BACK_OFF_MAX_S = 60.0
"""A unit that does not answer is asked ever less often, down to this."""

PROBE_SHARE = 0.1
"""Of a line's time that asking its silent units may take, however many there are: each timeout stops all others."""

LEAST_APART_S = 0.002
"""Of two turns of a unit, however late the first was: no two readings of a point bear the same millisecond, not even
while stamps go at half speed."""

STOP_TIMEOUT_S = 5.0

MEMORY = "modbus_faults/"
"""Key of the spool's memory, and the equipment: the faults it was last told to have."""

OnLink = Callable[[str, bool, str], None]
FaultOf = Callable[[str, str], Fault | None]
"""(equipment, raw code) → what it means; None = no fault."""


class Modbus:
    """All [[modbus_tcp]] and [[modbus_rtu]] tables, in one thread with one task per line."""

    name = "modbus"

    def __init__(
        self,
        tables: Tables,
        emit: Emit,
        on_link: OnLink,
        fault_of: FaultOf = lambda _, raw: Fault("unknown_code", raw),
        memory: Mapping[str, str] | None = None,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`on_link(name, up, why)` tells when a device begins or ceases to answer.

        `memory`: what this driver had the spool remember before the restart.
        """
        self._tables = tables
        self._emit = emit
        self._on_link = on_link
        self._fault_of = fault_of
        self._edges = _edges(tables, memory or {})
        self._clock_ms = clock_ms
        self._thread = LoopThread(self.name, self._main)

    @property
    def alive(self) -> bool:
        return self._thread.alive

    def start(self) -> None:
        # It logs an error for each silence; we log, and keep as a link's state, when that changes.
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
        self._thread.start()

    def stop(self) -> None:
        self._thread.stop(STOP_TIMEOUT_S)

    async def _main(self) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._serve(line)) for line in lines(self._tables)]
            await self._thread.ending.wait()
            for task in tasks:  # one may be waiting for a unit with a long timeout
                task.cancel()

    async def _serve(self, line: Line) -> None:
        try:
            while not self._thread.ending.is_set():  # Python 3.11's wait_for can swallow a cancel
                unit = min(line.units, key=lambda each: due_s(each, line))
                wait_s = due_s(unit, line) - time.monotonic()
                if wait_s > 0:
                    await asyncio.sleep(wait_s)  # ended by cancel
                if line.client.connected or await self._connect(line):
                    await self._poll(line, unit)
        except SpoolClosed:
            pass
        finally:
            line.client.close()

    async def _connect(self, line: Line) -> bool:
        """Without a connection all its units are silent at once, and cost one attempt together."""
        try:
            await connect(line)
        except DeviceSilent as error:
            line.failures += 1
            period_s = min(unit.table.period_s for unit in line.units)
            again_s = time.monotonic() + back_off_s(period_s, line.failures, random.random())  # noqa: S311
            for unit in line.units:
                unit.due_s = max(unit.due_s, again_s)
                self._note(unit, False, str(error))
            return False
        line.failures = 0
        return True

    async def _poll(self, line: Line, unit: Unit) -> None:
        began_s = time.monotonic()
        found = await poll(line, unit, self._clock_ms)
        now_s = time.monotonic()
        failed = bool(found.silent) or not found.answers
        if found.silent and len(line.units) > 1:
            line.probe_from_s = now_s + (now_s - began_s) * (1 / PROBE_SHARE - 1)
        if failed:
            unit.failures += 1
            unit.due_s = now_s + back_off_s(unit.table.period_s, unit.failures, random.random())  # noqa: S311
        else:
            unit.failures = 0
            unit.due_s = max(unit.due_s + unit.table.period_s, now_s + LEAST_APART_S)
        self._note(unit, not failed, "; ".join([*found.refused, found.silent] if found.silent else found.refused))
        if found.answers:
            self._hand_over(unit, found)

    def _hand_over(self, unit: Unit, found: Poll) -> None:
        parts: list[Readings] = []
        rejected: list[Rejected] = []
        said: defaultdict[str, dict[str, list[Fault]]] = defaultdict(dict)
        last_ms = found.answers[-1][2]
        for plan, answer, t_ms in found.answers:
            decoded = plan.decode(answer, t_ms)
            parts.append(decoded.readings)
            if decoded.missing or unit.missing:
                rejected += _newly_missing(unit, decoded.missing, decoded.readings, t_ms)
            for code, text in decoded.codes:
                said[code.equipment][f"{unit.table.name}: {code.source}"] = faults_of(code, text, self._fault_of)
        events: list[DeviceEvent] = []
        remember: dict[str, str | None] = {}
        for equipment, by_source in said.items():
            edges = self._edges[equipment].take(by_source, last_ms)
            if edges:
                remember[f"{MEMORY}{equipment}"] = self._edges[equipment].memory()
            events += edges
        readings = Readings.join(parts)
        if readings or events or rejected:
            self._emit(Delivery(readings, tuple(events), tuple(rejected), remember=remember))

    def _note(self, unit: Unit, up: bool, why: str) -> None:
        if unit.up is not up or unit.why != why:
            unit.up, unit.why = up, why
            self._on_link(unit.table.name, up, why)
            (log.info if up else log.warning)("device_link", device=unit.table.name, up=up, why=why)


def faults_of(code: Code, text: str, fault_of: FaultOf) -> list[Fault]:
    """What a code or bit says; `text` as `Plan.decode` gives it."""
    if not text:
        return []
    if code.table.condition:
        return [Fault(code.table.condition, text)]
    fault = fault_of(code.equipment, text)
    return [fault] if fault else []


def due_s(unit: Unit, line: Line) -> float:
    """When it may be asked (monotonic s): one that was silent waits for the line's next chance to probe."""
    return max(unit.due_s, line.probe_from_s) if unit.failures else unit.due_s


def back_off_s(period_s: float, failures: int, fraction: float) -> float:
    """Doubles from the period to BACK_OFF_MAX_S (or the period, when that is longer), ± 20 % by `fraction` (0 to 1)."""
    return min(period_s * 2.0 ** min(failures, 16), max(period_s, BACK_OFF_MAX_S)) * (0.8 + 0.4 * fraction)


def _edges(tables: Tables, memory: Mapping[str, str]) -> dict[str, FaultEdges]:
    known: defaultdict[str, set[str]] = defaultdict(set)
    for table in tables:
        for equipment, source in sources(table.events, table.equipment or ""):
            known[equipment].add(f"{table.name}: {source}")
    found = {equipment: FaultEdges(equipment, frozenset(names)) for equipment, names in known.items()}
    for equipment, edges in found.items():
        edges.recall(memory.get(f"{MEMORY}{equipment}"))
    return found


def _newly_missing(unit: Unit, missing: Mapping[Point, str], readings: Readings, t_ms: int) -> list[Rejected]:
    """A point without a value is told when that begins, not at every turn."""
    fresh = {key: why for key, why in missing.items() if unit.missing.get(key) != why}
    for point in readings.keys:
        unit.missing.pop(point, None)
    unit.missing.update(missing)
    return [
        Rejected(t_ms, f"{unit.table.name}: {equipment} {metric}", why, b"")
        for (equipment, metric), why in fresh.items()
    ]
