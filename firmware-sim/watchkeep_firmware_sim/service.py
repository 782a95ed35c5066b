"""Runs a fleet: event time follows the wall, devices speak over MQTT or answer over Modbus, faults come and go."""

import math
import queue
import time
from pathlib import Path
from typing import Any

from watchkeep_core import mqtt, vocabulary
from watchkeep_core.broker import BrokerAddress, Received
from watchkeep_core.errors import MessageError, SettingsError
from watchkeep_core.logs import get_logger
from watchkeep_core.mqtt_connection import Connection
from watchkeep_core.service import HealthServer, Stop
from watchkeep_firmware_sim import fleet as fleets
from watchkeep_firmware_sim import injection, metrics
from watchkeep_firmware_sim.errors import ScenarioError
from watchkeep_firmware_sim.event_clock import EventClock
from watchkeep_firmware_sim.gbt26875 import TransmissionDevices
from watchkeep_firmware_sim.gbt26875_fleet import Component
from watchkeep_firmware_sim.ledger import Ledger, describe, run_record, utc
from watchkeep_firmware_sim.modbus import ModbusServers
from watchkeep_firmware_sim.publisher import FieldPublisher
from watchkeep_firmware_sim.settings import SimSettings
from watchkeep_firmware_sim.simulation import DeviceEvent, FaultNote, Output, Readings, Silence, Simulation

log = get_logger(__name__)

SESSION_EXPIRY_S = 60
"""The broker keeps injections for us while our connection is down for a moment; later they are no longer meant."""

DRAIN_TIMEOUT_S = 5.0
_LONGEST_WAIT_S = 0.2
"""Between two looks at the injections and the stop."""
_MAX_INJECTIONS = 100


def run(settings: SimSettings, stop: Stop) -> dict[str, Any]:
    """Simulate until the stop or the end that the settings name; returns the totals.

    Raises SettingsError, FleetError, BrokerUnreachable and BrokerRefused at the start.
    """
    if settings.fleet is None:
        raise SettingsError("fleet: must be set; set it by --fleet or WATCHKEEP_SIM_FLEET")
    if settings.speed == 0:
        raise SettingsError("speed: must be above 0 for a simulated fleet")
    fleet = fleets.load(Path(settings.fleet), vocabulary.load())
    clock = EventClock.beginning(time.time(), settings.speed or 1.0, settings.for_s)
    simulation = Simulation(fleet, vocabulary.load(), clock.start)
    injections: queue.Queue[Received] = queue.Queue(_MAX_INJECTIONS)
    ledger = Ledger(settings.ledger)
    modbus = ModbusServers(fleet)
    fire = _transmission_devices(fleet)
    try:
        with connect(settings, settings.mqtt_user, injections) as connection:
            connection.subscribe([injection.TOPIC])
            deadline = time.monotonic() + (math.inf if settings.for_s is None else settings.for_s + DRAIN_TIMEOUT_S)
            publisher = FieldPublisher(connection.publish, stop, settings.outstanding, deadline)
            runner = Runner(simulation, clock, publisher, modbus, ledger, fire)
            health = _health(settings, connection)
            try:
                ledger.write(run_record(fleet, clock.start, clock.speed))
                log.info("sim_running", devices=len(fleet.device), points=fleet.points(), modbus=modbus.ports)
                runner.loop(stop, injections, settings.for_s)
                publisher.drain(DRAIN_TIMEOUT_S)
                fire.drain(DRAIN_TIMEOUT_S)
            finally:
                if health:
                    health.close()
        totals = runner.totals()
        ledger.write({"what": "end", "t": utc(clock.at(time.time())), **totals})
        return totals
    finally:
        fire.close()
        modbus.close()
        ledger.close()


def _transmission_devices(fleet: fleets.Fleet) -> TransmissionDevices:
    words = vocabulary.load()
    owners = {(one.community, one.gateway): f"{one.community}/{one.equipment}" for one in fleet.gbt26875}
    devices = [device for device in fleet.device if device.transport == "gbt26875"]
    return TransmissionDevices(
        fleet.gbt26875,
        {device.name: Component(device.kind, device.fire, words) for device in devices},
        {device.name: owners[device.community, device.gateway] for device in devices},
        words,
    )


def connect(settings: SimSettings, user: str, injections: "queue.Queue[Received] | None" = None) -> Connection:
    """A connection of the simulator; with `injections` it keeps a session and receives into that queue."""

    def receive(message: Received) -> None:
        if injections is not None:
            try:
                injections.put_nowait(message)
            except queue.Full:
                metrics.INJECTIONS_DROPPED.inc()

    return mqtt.connect(
        BrokerAddress.parse(settings.mqtt_url, settings.mqtt_ca_file),
        client_id=user,
        user=user,
        password=settings.mqtt_password.get_secret_value(),
        on_message=receive,
        session_expiry_s=0 if injections is None else SESSION_EXPIRY_S,
        max_outstanding=settings.outstanding + 1,
        reconnect_jitter_s=1.0,
    )


