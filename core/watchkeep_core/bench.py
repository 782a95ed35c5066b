"""The contract of every bench: measures with unit, goal and whether it was met, and the machine written beside them."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import msgspec


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: the median over `runs`; a `goal` of None is a figure to know, not to reach."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    met: bool | None = None
    runs: list[float] = []


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What `watchkeep bench NAME --json` prints."""

    bench: str
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    measures: list[Measure]


def at_least(name: str, unit: str, goal: float | None, runs: list[float]) -> Measure:
    """A measure that is good when it is high."""
    value = median(runs)
    return Measure(name=name, value=value, unit=unit, goal=goal, met=None if goal is None else value >= goal, runs=runs)


def at_most(name: str, unit: str, goal: float | None, runs: list[float]) -> Measure:
    """A measure that is good when it is low."""
    value = median(runs)
    return Measure(name=name, value=value, unit=unit, goal=goal, met=None if goal is None else value <= goal, runs=runs)


def machine() -> dict[str, str | int | float]:
    """Processor, cores, memory in GiB, load at the time: figures without them mean nothing."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of these packages, and ours."""
    found = {}
    for package in ("watchkeep", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
