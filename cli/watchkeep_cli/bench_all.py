"""`watchkeep bench all`: every bench in a process of its own, one JSON of all, compared with the run before."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from watchkeep_cli.bench_page import machine, sign
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
    "walls": ("--communities", "2", "--lifts", "4", "--days", "3", "--orders", "1000", "--runs", "5"),
    "console": ("--boards", "10", "--clients", "3", "--rate", "1000", "--seconds", "30"),
    "demo": ("--points", "2000", "--rate", "200", "--seconds", "40"),
}
"""The same, in minutes instead of hours: shows that each runs, not what it can."""


Size = Literal["all", "quick"]
"""Runs of one size are compared with each other only."""

COLUMNS = ("measure", "now", "before", "now ÷ before", "goal", "met", "unit")


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


def run(names: Sequence[str], options: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Result | str]]:
    """Each bench in this order with its result, or with the last line it said when it failed."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("bench", total=len(names))
        for name in names:
            bar.update(task, description=f"bench {name}")
            command = [sys.executable, "-m", "watchkeep_cli", "bench", name, *options[name], "--json"]
            ended = subprocess.run(command, capture_output=True, check=False)
            yield name, _result(ended)
            bar.advance(task)


def _result(ended: "subprocess.CompletedProcess[bytes]") -> Result | str:
    if ended.returncode:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        return said[-1] if said else f"exit code {ended.returncode}"
    try:
        return msgspec.json.decode(ended.stdout, type=Result)
    except msgspec.DecodeError as error:
        return f"its figures cannot be read: {error}"


def fresh(out: Path, size: Size) -> Path:
    """The file of a new run, named by the time (UTC), beside those of earlier runs."""
    return out / f"{size}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.json"


def save(results: Sequence[Result], path: Path) -> None:
    """One file of all. Called as they come: an interrupted run keeps what it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2))


def last(out: Path, size: Size) -> list[Result]:
    """Of each bench the newest result of this size in the folder: a run of a few does not hide the others."""
    runs = (msgspec.json.decode(file.read_bytes(), type=list[Result]) for file in sorted(out.glob(f"{size}-*.json")))
    return list({result.bench: result for results in runs for result in results}.values())


def compare(now: Sequence[Result], before: Sequence[Result]) -> list[Compared]:
    """Each measure of now beside the one of the same name before."""
    known = {(result.bench, each.name): each.value for result in before for each in result.measures}
    return [
        Compared(result.bench, each, known.get((result.bench, each.name))) for result in now for each in result.measures
    ]


def page(results: Sequence[Result], compared: Sequence[Compared]) -> str:
    """The same in Markdown, bench by bench, each with its machine."""
    parts = ["# watchkeep bench all\n"]
    for result in results:
        rows = [COLUMNS, ("---", *["---:"] * 4, "---", "---")]
        rows += [_cells(each) for each in compared if each.bench == result.bench]
        table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        parts.append(f"## {result.bench}\n\n{machine(result)}\n\n{table}")
    return "\n".join(parts)


def show(compared: Sequence[Compared]) -> None:
    """A table for people."""
    table = Table("bench", *COLUMNS, title="bench all")
    for each in compared:
        table.add_row(each.bench, *_cells(each))
    Console(width=max(Console().width, 150)).print(table)


def _cells(each: Compared) -> tuple[str, ...]:
    measure = each.measure
    return (
        measure.name,
        f"{measure.value:,.4g}",
        "" if each.before is None else f"{each.before:,.4g}",
        "" if each.change is None else f"{each.change:.2f}",
        "" if measure.goal is None else f"{sign(measure)} {measure.goal:,.4g}",
        "" if measure.met is None else ("yes" if measure.met else "NO"),
        measure.unit,
    )
