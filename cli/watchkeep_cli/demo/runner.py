"""Starts everything the demo needs, in order, and takes it down in reverse."""

import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from watchkeep_cli import enrolment
from watchkeep_cli.acl import default_acl
from watchkeep_cli.broker import RunningBroker, start_broker
from watchkeep_cli.broker_accounts import replace_private
from watchkeep_cli.demo import crowd as demo_crowd
from watchkeep_cli.demo import estate as demo_estate
from watchkeep_cli.demo import field as demo_field
from watchkeep_cli.demo import figures
from watchkeep_cli.demo.crowd import Crowd
from watchkeep_cli.demo.environment import Environment, broker_users
from watchkeep_cli.demo.people import enter_people
from watchkeep_cli.demo.secret_store import SecretStore
from watchkeep_cli.ports import free_port
from watchkeep_cli.postgres import EmbeddedPostgres, start_postgres
from watchkeep_cli.supervisor import Service, ServiceFailed, Supervisor
from watchkeep_cli.up import SERVICES
from watchkeep_core import estate
from watchkeep_core.database import OWNER, SERVICE_LOGINS, connect
from watchkeep_core.errors import SettingsError
from watchkeep_core.schema.migrate import migrate, set_password
from watchkeep_core.service import Stop
from watchkeep_dispatch.duties import load_default
from watchkeep_dispatch.notify.jobs import install_jobs

READY_TIMEOUT_S = 150.0
"""For slow and busy machines: a service that ends is told at once."""
DRAIN_TIMEOUT_S = 30.0
DRAIN_QUIET_S = 2.0  # longer than a gateway keeps readings back to send them together (WATCHKEEP_GATEWAY_BATCH_S, 1 s)


@dataclass(frozen=True)
class Options:
    """What the command line decides."""

    directory: Path
    listen: str = "127.0.0.1"
    port: int = 8080
    broker: Literal["auto", "mosquitto", "amqtt"] = "auto"
    crowd: Crowd | None = None


