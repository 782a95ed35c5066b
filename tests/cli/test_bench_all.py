"""`watchkeep bench all`: what it runs exists, a failure is told, figures stand beside those of the run before."""

import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.docs.test_commands import trouble
from watchkeep_cli import bench, bench_all
from watchkeep_core.bench import Measure, Result


def _result(value: float, name: str = "rows", which: str = "ingest") -> Result:
    measure = Measure(name=name, value=value, unit="rows/s")
    return Result(bench=which, machine={"cores": 2}, versions={}, measures=[measure])


def test_each_bench_is_a_command() -> None:
    commands = {
        command.name or command.callback.__name__ for command in bench.app.registered_commands if command.callback
    }
    assert set(bench_all.BENCHES) | {"all", "page"} == commands
    assert set(bench_all.QUICK) == set(bench_all.BENCHES)
    for options in (bench_all.BENCHES, bench_all.QUICK):
        lines = [shlex.join(["watchkeep", "bench", name, *options[name]]) for name in options]
        assert [why for line in lines if (why := trouble(line))] == []


def test_a_measure_is_compared_with_the_same_of_the_run_before() -> None:
    compared = bench_all.compare([_result(30), _result(5, "new")], [_result(20), _result(7, which="storage")])
    assert [(each.before, each.change) for each in compared] == [(20, 1.5), (None, None)]


def test_of_each_bench_the_newest_run_of_its_size_is_the_one_before(tmp_path: Path) -> None:
    assert bench_all.last(tmp_path / "none", "all") == []
    for name in ("all-20250101T000000Z.json", "quick-29990101T000000Z.json"):
        (tmp_path / name).write_text("[]")
    both = [_result(0), _result(2, which="storage")]
    bench_all.save(both, tmp_path / "all-20250102T000000Z.json")
    bench_all.save([_result(1)], bench_all.fresh(tmp_path, "all"))
    assert bench_all.last(tmp_path, "all") == [_result(1), both[1]]


def test_the_page_has_each_bench_with_its_machine_and_what_was_before() -> None:
    results = [_result(30), _result(8, which="storage")]
    text = bench_all.page(results, bench_all.compare(results, [_result(20)]))
    assert text.count("Machine: cores 2.") == 2
    assert "| rows | 30 | 20 | 1.50 |  |  | rows/s |" in text
    assert "| rows | 8 |  |  |  |  | rows/s |" in text.partition("## storage")[2]


def test_what_the_table_and_the_page_show_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    goal = Measure(name="late", value=2, unit="s", goal=1, met=False)
    bench_all.show([bench_all.Compared("ingest", goal, None)])
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("ingest", "late", "≤ 1", "NO"))


@pytest.mark.slow
def test_a_bench_that_fails_is_told_and_the_others_run() -> None:
    options = {"sim": ("--runs", "none"), "detect": ("--only", "nothing")}
    ended = dict(bench_all.run(["sim", "detect"], options))
    assert set(ended) == {"sim", "detect"}
    assert "nothing" in str(ended["detect"])


def test_all_runs_on_after_a_failure_and_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ran(names: Sequence[str], _: object) -> Iterator[tuple[str, Result | str]]:
        yield names[0], _result(1)
        assert bench_all.last(tmp_path, "all") == [_result(1)]
        yield names[1], "no disk"
        yield names[2], _result(2, which="gateway")

    monkeypatch.setattr(bench_all, "run", ran)
    arguments = ["all", "--out", str(tmp_path), "--only", "ingest", "--only", "storage", "--only", "gateway"]
    told = CliRunner().invoke(bench.app, arguments)
    assert isinstance(told.exception, bench_all.BenchFailed)
    assert str(told.exception) == "storage: no disk"
    assert bench_all.last(tmp_path, "all") == [_result(1), _result(2, which="gateway")]
    (page,) = tmp_path.glob("*.md")
    assert "## gateway" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("code", "out", "err", "said"), [
    (1, b"", b"one\nlast words\n", "last words"),
    (3, b"", b"", "exit code 3"),
    (0, b'{"bench": "x", "machine": {}, "versions": {}, "measures": [{"name": "n", "value": null, "unit": "s"}]}', b"",
     "its figures cannot be read"),
])  # fmt: skip
def test_how_a_bench_failed_is_told(
    code: int, out: bytes, err: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = subprocess.CompletedProcess([], code, out, err)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    ((_, result),) = bench_all.run(["sim"], bench_all.QUICK)
    assert str(result).startswith(said)
