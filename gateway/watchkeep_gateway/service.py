"""The gateway process: builds spool, line, uplink and drivers, and ends them in the order that loses nothing."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version

from watchkeep_core import vocabulary
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.logs import get_logger
from watchkeep_core.service import Checks, HealthServer, Stop
from watchkeep_core.topics import LANES
from watchkeep_gateway.city import each, merged_checks, merged_registry, require_different
from watchkeep_gateway.clock_state import clock_state
from watchkeep_gateway.codes import CodeReader
from watchkeep_gateway.config import Config, points, report_rules
from watchkeep_gateway.config_file import read
from watchkeep_gateway.drivers import Driver, own_state
from watchkeep_gateway.drivers.foreign import Surroundings, foreign_drivers
from watchkeep_gateway.drivers.gbt26875.driver import Gbt26875
from watchkeep_gateway.drivers.modbus.driver import Modbus
from watchkeep_gateway.drivers.mqtt_bridge import MqttBridge
from watchkeep_gateway.drivers.mqtt_bridge_tables import BridgeTable
from watchkeep_gateway.drivers.own_state import OwnState
from watchkeep_gateway.errors import LineDead, SpoolFailed
from watchkeep_gateway.fault_edges import reader_of
from watchkeep_gateway.line import Line, Login
from watchkeep_gateway.metrics import Metrics
from watchkeep_gateway.presence import UplinkRules, will_of
from watchkeep_gateway.report import ReportByException
from watchkeep_gateway.server_clock import ServerClock
from watchkeep_gateway.settings import GatewaySettings
from watchkeep_gateway.site_lines import SiteLines
from watchkeep_gateway.spool import Spool
from watchkeep_gateway.spool_file import open_spool
from watchkeep_gateway.spool_reader import SpoolReader
from watchkeep_gateway.stamps import FOLLOW_MS, StampClock
from watchkeep_gateway.transaction import UPLINK, Rules
from watchkeep_gateway.uplink import Uplink

log = get_logger(__name__)

LOOK_S = 1.0
"""How often the service looks whether its threads still live."""


def run(settings: GatewaySettings, stop: Stop, ready: Callable[["Gateway"], None] = lambda _: None) -> None:
    """Run until `stop`. Raises SettingsError; BrokerUnreachable and BrokerRefused at the very first start of a spool.

    Later starts do not need the broker: after a power cut the devices are read at once, whatever the uplink does.
    """
    wanted = [(one, read(one.config_file)) for one in each(settings)]
    require_different([config.ref.user for _, config in wanted])
    with ExitStack() as stack:
        gateways = [stack.enter_context(Gateway(one, config)) for one, config in wanted]
        if settings.health_port:
            checks = merged_checks({gateway.user: gateway.checks for gateway in gateways})
            registry = merged_registry({gateway.user: gateway.metrics.registry for gateway in gateways})
            health = HealthServer(settings.health_host, settings.health_port, checks, registry)
            stack.callback(health.close)
        for gateway in gateways:
            gateway.start()
        ready(gateways[0])
        while not stop.wait(LOOK_S):
            for gateway in gateways:
                gateway.look()
        close_all(gateways)
    log.info("gateway_stopped")


def close_all(gateways: Sequence["Gateway"]) -> None:
    """Together, so that a hundred take no longer than one."""
    with ThreadPoolExecutor(len(gateways)) as threads:
        list(threads.map(Gateway.close, gateways))


class Gateway:
    """All parts of one gateway, wired; `close` takes under 10 s."""

    def __init__(self, settings: GatewaySettings, config: Config) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._config = config
        self._words = vocabulary.load()
        self._address = BrokerAddress.parse(
            settings.mqtt_url, settings.mqtt_ca_file, settings.mqtt_cert_file, settings.mqtt_key_file
        )
        self._address.tls_context()  # a file that cannot be used is told now, not at the first connect
        self._stack = ExitStack()
        self._links: dict[str, bool] = {}
        self._closed = False
        login = Login(self._address, config.ref.user, settings.mqtt_password.get_secret_value())
        server_clock = ServerClock()

        def clock_is_right() -> bool:
            return clock_state().synchronised or server_clock.agrees_within(FOLLOW_MS)

        self._stamps = stamps = StampClock(clock_is_right)
        jitter_s = settings.reconnect_jitter_s
        self.line = Line(login, will=will_of(config.ref), reconnect_jitter_s=jitter_s, clock_ms=stamps.now_ms)
        self.line.watch(lambda up, why: self._note_link(UPLINK, up, why))
        declared = points(config)
        if config.gateway.equipment:
            declared = declared | own_state.points(config.gateway.equipment)
        opened = open_spool(settings.spool_dir, config.ref)
        stamps.go_on_from(opened.newest_ms)
        self.spool = Spool(
            opened,
            Rules(
                equipment=config.own_equipment,
                units={metric.id: metric.unit for metric in self._words.metrics.values()},
                table=config.spool,
                batch_s=settings.batch_s,
                batch_readings=settings.batch_readings,
            ),
            declared=declared,
            on_commit=self.metrics.committed,
            clock_ms=stamps.now_ms,
            clock_trusted=clock_is_right,
        )
        self._stack.callback(self.spool.close)
        self.uplink = Uplink(
            self.line,
            self.spool,
            SpoolReader(settings.spool_dir),
            UplinkRules(
                config.ref,
                f"watchkeep-gateway {_version()}",
                config.version,
                declared,
                settings.resend_after_s,
                settings.max_messages_per_s,
                server_clock,
                lambda: stamps.lead_ms,
            ),
            {lane: self.metrics.sender(lane) for lane in LANES},
            clock_state,
        )
        self.spool.on_commit(lambda _: self.uplink.wake())
        site_lines = SiteLines(self.line, jitter_s, self._note_link, stamps.now_ms)
        self._emit = ReportByException(report_rules(config), self.spool.put, self.metrics.unchanged.inc).emit
        around = Surroundings(self._emit, self._note_link, self.spool.active_codes, self.spool.memory)
        self.drivers: list[Driver] = foreign_drivers(config, site_lines, around)  # first: STATE is the will of its line
        self.drivers += [self._bridge(table, site_lines.of("bridge", table)) for table in config.mqtt_bridge]
        if config.modbus:
            fault_of = reader_of(CodeReader.of(config, self._words))
            self.drivers.append(
                Modbus(
                    config.modbus,
                    self._emit,
                    self._note_link,
                    fault_of,
                    self.spool.memory,
                    clock_ms=stamps.now_ms,
                )
            )
        if config.gbt26875:
            self.drivers.append(self._fire_devices())
        if config.gateway.equipment:
            self.drivers.append(self._own_state(config.gateway.equipment, server_clock))
        self._lines: dict[str, Line] = {UPLINK: self.line} | dict(site_lines)
        self.metrics.watch_spool(lambda: self.spool.lanes, self.uplink.acked)

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def user(self) -> str:
        return self._config.ref.user

    @property
    def checks(self) -> Checks:
        """What `/health` asks."""
        return {
            "broker": self.line.alive,
            "announced": lambda: self.uplink.announced,
            "spool": lambda: self.spool.alive and self.spool.writing,
            "accepted": lambda: self.uplink.accepted,
            "drivers": lambda: all(driver.alive for driver in self.drivers),
        }

    def start(self) -> None:
        settings = self._settings
        for driver in self.drivers:
            driver.start()
        self.uplink.start()
        for name, line in self._lines.items():
            first_jitter_s = settings.first_connect_jitter_s if name == UPLINK else 0.0
            line.start(first_jitter_s, patient=self.spool.connected_before)
        self._note_facts()
        log.info("gateway_started", gateway=self._config.ref.user, points=len(self.spool.aliases))

    def _note_facts(self) -> None:
        """For `watchkeep gateway status`."""
        facts = {"software": _version(), "configuration": self._config.version, "broker": str(self._address)}
        for name, value in facts.items():
            self.spool.note_fact(name, json.dumps(value))

    def look(self) -> None:
        """Raise SpoolFailed or LineDead when a thread that nothing works without has ended."""
        if self.spool.failure:
            raise self.spool.failure
        if not (self.spool.alive and self.uplink.alive):
            raise SpoolFailed("a thread of the gateway has ended")
        for name, line in self._lines.items():
            if line.dead:
                raise LineDead(f"the thread of the line {name} has ended; a restart brings it back")

    def close(self) -> None:
        """Devices first, then what they said to disk, then the acks for it, then the farewell; once."""
        if self._closed:
            return
        self._closed = True
        for driver in self.drivers:
            driver.stop()
        for name, up in list(self._links.items()):
            if up:
                self.spool.note_link(name, False, "gateway stopped")
        self.spool.stop_taking()
        self.spool.join()
        if self.uplink.started:
            self.uplink.stop()
        for line in self._lines.values():
            line.close()
        self._stack.close()

    def _note_link(self, name: str, up: bool, why: str) -> None:
        self._links[name] = up
        self.metrics.link(name, up)
        self.spool.note_link(name, up, why)

    def _fire_devices(self) -> Gbt26875:
        return Gbt26875(
            self._config.gbt26875,
            self._words,
            {device.equipment: device.kind for device in self._config.device},
            self._emit,
            self._note_link,
            memory=self.spool.memory,
            digests=self.spool.digests,
            clock_ms=self._stamps.now_ms,
            synchronised=lambda: clock_state().synchronised,
        )

    def _own_state(self, equipment: str, server_clock: ServerClock) -> OwnState:
        return OwnState(
            equipment,
            self._emit,
            self._stamps.now_ms,
            disk=self._settings.spool_dir,
            spool_depth=lambda: sum(lane.messages for lane in self.spool.lanes.values()),
            clock_offset_ms=lambda: offset.offset_ms if (offset := server_clock.offset) else clock_state().offset_ms,
        )

    def _bridge(self, table: BridgeTable, line: Line) -> MqttBridge:
        declared = None
        if table.undeclared == "reject":
            declared = frozenset(device.equipment for device in self._config.device)
        return MqttBridge(
            table.name,
            self._config.bridge_topic(table),
            line,
            self._emit,
            CodeReader.of(self._config, self._words),
            declared=declared,
            raised=self.spool.active_codes,
        )


def _version() -> str:
    try:
        return version("watchkeep")
    except PackageNotFoundError:
        return "unknown"
