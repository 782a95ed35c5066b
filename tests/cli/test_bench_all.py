"""`watchkeep bench all`: what it runs exists, a failure is told, figures stand beside those of the run before."""

from pathlib import Path

import pytest

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


def test_a_measure_is_compared_with_the_same_of_the_run_before() -> None:
    compared = bench_all.compare([_result(30), _result(5, "new")], [_result(20), _result(7, which="storage")])
    assert [(each.before, each.change) for each in compared] == [(20, 1.5), (None, None)]


def test_the_newest_run_is_the_one_before(tmp_path: Path) -> None:
    assert bench_all.last(tmp_path / "none") == []
    (tmp_path / "all-20250101T000000Z.json").write_text("[]")
    bench_all.save([_result(1)], tmp_path)
    assert bench_all.last(tmp_path) == [_result(1)]


@pytest.mark.slow
def test_a_bench_that_fails_is_told_and_the_others_run() -> None:
    options = {"sim": ("--runs", "none"), "detect": ("--only", "nothing")}
    results, failed = bench_all.run(["sim", "detect"], options)
    assert results == []
    assert set(failed) == {"sim", "detect"}
    assert "nothing" in failed["detect"]
