"""The demo for hours: memory and file handles of each of its processes must stay where they are. `make soak HOURS=2`.

Not a test of pytest's, as it takes hours. It prints one JSON object and fails when a process grows.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from statistics import median, median_low
from typing import Annotated

import numpy as np
import psutil
import typer

from tests.system.demo import RunningDemo, running

EVERY_S = 30.0
WARM_UP = 0.25
"""Share of the run in which a process may still fill its caches."""

MB_PER_HOUR = 5.0
MORE_FILES = 2
"""Between the first and the last third: connections come and go, a leak only comes."""


@dataclass(frozen=True)
class Sample:
    """One look at one process."""

    at_h: float
    rss_mb: float
    files: int


@dataclass(frozen=True)
class Verdict:
    """One process over the run, its warm-up left out."""

    process: str
    rss_mb: float
    """Median."""
    mb_per_hour: float
    """Slope of the least squares line through the medians of ten spans; a single look may hit a peak."""
    files: int
    more_files: int
    samples: int
    steady: bool


def judge(process: str, samples: Sequence[Sample]) -> Verdict:
    """Needs ≥ 10 samples."""
    spans = [list(part) for part in np.array_split(np.arange(len(samples)), 10)]
    hours = [median(samples[place].at_h for place in span) for span in spans]
    sizes = [median(samples[place].rss_mb for place in span) for span in spans]
    slope = float(np.polyfit(hours, sizes, 1)[0])
    third = len(samples) // 3
    first, last = ([each.files for each in some] for some in (samples[:third], samples[-third:]))
    more = median_low(last) - median_low(first)
    steady = slope < MB_PER_HOUR and more <= MORE_FILES
    return Verdict(process, round(median(sizes), 1), round(slope, 2), median_low(last), more, len(samples), steady)


def _family(demo: RunningDemo) -> dict[str, psutil.Process]:
    """Watchkeep's own processes and the broker; the database's come and go with its sessions."""
    found: dict[str, psutil.Process] = {"demo": psutil.Process(demo.process.pid)}
    for process in found["demo"].children(recursive=True):
        with suppress(psutil.Error):
            words = process.cmdline()
            verb = words[words.index("watchkeep_cli") + 1 :][:3] if "watchkeep_cli" in words else [process.name()]
            if process.name() != "postgres":
                found[f"{' '.join(verb)} {process.pid}"] = process
    return found


def _watch(demo: RunningDemo, hours: float) -> Mapping[str, list[Sample]]:
    seen: defaultdict[str, list[Sample]] = defaultdict(list)
    began = time.monotonic()
    while (at_h := (time.monotonic() - began) / 3600) < hours:
        if demo.process.poll() is not None:
            raise SystemExit("the demo ended by itself")
        for name, process in _family(demo).items():
            with suppress(psutil.Error):
                seen[name].append(Sample(at_h, process.memory_info().rss / 2**20, process.num_fds()))
        time.sleep(EVERY_S)
    return seen


def main(
    hours: Annotated[float, typer.Option(min=0.2)] = 2.0,
    points: Annotated[int, typer.Option(help="Beside the demo's own.")] = 5000,
    rate: Annotated[float, typer.Option(help="Readings a second.")] = 500.0,
) -> None:
    """Prints what each process did; exit 1 when one grew or was replaced."""
    with running("--points", str(points), "--rate", str(rate), "--json") as demo:
        seen = _watch(demo, hours)
        code, out, _ = demo.stop()
    end = max(samples[-1].at_h for samples in seen.values())
    whole = {name: [s for s in samples if s.at_h >= WARM_UP * hours] for name, samples in seen.items()}
    stayed = {name: samples for name, samples in whole.items() if len(samples) >= 10}  # the rest were helpers
    judged = [judge(name, samples) for name, samples in stayed.items()]
    gone = [name for name, samples in stayed.items() if samples[-1].at_h < end - 2 * EVERY_S / 3600]
    told = json.loads(out)
    report = {
        "hours": round(end, 2),
        "points": points,
        "rate": rate,
        "demo_exit": code,
        "demo": told,
        "ended_early": gone,
        "processes": [asdict(each) for each in judged],
    }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    if code or gone or told["restarts"] or not all(each.steady for each in judged):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
