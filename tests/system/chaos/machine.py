"""What only root may do, and only some machines can: a disk that fills, a bad network, a clock that is set."""

import ctypes
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.demo import until

_CLONE_NEWNET = 0x4000_0000
"""From <linux/sched.h>."""

_DISK = "4g"
"""Of memory, and only what is written to it."""

BAD_NETWORK = (
    "netem delay 40ms 15ms loss 2% duplicate 1% reorder 5% corrupt 0.1%",
    "tbf rate 2mbit burst 16kb latency 100ms",
)
"""For `tc`, the better one first: the second is a narrow line that drops what it cannot carry."""


_SLEEP = "import threading, time\ntime.sleep = lambda seconds: threading.Event().wait(seconds) and None\n"
"""libfaketime 0.9.10 lets the system call behind `time.sleep` fail (EINVAL); waits for events it leaves alone."""


@dataclass(frozen=True)
class Disk:
    """A file system in memory, which is full as soon as it may grow no more."""

    place: Path

    def fill(self) -> None:
        """Again while more is written than there was when it was measured: nothing can be made smaller than it is."""
        until(lambda: self._resize(str(self._used())), 10, poll_s=0.0)

    def free(self) -> None:
        assert self._resize(_DISK)

    def _used(self) -> int:
        state = os.statvfs(self.place)
        return (state.f_blocks - state.f_bfree) * state.f_frsize

    def _resize(self, size: str) -> bool:
        return _run("mount", "-o", f"remount,size={size}", str(self.place))


@dataclass(frozen=True)
class Network:
    """The loopback of the test's own network name space, which nobody else sees."""

    rule: str
    """What this kernel can do of BAD_NETWORK."""

    def spoil(self) -> None:
        _run("tc", "qdisc", "replace", "dev", "lo", "root", *self.rule.split())

    def mend(self) -> None:
        _run("tc", "qdisc", "del", "dev", "lo", "root")


@dataclass(frozen=True)
class Clock:
    """The wall clock of the processes that are started with `environ`; the monotonic one goes on."""

    library: Path
    folder: Path

    @property
    def environ(self) -> Mapping[str, str]:
        return {
            "PYTHONPATH": f"{self.folder}:{os.environ.get('PYTHONPATH', '')}".removesuffix(":"),
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "offset"),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DISABLE_SHM": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, by_s: int) -> None:
        """In one piece: a reader finds the old offset or the new one."""
        fresh = self.folder / "offset.new"
        fresh.write_text(f"{by_s:+d}\n")
        fresh.rename(self.folder / "offset")


@dataclass
class Machine:
    """What can be done here; `lacks` says why the rest cannot."""

    disk: Disk | None = None
    network: Network | None = None
    clock: Clock | None = None
    lacks: list[str] = field(default_factory=list)


def prepare(folder: Path, disk_at: Path, stack: ExitStack) -> Machine:
    """Before any server is started; what is changed is undone with `stack`."""
    machine = Machine()
    _take_network(machine, stack)
    _take_disk(machine, disk_at, stack)
    _take_clock(machine, folder / "clock")
    return machine


def _take_clock(machine: Machine, folder: Path) -> None:
    folder.mkdir()
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        machine.lacks.append("clock jumps: libfaketime is not installed (apt-get install libfaketime)")
        return
    (folder / "sitecustomize.py").write_text(_SLEEP)
    machine.clock = Clock(found[0], folder)
    machine.clock.set(0)


def _take_disk(machine: Machine, place: Path, stack: ExitStack) -> None:
    place.mkdir(mode=0o711)
    if os.geteuid() == 0 and _run("mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=0711", "tmpfs", str(place)):
        stack.callback(_run, "umount", "-l", str(place))
        machine.disk = Disk(place)
    else:
        machine.lacks.append("full disk: only root may mount one")


def _take_network(machine: Machine, stack: ExitStack) -> None:
    if os.geteuid() != 0:
        machine.lacks.append("bad network: only root may have one of its own")
        return
    inner = ExitStack()
    try:
        inner.enter_context(_own_network())
    except OSError as error:
        machine.lacks.append(f"bad network: {error}")
        return
    rule = next((rule for rule in BAD_NETWORK if _run("tc", "qdisc", "add", "dev", "lo", "root", *rule.split())), None)
    if rule is None:
        inner.close()
        machine.lacks.append("bad network: `tc` (iproute2) or its netem and tbf are missing")
        return
    stack.enter_context(inner)
    machine.network = Network(rule)
    machine.network.mend()
    if rule != BAD_NETWORK[0]:
        machine.lacks.append("netem: not in this kernel; a narrow line that drops instead")


@contextmanager
def _own_network() -> Iterator[None]:
    """For this thread, and for all processes and threads that it starts. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as before:  # noqa: PTH123 - a descriptor is wanted, not the content
        if libc.unshare(_CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "no network of one's own")
        try:
            if not _run("ip", "link", "set", "lo", "up"):
                raise OSError("`ip` (iproute2) is missing")
            yield
        finally:
            libc.setns(before.fileno(), _CLONE_NEWNET)


def _run(*command: str) -> bool:
    """Whether it is there and went well."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    try:
        done = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"PATH": path})
    except OSError:
        return False
    return done.returncode == 0
