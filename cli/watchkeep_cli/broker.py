"""An embedded broker for the demo and for tests: Mosquitto when it is installed, amqtt (pure Python) otherwise.

What differs: Mosquitto 2.0.11 speaks MQTT 5 and keeps sessions, queues and retained messages on disk. amqtt speaks
3.1.1 only and keeps everything in memory: see `broker_amqtt` for what was measured.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

from watchkeep_cli import broker_accounts, mosquitto_files
from watchkeep_cli.acl import AclRule, default_acl
from watchkeep_cli.child import end, spawn
from watchkeep_cli.mosquitto_files import acl_text as mosquitto_acl
from watchkeep_cli.ports import free_port
from watchkeep_core.broker import BrokerAddress, BrokerRefused, Received
from watchkeep_core.errors import PermanentError, SettingsError
from watchkeep_core.mqtt import connect

__all__ = [
    "AclRule",
    "BrokerStartError",
    "RunningBroker",
    "default_acl",
    "mosquitto_acl",
    "mosquitto_installed",
    "start_broker",
]

Kind = Literal["mosquitto", "amqtt"]

START_TIMEOUT_S = 15.0
"""amqtt needs about 1 s of imports; a loaded CI machine needs several times that."""

STOP_TIMEOUT_S = 10.0
"""Mosquitto writes its whole database at SIGTERM."""

MOSQUITTO_CONF = """\
# Generated at each start: changes are overwritten. Reasons: docs and RELIABILITY, section 2.3.
listener {port} {host}
{run_as}{tls}allow_anonymous false
use_username_as_clientid true
password_file {directory}/passwords
acl_file {directory}/mosquitto.acl
pid_file {directory}/mosquitto.pid
persistence true
persistence_location {directory}/
autosave_interval 30
persistent_client_expiration 14d
max_inflight_messages 2000
max_queued_messages 1000000
max_queued_bytes 1073741824
max_packet_size 262144
check_retain_source true
set_tcp_nodelay true
connection_messages false
log_dest stderr
log_type error
log_type warning
log_type notice
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""


TLS_FILES = {"cafile": "ca.crt", "certfile": "server.crt", "keyfile": "server.key"}
"""Mosquitto's option → file in a folder of certificates."""


class BrokerStartError(PermanentError):
    """The broker did not come up; the text ends with the last lines of its log."""


