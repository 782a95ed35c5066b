"""The gateway process: builds spool, line, uplink and drivers, and ends them in the order that loses nothing."""

from collections.abc import Callable
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from watchkeep_core import vocabulary
from watchkeep_core.broker import BrokerAddress
from watchkeep_core.errors import SettingsError
from watchkeep_core.logs import get_logger
from watchkeep_core.service import HealthServer, Stop
from watchkeep_core.topics import LANES
from watchkeep_gateway.clock_state import clock_state
from watchkeep_gateway.codes import CodeReader
from watchkeep_gateway.config import BridgeTable, Config, points
from watchkeep_gateway.config_file import read
from watchkeep_gateway.drivers import Driver
from watchkeep_gateway.drivers.modbus_tcp import ModbusTcp
from watchkeep_gateway.drivers.mqtt_bridge import MqttBridge
from watchkeep_gateway.errors import SpoolFailed
from watchkeep_gateway.line import Line, Login
from watchkeep_gateway.metrics import Metrics
from watchkeep_gateway.settings import GatewaySettings
from watchkeep_gateway.spool import Spool
from watchkeep_gateway.spool_file import open_spool
from watchkeep_gateway.spool_reader import SpoolReader
from watchkeep_gateway.transaction import UPLINK, Rules
from watchkeep_gateway.uplink import Uplink, UplinkRules, will_of

log = get_logger(__name__)

LOOK_S = 1.0
"""How often the service looks whether its threads still live."""


def run(settings: GatewaySettings, stop: Stop, ready: Callable[["Gateway"], None] = lambda _: None) -> None:
    """Run until `stop`. Raises SettingsError; BrokerUnreachable and BrokerRefused at the very first start of a spool.

    Later starts do not need the broker: after a power cut the devices are read at once, whatever the uplink does.
    """
    config = read(settings.config_file)
    with Gateway(settings, config) as gateway:
        gateway.start()
        ready(gateway)
        while not stop.wait(LOOK_S):
            gateway.look()
    log.info("gateway_stopped")


class Gateway:
    """All parts of one gateway, wired; `close` takes under 10 s."""

    def __init__(self, settings: GatewaySettings, config: Config) -> None:
        self.metrics = Metrics()
        self._settings = settings
        self._config = config
        self._words = vocabulary.load()
        self._address = BrokerAddress.parse(settings.mqtt_url, settings.mqtt_ca_file)
        self._stack = ExitStack()
        self._links: dict[str, bool] = {}
        login = Login(self._address, config.ref.user, settings.mqtt_password.get_secret_value())
        self.line = Line(login, will=will_of(config.ref), reconnect_jitter_s=settings.reconnect_jitter_s)
        self.line.watch(lambda up, why: self._note_link(UPLINK, up, why))
        own = {f"bridge-{table.name}": self._own_line(table) for table in config.mqtt_bridge if table.url}
        declared = points(config)
        opened = open_spool(settings.spool_dir, config.ref)
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
            ),
            {lane: self.metrics.sender(lane) for lane in LANES},
            clock_state,
        )
        self.spool.on_commit(lambda _: self.uplink.wake())
        self._lines: dict[str, Line] = {UPLINK: self.line} | own
        self.drivers: list[Driver] = [
            self._bridge(table, own.get(f"bridge-{table.name}", self.line)) for table in config.mqtt_bridge
        ]
        if config.modbus_tcp:
            self.drivers.append(ModbusTcp(config.modbus_tcp, self.spool.put, self._note_link))
        self.metrics.watch_spool(lambda: self.spool.lanes, self.uplink.acked)

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        settings = self._settings
        if settings.health_port:
            checks = {
                "broker": self.line.alive,
                "announced": lambda: self.uplink.announced,
                "spool": lambda: self.spool.alive and self.spool.writing,
                "accepted": lambda: self.uplink.accepted,
                "drivers": lambda: all(driver.alive for driver in self.drivers),
            }
            health = HealthServer(settings.health_host, settings.health_port, checks, self.metrics.registry)
            self._stack.callback(health.close)
        for driver in self.drivers:
            driver.start()
        self.uplink.start()
        for name, line in self._lines.items():
            first_jitter_s = settings.first_connect_jitter_s if name == UPLINK else 0.0
            line.start(first_jitter_s, patient=self.spool.connected_before)
        log.info("gateway_started", gateway=self._config.ref.user, points=len(self.spool.aliases))

    def look(self) -> None:
        """Raise SpoolFailed when a thread that nothing works without has ended."""
        if self.spool.failure:
            raise self.spool.failure
        if not (self.spool.alive and self.uplink.alive):
            raise SpoolFailed("a thread of the gateway has ended")

    def close(self) -> None:
        """Devices first, then what they said to disk, then the acks for it, then the farewell."""
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

    def _bridge(self, table: BridgeTable, line: Line) -> MqttBridge:
        declared = None
        if table.undeclared == "reject":
            declared = frozenset(device.equipment for device in self._config.device)
        return MqttBridge(
            table.name,
            self._config.bridge_topic(table),
            line,
            self.spool.put,
            CodeReader.of(self._config, self._words),
            declared=declared,
            raised=self.spool.active_codes,
        )

    def _own_line(self, table: BridgeTable) -> Line:
        """A broker of the site; its password is not the gateway's."""
        address = BrokerAddress.parse(table.url, Path(table.ca_file) if table.ca_file else None)
        try:
            password = Path(table.password_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"mqtt_bridge {table.name}: password_file: {error.strerror}") from None
        line = Line(Login(address, table.user, password), reconnect_jitter_s=self._settings.reconnect_jitter_s)
        name = f"bridge-{table.name}"
        line.watch(lambda up, why: self._note_link(name, up, why))
        return line


def _version() -> str:
    try:
        return version("watchkeep")
    except PackageNotFoundError:
        return "unknown"