def _health(settings: SimSettings, connection: Connection) -> HealthServer | None:
    if not settings.health_port:
        return None
    return HealthServer(settings.health_host, settings.health_port, {"broker": connection.alive})


class Runner:
    """Carries what the simulation says to where it belongs."""

    def __init__(
        self,
        simulation: Simulation,
        clock: EventClock,
        publisher: FieldPublisher,
        modbus: ModbusServers,
        ledger: Ledger,
        fire: TransmissionDevices,
    ) -> None:
        self._simulation = simulation
        self._clock = clock
        self._publisher = publisher
        self._modbus = modbus
        self._ledger = ledger
        self._fire = fire
        self._faults_started = 0
        self._faults_stopped = 0
        self._modbus_readings = 0

    def loop(self, stop: Stop, injections: "queue.Queue[Received]", for_s: float | None) -> None:
        """Until the stop, or for `for_s` seconds of wall time."""
        end = self._clock.wall_start + for_s if for_s is not None else None
        while not stop.is_set():
            wall = time.time() if end is None else min(time.time(), end)
            self._obey(injections, self._clock.at(wall))
            for output in self._simulation.run_to(self._clock.at(wall)):
                self._carry(output)
                if stop.is_set():
                    return
            if wall == end:
                return
            wait_s = min(_LONGEST_WAIT_S, self._clock.wall_until(self._simulation.next_due(), time.time()))
            stop.wait(wait_s if end is None else max(0.0, min(wait_s, end - time.time())))

    def totals(self) -> dict[str, Any]:
        """What was done; readings and events count when the broker has acknowledged them."""
        return {
            "readings_sent": self._publisher.readings_sent,
            "events_sent": self._publisher.events_sent,
            "readings_not_sent": self._publisher.readings_not_sent,
            "events_not_sent": self._publisher.events_not_sent,
            "modbus_readings": self._modbus_readings,
            "gbt26875": self._fire.totals(),
            "faults_started": self._faults_started,
            "faults_stopped": self._faults_stopped,
        }

    def _obey(self, injections: "queue.Queue[Received]", now: float) -> None:
        while True:
            try:
                message = injections.get_nowait()
            except queue.Empty:
                return
            try:
                wish = injection.decode(message.payload)
                self._simulation.add_fault(
                    wish.equipment, wish.scenario, now, wish.for_s, planned=False, severity=wish.severity
                )
            except (MessageError, ScenarioError) as error:
                metrics.INJECTIONS_DROPPED.inc()
                log.warning("injection_refused", why=str(error))

    def _carry(self, output: Output) -> None:
        if isinstance(output, FaultNote):
            self._note(output)
        elif output.device.transport == "gbt26875":
            self._tell_fire(output)
        elif output.device.transport == "modbus":
            self._set_registers(output)
        elif isinstance(output, Readings):
            body = {"t": output.t_ms, "values": output.values}
            self._publisher.send(output.device.topic, body, readings=len(output.values))
        elif isinstance(output, DeviceEvent):
            body = {"t": output.t_ms, "event": {output.field: output.value, "active": output.active}}
            self._publisher.send(output.device.topic, body, events=1)

    def _tell_fire(self, output: Readings | DeviceEvent | Silence) -> None:
        name = output.device.name
        if isinstance(output, Readings):
            self._fire.readings(name, output.t_ms, output.values)
        elif isinstance(output, Silence):
            self._fire.silence(name, output.silent)
        else:
            self._fire.event(name, output.t_ms, output.value, output.active)

    def _set_registers(self, output: Readings | DeviceEvent | Silence) -> None:
        unit = self._modbus.units[output.device.name]
        if isinstance(output, Readings):
            unit.update(output.values)
            self._modbus_readings += len(output.values)
        elif isinstance(output, Silence):
            unit.silent = output.silent
        elif output.field == "code" and output.value.isdigit():
            unit.set_fault_code(int(output.value) if output.active else 0)

    def _note(self, note: FaultNote) -> None:
        if note.begins:
            self._faults_started += 1
            metrics.FAULTS.labels(note.fault.scenario.id).inc()
        else:
            self._faults_stopped += 1
        scenario = note.fault.scenario
        self._fire.fault(note.device.name, scenario.wire, scenario.shift_s, note.begins, round(note.t * 1000))
        record = describe(note)
        self._ledger.write(record)
        log.info(record["what"], scenario=record["scenario"], equipment=note.device.name)