class RunningBroker:
    """A broker that runs until `stop`, or until our process ends; made by `start_broker`."""

    def __init__(
        self,
        kind: Kind,
        directory: Path,
        users: Mapping[str, str],
        acl: Sequence[AclRule],
        address: BrokerAddress,
        tls: str = "",
    ) -> None:
        self.kind: Kind = kind
        self.log_file = directory / "broker.log"
        self.address = address
        self._tls = tls
        self._directory = directory
        self._acl = list(acl)
        self._hash: Callable[[Mapping[str, str]], dict[str, str]] = (
            mosquitto_files.hashes if kind == "mosquitto" else broker_accounts.hashes
        )
        self._hashes = self._hash(users)
        self._write_accounts()
        self._process = self._start()
        self._await_port()

    @property
    def url(self) -> str:
        return str(self.address)

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        end(self._process, STOP_TIMEOUT_S)

    def add_user(self, user: str, password: str, rules: Sequence[AclRule] = ()) -> None:
        """Let one more user in while the broker runs (a gateway made in the console), or change a password.

        Connections stay up. The broker forgets it at its next start unless it is among `users` then.
        """
        known = user in self._hashes
        self._hashes |= self._hash({user: password})
        self._acl += [rule for rule in rules if rule not in self._acl]
        self._write_accounts()
        if self.kind == "mosquitto":
            os.kill(self._process.pid, signal.SIGHUP)
            if not known:  # a known user may be connected, and a second connection would end that one
                self._await_user(user, password)

    def _await_user(self, user: str, password: str) -> None:
        """Mosquitto reads its files some time after the signal."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                connect(self.address, client_id=user, user=user, password=password, on_message=_ignore).close()
                return
            except BrokerRefused:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def _start(self) -> subprocess.Popen[bytes]:
        if self.kind == "amqtt":
            config = self._directory / "amqtt.json"
            document = {"bind": f"{self.address.host}:{self.address.port}", "accounts": str(self._accounts_file)}
            config.write_text(json.dumps(document), encoding="utf-8")
            return spawn([sys.executable, "-m", "watchkeep_cli.broker_amqtt", str(config)], self.log_file)
        config = self._directory / "mosquitto.conf"
        text = MOSQUITTO_CONF.format(
            host=self.address.host,
            port=self.address.port,
            directory=self._directory,
            tls=self._tls,
            run_as="user root\n" if os.geteuid() == 0 else "",  # else it becomes a user that cannot read our files
        )
        config.write_text(text, encoding="utf-8")
        return spawn([_mosquitto("mosquitto"), "-c", str(config)], self.log_file)

    def _await_port(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.alive() and time.monotonic() < deadline:
            try:
                socket.create_connection((self.address.host, self.address.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        self.stop()
        log = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        raise BrokerStartError("\n".join([f"{self.kind} did not start at {self.address}:", *log[-10:]]))

    @property
    def _accounts_file(self) -> Path:
        return self._directory / "accounts.json"

    def _write_accounts(self) -> None:
        if self.kind == "amqtt":
            broker_accounts.write(self._accounts_file, self._hashes, self._acl)
            return
        lines = "".join(f"{user}:{value}\n" for user, value in self._hashes.items())
        broker_accounts.replace_private(self._directory / mosquitto_files.PASSWORDS, lines)
        broker_accounts.replace_private(self._directory / mosquitto_files.ACL, mosquitto_acl(self._acl))


def start_broker(
    directory: Path,
    users: Mapping[str, str],
    acl: Sequence[AclRule],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    prefer: Literal["auto", "mosquitto", "amqtt"] = "auto",
    certificates: Path | None = None,
    client_certificates: bool = False,
) -> RunningBroker:
    """Start a broker that keeps its files in `directory` (created, mode 0700) and knows `users` (name → password).

    `port` 0 takes a free one. `certificates`: folder made by `watchkeep tls dev`, for TLS (Mosquitto only);
    `client_certificates`: only clients with a certificate of that CA are let in. Call it from the main thread: the
    broker ends with the thread that started it.
    Raises SettingsError (a name or password that no broker takes, no Mosquitto) and BrokerStartError.
    """
    for user, password in users.items():
        mosquitto_files.check_user(user, password)
    kind: Kind = ("mosquitto" if mosquitto_installed() else "amqtt") if prefer == "auto" else prefer
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = _port(host, port)
    if certificates is None:
        return RunningBroker(kind, directory.resolve(), users, acl, BrokerAddress(host, number))
    if kind == "amqtt":
        raise SettingsError("certificates: the embedded amqtt broker has no TLS; install mosquitto")
    lines = [f"{option} {certificates.resolve() / name}" for option, name in TLS_FILES.items()]
    lines += ["tls_version tlsv1.2", f"require_certificate {str(client_certificates).lower()}", ""]
    address = BrokerAddress(host, number, tls=True, ca_file=certificates / TLS_FILES["cafile"])
    return RunningBroker(kind, directory.resolve(), users, acl, address, "\n".join(lines))


def mosquitto_installed() -> bool:
    try:
        return bool(_mosquitto("mosquitto"))
    except SettingsError:
        return False


def _mosquitto(program: str) -> str:
    """Debian puts the server in /usr/sbin, which is not in everyone's PATH."""
    found = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    if found is None:
        raise SettingsError(f"{program} is not installed")
    return found


def _port(host: str, wanted: int) -> int:
    """A free port for 0; else make sure that nobody has it, whom we would take for our broker."""
    if wanted == 0:
        return free_port(host)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as error:
            raise BrokerStartError(f"cannot listen on {host}:{wanted}: {error.strerror}") from None
        port: int = probe.getsockname()[1]
        return port


def _ignore(_message: Received) -> None:
    pass
