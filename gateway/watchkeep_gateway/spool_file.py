"""The spool's file: opened by one process, made when missing, set aside when damaged."""

import fcntl
import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import disk_usage

from watchkeep_core.errors import SettingsError
from watchkeep_core.logs import get_logger
from watchkeep_core.topics import LANES, GatewayRef
from watchkeep_gateway.errors import SpoolFailed
from watchkeep_gateway.statements import SQL

log = get_logger(__name__)

NAME = "spool.db"
DAMAGED = "spool.db.damaged"
"""Left by a process that met damage while running: the next one sets the file aside without a look."""

CHECK_UP_TO_BYTES = 100_000_000
"""Files up to this size are read through at start, about 1 s on an SD card; larger ones would delay the readings."""

RESERVE = "spool.reserve"
RESERVE_BYTES = 4_000_000
"""Disk that is held so that, on a full one, what makes room can be written: as much as can wait in the WAL."""

HEADROOM_BYTES = 8_000_000
"""Free disk that telemetry leaves whatever is configured: the WAL must be able to grow, or nothing can be deleted."""

_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class _Damaged(Exception):
    """The file is no spool of ours that can be read; the text says why."""


@dataclass(frozen=True)
class OpenSpool:
    """The writer's connection, and the lock that keeps other gateways out."""

    connection: sqlite3.Connection
    directory: Path
    replaced: Path | None
    """The damaged file this spool was made anew instead of."""
    lock: int

    @property
    def newest_ms(self) -> int:
        """When the latest message was written, ms since 1970 UTC; 0 when there is none."""
        (found,) = self.connection.execute(SQL["newest"]).fetchone()
        return int(found)

    def close(self) -> None:
        self.connection.close()
        os.close(self.lock)


def open_spool(directory: Path, ref: GatewayRef) -> OpenSpool:
    """Open or make the spool of a gateway. Raises SettingsError: no access, in use, or another gateway's."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _lock(directory)
    except OSError as error:
        raise SettingsError(f"spool_dir: {directory}: {error.strerror}") from None
    try:
        try:
            return _open_locked(directory, ref, lock)
        except sqlite3.OperationalError as error:
            if not (
                is_full(error, directory) and give_reserve(directory)
            ):  # a restart on a full disk must not fail for ever
                raise
        return _open_locked(directory, ref, lock)
    except sqlite3.OperationalError as error:
        os.close(lock)
        raise SettingsError(f"spool_dir: cannot use {directory / NAME}: {error}") from None
    except BaseException:
        os.close(lock)
        raise


def read_only(directory: Path) -> sqlite3.Connection:
    """A reader's connection; raises SpoolFailed when there is no spool."""
    file = directory / NAME
    if not file.is_file():
        raise SpoolFailed(f"no spool at {file}")
    # Not mode=ro: a reader of a WAL file must be able to make its shared memory.
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=5)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA cache_size = -256")  # KiB; each message is read once, and 2 MB of them need not be kept
    return connection


@contextmanager
def damage_ends_us(directory: Path) -> Iterator[None]:
    """Turn damage met while running into SpoolFailed, and leave word for the next start."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        with suppress(OSError):
            (directory / DAMAGED).touch()
        raise SpoolFailed(f"the spool at {directory} is damaged: {error}; a restart sets it aside") from None


def is_damage(error: sqlite3.Error) -> bool:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGE


def is_full(error: sqlite3.Error, directory: Path) -> bool:
    """Whether the disk is what is wrong; for want of room in its shared memory SQLite speaks of an I/O error."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and disk_usage(directory).free < RESERVE_BYTES)


def hold_reserve(directory: Path) -> bool:
    """Take the reserve, when there is room for it twice; whether it is held."""
    file = directory / RESERVE
    try:
        if file.exists():
            return True
        if disk_usage(directory).free < 2 * RESERVE_BYTES:
            return False
        with file.open("xb") as handle:
            os.posix_fallocate(handle.fileno(), 0, RESERVE_BYTES)
    except OSError:
        file.unlink(missing_ok=True)
        return False
    return True


def give_reserve(directory: Path) -> bool:
    """Give the reserve back to a full disk; whether there was one."""
    try:
        (directory / RESERVE).unlink()
    except OSError:
        return False
    return True


def new_epoch() -> str:
    return uuid.uuid4().hex


def _lock(directory: Path) -> int:
    lock = os.open(directory / "spool.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise SettingsError(f"spool_dir: another gateway runs on {directory}") from None
    return lock


def _open_locked(directory: Path, ref: GatewayRef, lock: int) -> OpenSpool:
    file = directory / NAME
    marker = directory / DAMAGED
    replaced: Path | None = None
    if file.exists():
        try:
            if marker.exists():
                raise _Damaged("it was found damaged while running")
            connection = _open_existing(file, ref)
            return OpenSpool(connection, directory, None, lock)
        except (_Damaged, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.DatabaseError) and not is_damage(error):
                raise
            replaced = _set_aside(file)
            log.error("spool_set_aside", file=str(replaced), why=str(error))
    marker.unlink(missing_ok=True)
    return OpenSpool(_make(file, ref), directory, replaced, lock)


def _open_existing(file: Path, ref: GatewayRef) -> sqlite3.Connection:
    connection = _connect(file)
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not tables:  # the power went between making the file and its tables
            _fill(connection, ref)
            return connection
        if "owner" not in tables or "lanes" not in tables:
            raise _Damaged("its tables are not those of a spool")
        if file.stat().st_size <= CHECK_UP_TO_BYTES:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise _Damaged(verdict)
        community, gateway, _ = connection.execute(SQL["owner"]).fetchone()
        if (community, gateway) != (ref.community, ref.gateway):
            raise SettingsError(f"spool_dir: {file} belongs to gateway {community}/{gateway}, not {ref.user}")
        connection.executescript(SQL["create_report"])  # a spool of before has none
    except BaseException:
        connection.close()
        raise
    return connection


def _make(file: Path, ref: GatewayRef) -> sqlite3.Connection:
    connection = _connect(file)
    try:
        _fill(connection, ref)
    except BaseException:
        connection.close()
        raise
    return connection


def _fill(connection: sqlite3.Connection, ref: GatewayRef) -> None:
    connection.executescript(f"BEGIN;{SQL['create']}")
    connection.execute(SQL["insert_owner"], (ref.community, ref.gateway))
    connection.executemany(SQL["insert_lane"], [(lane, new_epoch()) for lane in LANES])
    connection.execute("COMMIT")
    connection.executescript(SQL["create_report"])


def _connect(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=5)
    try:
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 1000")
        # Debian's default writes each deleted page once more: 4.8 MB for 40 messages instead of 29 kB (measured).
        connection.execute("PRAGMA secure_delete = OFF")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_aside(file: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    aside = file.with_name(f"{file.name}.{stamp}")
    file.rename(aside)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{file}{suffix}").rename(f"{aside}{suffix}")
    return aside