@dataclass
class Demo:
    """The running system. Use as a context manager; `say` tells a person what is being done."""

    options: Options
    say: Callable[[str], None]
    supervisor: Supervisor = field(default_factory=Supervisor)
    health: dict[str, int] = field(default_factory=dict)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __enter__(self) -> "Demo":
        self._stack = ExitStack()
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def console_url(self) -> str:
        host = "127.0.0.1" if self.options.listen in ("127.0.0.1", "localhost", "::1") else _own_address()
        return f"http://{host}:{self.port}"

    @property
    def password(self) -> str:
        return self._secrets.pronounceable("demo")

    @property
    def broker_kind(self) -> str:
        return self._broker.kind

    @property
    def admin_url(self) -> str:
        return self._postgres.admin_url

    def watch(self) -> None:
        """About twice a second: restart what ended, serve enrolments."""
        self.supervisor.watch()
        enrolment.serve(self._enrol_dir, self._add_gateway, self._revoke_gateway)

    def drain(self, stop: Stop) -> bool:
        """Stop the fleet, wait until the gateways' spools are empty and stay so; true when they do."""
        self.supervisor.stop_one("crowd")
        self.supervisor.stop_one("sim")
        ports = [port for name, port in self.health.items() if name.startswith("gateway")]
        deadline = time.monotonic() + DRAIN_TIMEOUT_S
        before = None
        while time.monotonic() < deadline:
            now = [figures.sent_and_spooled(port) for port in ports]
            if now == before and all(spooled == 0 for *_, spooled in now):
                return True
            before = now
            stop.wait(DRAIN_QUIET_S)
        return False

    def report(self) -> dict[str, Any]:
        """Counts and latencies since the start; `restarts` above 0 means that a gateway's count may have begun anew."""
        ports = [port for name, port in self.health.items() if name.startswith("gateway")]
        with connect(self.admin_url, "demo-report") as conn:
            now = figures.counts(conn)
            result = figures.since(conn, self.started_at)
        return {
            "readings_sent": figures.total(ports, "watchkeep_gateway_readings_total"),
            "readings_stored": now["stored"] - self._before["stored"],
            "readings_set_aside": now["set_aside"] - self._before["set_aside"],
            "events_sent": figures.total(ports, "watchkeep_gateway_events_total"),
            "events_stored": now["events"] - self._before["events"],
            "dead_lettered": now["dead_lettered"] - self._before["dead_lettered"],
            **result,
            "broker": self.broker_kind,
            "restarts": sum(service.restarts for service in self.supervisor.services),
        } | ({"crowd": demo_crowd.totals(self._folder / "logs" / "crowd.log")} if self.options.crowd else {})

    def _start(self) -> None:
        folder = self.options.directory.resolve()
        try:
            (folder / "logs").mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"--data: cannot use {folder}: {error.strerror}") from None
        free_port(self.options.listen, self.options.port, setting="--listen")  # told before anything is started
        self._folder = folder
        self._secrets = SecretStore(folder / "secrets.json")
        self._enrol_dir = folder / "enrol"
        self._enrol_dir.mkdir(mode=0o700, exist_ok=True)
        self.say("starting PostgreSQL")
        self._postgres = self._stack.enter_context(start_postgres(folder / "postgres"))
        self._estate = demo_estate.demo_estate(datetime.now(UTC).date())
        self._prepare_database(self._postgres)
        self.say("starting the broker")
        self._broker = self._stack.enter_context(self._start_broker())
        self._environment = Environment(self._postgres, self._broker, self._secrets)
        self._stack.callback(self.supervisor.stop)
        with connect(self.admin_url, "demo") as conn:
            self._before = figures.counts(conn)
        self.say("starting ingest, analytics, dispatch and the console")
        self._start_services()
        self._await_ready()
        self.started_at = datetime.now(UTC)
        replace_private(folder / "env", self._environment.shell(self.console_url))
        self.say("starting gateways and the simulated fleet")
        self._start_field()
        self._stack.callback((folder / "ready").unlink, missing_ok=True)
        (folder / "ready").touch()  # for scripts that wait for it

    def _prepare_database(self, postgres: EmbeddedPostgres) -> None:
        applied = migrate(postgres.admin_url)
        install_jobs(postgres.admin_url)
        self.say(f"database ready ({len(applied)} migrations applied)")
        for login in SERVICE_LOGINS:
            set_password(postgres.admin_url, login, self._secrets.get(f"db:{login}"))
        with connect(postgres.admin_url, "demo-estate", role=OWNER) as conn:
            saved = estate.save(conn, self._estate)
            load_default(conn, datetime.now(UTC))
            if applied:
                enter_people(conn, self.password)
        self.say(
            f"estate: {saved.communities} communities, {saved.equipment} pieces of equipment, {saved.points} points"
        )

    def _start_broker(self) -> RunningBroker:
        users = broker_users(
            self._secrets, (f"{community.community_id}/{gateway.gateway_id}" for community, gateway in self._gateways())
        )
        rules = [*default_acl(), *(self.options.crowd.rules() if self.options.crowd else ())]
        return start_broker(self._folder / "broker", users, rules, prefer=self.options.broker)

    def _gateways(self) -> list[tuple[estate.Community, estate.Gateway]]:
        return [(community, gateway) for community in self._estate.communities for gateway in community.gateways]

    def _add_gateway(self, user: str, password: str) -> None:
        self._broker.add_user(user, password)
        self._secrets.put(f"gateway:{user}", password)

    def _revoke_gateway(self, user: str) -> None:
        """A password that nobody knows; the broker's check of it takes the connection over, and so ends the old one."""
        self._add_gateway(user, secrets.token_urlsafe(24))

    def _start_services(self) -> None:
        for name in SERVICES:
            if name == "console":
                self.port = free_port(self.options.listen, self.options.port, setting="--listen")
                self.health[name] = self.port
                environ = self._environment.console(self.options.listen, self.port, self.console_url, self._enrol_dir)
            else:
                environ = self._environment.service(name) | self._health_port(name)
            self._run(name, [name, "run"], environ)

    def _health_port(self, name: str) -> dict[str, str]:
        self.health[name] = free_port("127.0.0.1", 0)
        return {"WATCHKEEP_HEALTH_PORT": str(self.health[name])}

    def _run(self, name: str, arguments: list[str], environ: dict[str, str]) -> None:
        belongs = {"WATCHKEEP_DEMO_DIR": str(self._folder)}  # so that one can tell whose process it is
        log_file = self._folder / "logs" / f"{name}.log"
        # Whoever has read an older demo's `env` into this shell must not lead the new one's services astray.
        self.supervisor.start(Service(name, arguments, environ | belongs, log_file, inherits=False))

    def _await_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        waiting = dict(self.health)
        while waiting:
            self.supervisor.require_alive()
            waiting = {name: port for name, port in waiting.items() if not figures.healthy(port, 10.0)}
            if time.monotonic() > deadline:
                raise ServiceFailed(
                    f"not ready after {READY_TIMEOUT_S:.0f} s: {', '.join(waiting)}; see {self._folder}/logs"
                )
            time.sleep(0.1)

    def _start_field(self) -> None:
        ports: dict[str, int] = {}
        for community, gateway in self._gateways():
            live = community.mode == "live"
            if live:
                ports[community.community_id] = free_port("127.0.0.1", 0)
            self._start_gateway(community, gateway.gateway_id, ports.get(community.community_id))
        fleet = self._folder / "fleet.toml"
        demo_field.write_fleet(fleet, self._estate, ports)
        self._await_ready()
        self._run(
            "sim",
            ["sim", "run", "--fleet", str(fleet), "--ledger", str(self._folder / "faults.jsonl")],
            self._environment.simulator() | self._health_port("sim"),
        )
        if self.options.crowd:
            self._start_crowd(self.options.crowd)

    def _start_crowd(self, crowd: Crowd) -> None:
        ledger = self._folder / "crowd-ledger"
        ledger.unlink(missing_ok=True)
        self._run("crowd", crowd.arguments(str(ledger)), self._environment.crowd())

    def _start_gateway(self, community: estate.Community, gateway_id: str, modbus_port: int | None) -> None:
        name = f"gateway-{community.community_id}"
        config = self._folder / f"{name}.toml"
        demo_field.write_gateway(config, community, gateway_id, modbus_port)
        user, spool = f"{community.community_id}/{gateway_id}", self._folder / "spool" / community.community_id
        environ = self._environment.gateway(user, config, spool) | self._health_port(name)
        self._run(name, ["gateway", "run"], environ)


def _own_address() -> str:
    """The address by which this machine is reached from its network; connecting a UDP socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return socket.gethostname()
        address: str = probe.getsockname()[0]
        return address


def default_directory() -> Path:
    """Where the demo keeps its data: WATCHKEEP_DEMO_DIR, else .watchkeep/demo below the working directory."""
    return Path(os.environ.get("WATCHKEEP_DEMO_DIR", ".watchkeep/demo"))
