"""Mosquitto's password and access files: the one place that writes them, whoever asks (command, console, demo).

Measured on 2.0.11: 0.1 s after SIGHUP the broker knows a new user, and has ended the live connection of a user that is
gone or has another password. It sends no will then, so whoever revokes says `offline` instead: see `gateway_accounts`.
"""

import base64
import fcntl
import hashlib
import os
import secrets
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from watchkeep_cli.acl import AclRule
from watchkeep_cli.broker_accounts import replace_private
from watchkeep_core.errors import PermanentError, SettingsError

PASSWORDS = "passwords"
ACL = "mosquitto.acl"

ITERATIONS = 101
"""mosquitto_passwd's own. Our passwords are 24 random bytes, which no one guesses; and at each SIGHUP the broker checks
the password of every connection again in its one thread, 10,000 of them in about 1 s at this number."""

_SALT_BYTES = 12  # what Mosquitto 2.0 can read


class BrokerNotReloaded(PermanentError):
    """The files are written, but the broker was not told."""


def check_user(user: str, password: str) -> None:
    """Raises SettingsError for what no broker takes, or what would break the line of the file."""
    if not user or any(character in ":+#\n\r\0" for character in user):
        raise SettingsError(f"broker user {user!r}: must not be empty or hold any of : + # or a line break")
    if not password or any(character in "\n\r\0" for character in password):
        raise SettingsError(f"broker user {user!r}: the password must not be empty or hold a line break")


def hashes(users: Mapping[str, str]) -> dict[str, str]:
    """User → hash as mosquitto_passwd makes it; done here, as its -b would show a password in the process list."""
    return {user: _hash(password, secrets.token_bytes(_SALT_BYTES)) for user, password in users.items()}


def acl_text(rules: Sequence[AclRule]) -> str:
    """Rules for patterns first: in Mosquitto's file a `user` line holds for all `topic` lines that follow."""
    lines = [f"pattern {rule.access} {rule.topic}" for rule in rules if rule.is_pattern]
    for user in dict.fromkeys(rule.user_pattern for rule in rules if not rule.is_pattern):
        lines.append(f"user {user}")
        own = (rule for rule in rules if rule.user_pattern == user)
        lines += [f"topic {rule.access} {rule.topic.replace('%u', user)}" for rule in own]
    # An empty file would allow everything (CVE-2018-12550), so there is always a user nobody can be.
    return "\n".join([*lines, "user :nobody", "topic read nothing", ""])


class MosquittoFiles:
    """`passwords` and `mosquitto.acl` of a broker that somebody else runs; several may change them at once."""

    def __init__(self, directory: Path) -> None:
        """Raises SettingsError when it is no folder or may not be written."""
        if not os.access(directory, os.W_OK | os.X_OK) or not directory.is_dir():
            raise SettingsError(f"--broker-dir: cannot write to {directory}")
        self._passwords = directory / PASSWORDS
        self._acl = directory / ACL

    def users(self) -> set[str]:
        return set(self._read())

    def require_rules(self, rules: Sequence[AclRule]) -> None:
        """Write the access file when there is none. Raises SettingsError when one lacks a rule for every gateway.

        One that is there stays: it may hold rules of the operator's own.
        """
        if not self._acl.exists():
            self._replace(self._acl, acl_text(rules))
            return
        there = set(self._acl.read_text(encoding="utf-8").splitlines())
        for rule in rules:
            if rule.is_pattern and (line := f"pattern {rule.access} {rule.topic}") not in there:
                raise SettingsError(f"{self._acl}: lacks the line {line!r}; put deploy/mosquitto.acl in its place")

    def put(self, user: str, password: str) -> None:
        """Add a user, or change its password."""
        check_user(user, password)
        with self._locked():
            self._write(self._read() | hashes({user: password}))

    def remove(self, user: str) -> bool:
        """Whether there was such a user."""
        with self._locked():
            known = self._read()
            if known.pop(user, None) is None:
                return False
            self._write(known)
            return True

    def _read(self) -> dict[str, str]:
        try:
            lines = self._passwords.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SettingsError(f"--broker-dir: cannot read {self._passwords}: {error.strerror}") from None
        return {user: value for user, colon, value in (line.partition(":") for line in lines) if colon}

    def _write(self, known: Mapping[str, str]) -> None:
        self._replace(self._passwords, "".join(f"{user}:{value}\n" for user, value in known.items()))

    def _replace(self, path: Path, text: str) -> None:
        """A new file belongs to whom the folder belongs to: that is the broker's user or group."""
        fresh = not path.exists()
        replace_private(path, text)
        if fresh:
            folder = path.parent.stat()
            with suppress(PermissionError):
                os.chown(path, folder.st_uid, folder.st_gid)
            path.chmod(0o640)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = os.open(self._passwords.with_name(f".{PASSWORDS}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


def reload_broker(pid_file: Path) -> None:
    """SIGHUP to Mosquitto. Raises BrokerNotReloaded; a pid that is not Mosquitto's is never signalled."""
    pid = broker_pid(pid_file)
    try:
        os.kill(pid, signal.SIGHUP)
    except OSError as error:
        raise BrokerNotReloaded(f"--pid-file: cannot signal {pid}: {error.strerror}") from None


def broker_pid(pid_file: Path) -> int:
    """Raises BrokerNotReloaded when the file names no running Mosquitto."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        raise BrokerNotReloaded(f"--pid-file: {pid_file} names no running process") from None
    if name != "mosquitto":  # its number was given to somebody else, whom a SIGHUP would end
        raise BrokerNotReloaded(f"--pid-file: process {pid} of {pid_file} is {name}, not mosquitto")
    return pid


def _hash(password: str, salt: bytes) -> str:
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
