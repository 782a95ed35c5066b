"""`watchkeep bench all`: every bench in a process of its own, one JSON of all, compared with the run before."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from watchkeep_core.bench import Measure, Result
from watchkeep_core.errors import PermanentError

BENCHES: Mapping[str, Sequence[str]] = {
    "ingest": (),
    "storage": (),
    "gateway": (),
    "detect": (),
    "dispatch": (),
    "orders": (),
    "faults": (),
    "sim": (),
    "walls": (),
    "console": (),
    "demo": (),
}
"""Name of the bench → its options."""

QUICK: Mapping[str, Sequence[str]] = {
    "ingest": ("--rows", "300000", "--runs", "1"),
    "storage": ("--rows", "300000", "--runs", "1"),
    "gateway": ("--runs", "1", "--seconds", "3", "--backlog", "500000"),
    "detect": ("--only", "cost", "--only", "events"),
    "dispatch": ("--burst", "500", "--seconds", "3", "--crossings", "2000"),
    "orders": ("--orders", "50000", "--runs", "5"),
    "faults": (),
    "sim": ("--seconds", "1", "--runs", "1"),
    "walls": (),
    "console": (),
    "demo": ("--points", "2000", "--rate", "200", "--seconds", "40"),
}
"""The same, in minutes instead of hours: shows that each runs, not what it can."""


class BenchFailed(PermanentError):
    """A bench ended with an error; the others ran."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One measure now and in the run before; `change` = now ÷ before."""

    bench: str
    measure: Measure
    before: float | None

    @property
    def change(self) -> float | None:
        return self.measure.value / self.before if self.before else None


def run(names: Sequence[str], options: Mapping[str, Sequence[str]]) -> tuple[list[Result], dict[str, str]]:
    """Results in this order, and for each bench that failed the last line it said."""
    results, failed = [], {}
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("bench", total=len(names))
        for name in names:
            bar.update(task, description=f"bench {name}")
            command = [sys.executable, "-m", "watchkeep_cli", "bench", name, *options[name], "--json"]
            ended = subprocess.run(command, capture_output=True, check=False)
            if ended.returncode:
                said = ended.stderr.decode(errors="replace").strip().splitlines()
                failed[name] = said[-1] if said else f"exit code {ended.returncode}"
            else:
                results.append(msgspec.json.decode(ended.stdout, type=Result))
            bar.advance(task)
    return results, failed


def save(results: Sequence[Result], out: Path) -> Path:
    """One file of all, named by the time (UTC), beside those of earlier runs."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"all-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2))
    return path


def last(out: Path) -> list[Result]:
    """The newest earlier run in the folder; nothing when there is none."""
    files = sorted(out.glob("all-*.json"))
    return msgspec.json.decode(files[-1].read_bytes(), type=list[Result]) if files else []


def compare(now: Sequence[Result], before: Sequence[Result]) -> list[Compared]:
    """Each measure of now beside the one of the same name before."""
    known = {(result.bench, each.name): each.value for result in before for each in result.measures}
    return [
        Compared(result.bench, each, known.get((result.bench, each.name))) for result in now for each in result.measures
    ]


def show(compared: Sequence[Compared]) -> None:
    """A table for people."""
    table = Table("bench", "measure", "now", "before", "now ÷ before", "unit", "goal", "met", title="bench all")
    for each in compared:
        measure = each.measure
        met = "" if measure.met is None else ("yes" if measure.met else "NO")
        before = "" if each.before is None else f"{each.before:,.4g}"
        change = "" if each.change is None else f"{each.change:.2f}"
        goal = "" if measure.goal is None else f"{measure.goal:,.4g}"
        table.add_row(each.bench, measure.name, f"{measure.value:,.4g}", before, change, measure.unit, goal, met)
    console = Console()
    console.print(table, width=max(console.width, 150), soft_wrap=True)
