"""`docs/benchmarks.md` from the JSON of bench runs: figures from the files, words from `NAME.md` beside them.

UnreadableResult (PermanentError)   a file is not what `watchkeep bench NAME --json` prints
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec

from watchkeep_core.bench import Measure, Result
from watchkeep_core.errors import PermanentError

_HEAD = """# Benchmarks

Made by `watchkeep bench page bench/results/*.json > docs/benchmarks.md`; do not edit. The figures are those of the
JSON files, the words of the Markdown files beside them. A value is the median of its runs. Speed is told as a ratio to
a bare limit measured in the same run on the same servers: it holds on another machine, absolute figures do not.
"""

_TABLE = """| measure | median | lowest … highest | runs | unit | goal | met |
|---|---:|---:|---:|---|---:|---|
"""


class UnreadableResult(PermanentError):
    """A file that no bench has printed."""


def page(files: Sequence[Path]) -> str:
    """Files of one bench stand together, in the order given. Raises UnreadableResult."""
    found: defaultdict[str, list[tuple[Path, Result]]] = defaultdict(list)
    for file in files:
        for result in _read(file):
            found[result.bench].append((file, result))
    return "\n".join([_HEAD, *(_section(bench, results) for bench, results in found.items())])


def _read(file: Path) -> list[Result]:
    """One result, or the list that `bench all` writes."""
    try:
        found = msgspec.json.decode(file.read_bytes(), type=Result | list[Result])
        return [found] if isinstance(found, Result) else found
    except (OSError, msgspec.DecodeError) as error:
        raise UnreadableResult(f"{file}: {error}") from error


def _section(bench: str, results: Sequence[tuple[Path, Result]]) -> str:
    words = results[0][0].with_name(f"{bench}.md")
    parts = [f"## {bench}\n"]
    if words.exists():
        parts.append(words.read_text(encoding="utf-8"))
    for file, result in results:
        rows = "".join(_row(measure) for measure in result.measures)
        parts.append(f"### {file.stem}\n\n{machine(result)}\n\n{_TABLE}{rows}")
    return "\n".join(parts)


def machine(result: Result) -> str:
    """What it was measured on: figures without that mean nothing."""
    described = ", ".join(f"{name} {value}" for name, value in result.machine.items())
    versions = ", ".join(f"{name} {value}" for name, value in result.versions.items())
    return f"Machine: {described}.  \nVersions: {versions}."


def _row(measure: Measure) -> str:
    runs = measure.runs or [measure.value]
    spread = f"{_figure(min(runs))} … {_figure(max(runs))}" if len(runs) > 1 else ""
    goal = ""
    if measure.goal is not None:
        goal = f"{sign(measure)} {_figure(measure.goal)}"
    met = "" if measure.met is None else "yes" if measure.met else "**no**"
    cells = (measure.name, _figure(measure.value), spread, str(len(runs)), measure.unit, goal, met)
    return f"| {' | '.join(cells)} |\n"


def sign(measure: Measure) -> str:
    """Whether high or low is good stands in no field, but follows from value, goal and whether it was met."""
    if measure.goal is None or measure.value == measure.goal:
        return "="
    return "≥" if (measure.value > measure.goal) == bool(measure.met) else "≤"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
