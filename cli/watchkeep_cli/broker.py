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

from watchkeep_cli import broker_accounts
from watchkeep_cli.acl import AclRule, default_acl
from watchkeep_cli.child import end, spawn
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
{run_as}allow_anonymous false
use_username_as_clientid true
password_file {directory}/passwords
acl_file {directory}/acl
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


class BrokerStartError(PermanentError):
    """The broker did not come up; the text ends with the last lines of its log."""


class RunningBroker:
    """A broker that runs until `stop`, or until our process ends; made by `start_broker`."""

    def __init__(
        self, kind: Kind, directory: Path, users: Mapping[str, str], acl: Sequence[AclRule], host: str, port: int
    ) -> None:
        self.kind: Kind = kind
        self.log_file = directory / "broker.log"
        self.address = BrokerAddress(host, port)
        self._directory = directory
        self._acl = list(acl)
        self._hash: Callable[[Mapping[str, str]], dict[str, str]] = (
            self._mosquitto_hashes if kind == "mosquitto" else broker_accounts.hashes
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
        broker_accounts.replace_private(self._directory / "passwords", lines)
        broker_accounts.replace_private(self._directory / "acl", mosquitto_acl(self._acl))

    def _mosquitto_hashes(self, users: Mapping[str, str]) -> dict[str, str]:
        """Hash in one call for all: -b would show a password in the process list, and start a process for each."""
        if not users:
            return {}
        file = self._directory / "passwords.new"
        try:
            broker_accounts.replace_private(file, "".join(f"{user}:{word}\n" for user, word in users.items()))
            subprocess.run([_mosquitto("mosquitto_passwd"), "-U", str(file)], check=True, capture_output=True)
            lines = file.read_text(encoding="utf-8").splitlines()
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode(errors="replace").strip()
            raise BrokerStartError(f"mosquitto_passwd failed: {reason}") from None
        finally:
            file.unlink(missing_ok=True)
        return dict(line.split(":", 1) for line in lines if line)


def start_broker(
    directory: Path,
    users: Mapping[str, str],
    acl: Sequence[AclRule],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    prefer: Literal["auto", "mosquitto", "amqtt"] = "auto",
) -> RunningBroker:
    """Start a broker that keeps its files in `directory` (created, mode 0700) and knows `users` (name → password).

    `port` 0 takes a free one. Call it from the main thread: the broker ends with the thread that started it.
    Raises SettingsError (a name or password that no broker takes, no Mosquitto) and BrokerStartError.
    """
    for user, password in users.items():
        _check_user(user, password)
    kind: Kind = ("mosquitto" if mosquitto_installed() else "amqtt") if prefer == "auto" else prefer
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return RunningBroker(kind, directory.resolve(), users, acl, host, _port(host, port))


def mosquitto_installed() -> bool:
    try:
        return bool(_mosquitto("mosquitto") and _mosquitto("mosquitto_passwd"))
    except SettingsError:
        return False


def _mosquitto(program: str) -> str:
    """Debian puts the server in /usr/sbin, which is not in everyone's PATH."""
    found = shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    if found is None:
        raise SettingsError(f"{program} is not installed")
    return found


def _check_user(user: str, password: str) -> None:
    if not user or any(character in ":+#\n\r\0" for character in user):
        raise SettingsError(f"broker user {user!r}: must not be empty or hold any of : + # or a line break")
    if not password or any(character in "\n\r\0" for character in password):
        raise SettingsError(f"broker user {user!r}: the password must not be empty or hold a line break")


def mosquitto_acl(rules: Sequence[AclRule]) -> str:
    """Rules for patterns first: in Mosquitto's file a `user` line holds for all `topic` lines that follow."""
    lines = [f"pattern {rule.access} {rule.topic}" for rule in rules if rule.is_pattern]
    for user in dict.fromkeys(rule.user_pattern for rule in rules if not rule.is_pattern):
        lines.append(f"user {user}")
        own = (rule for rule in rules if rule.user_pattern == user)
        lines += [f"topic {rule.access} {rule.topic.replace('%u', user)}" for rule in own]
    # An empty file would allow everything (CVE-2018-12550), so there is always a user nobody can be.
    return "\n".join([*lines, "user :nobody", "topic read nothing", ""])


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
