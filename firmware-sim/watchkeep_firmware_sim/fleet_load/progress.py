"""The progress bar of a load run, on a terminal; nothing otherwise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from watchkeep_firmware_sim.fleet_load.run import Snapshot

_TEXT = (
    "{task.fields[rate]:,.0f} readings/s  acked {task.fields[acked]:,}  wire {task.fields[wire]}  unacked "
    "{task.fields[unacked]}  behind {task.fields[behind]:.1f} s  faults {task.fields[faults]}  {task.fields[note]}"
)


@contextmanager
def bar(total_s: float | None) -> Iterator[Callable[[Snapshot], None]]:
    """What to call with each snapshot; `total_s` = length of the run, None = until stopped."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        TextColumn(_TEXT, table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(
            "fleet", total=total_s, rate=0.0, acked=0, wire=0, unacked=0, behind=0.0, faults=0, note="connecting"
        )
        last = (0.0, 0)

        def show(now: Snapshot) -> None:
            nonlocal last
            passed_s = now.elapsed_s - last[0]
            progress.update(
                task,
                completed=now.elapsed_s,
                rate=(now.made - last[1]) / passed_s if passed_s > 0 else 0.0,
                acked=now.acked,
                wire=now.on_the_wire,
                unacked=now.unacked,
                behind=now.behind_s,
                faults=now.faults,
                note="" if now.up else "broker is away",
            )
            last = (now.elapsed_s, now.made)

        yield show


@contextmanager
def counter(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """What to call with the number that is done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
