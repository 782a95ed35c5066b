"""docs/benchmarks.md says what the JSON of the runs says."""

from pathlib import Path

import msgspec
import pytest

from watchkeep_cli.bench_page import UnreadableResult, page
from watchkeep_core.bench import Result, at_least, at_most

ROOT = Path(__file__).parents[2]


def result(tmp_path: Path, name: str, *, bench: str = "b") -> Path:
    measures = [
        at_least("fast", "rows/s", 1000.0, [900.0, 2000.0, 1500.0]),
        at_most("long", "ms", 300.0, [400.0]),
        at_most("known", "ms", None, [0.5]),
    ]
    found = Result(bench=bench, machine={"cores": 2}, versions={"watchkeep": "1"}, measures=measures)
    file = tmp_path / name
    file.write_bytes(msgspec.json.encode(found))
    return file


def test_the_page_is_in_step_with_its_results():
    files = sorted((ROOT / "bench" / "results").glob("*.json"))
    assert files
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == page(files)


def test_a_row_tells_median_spread_runs_goal_and_whether_it_was_met(tmp_path: Path):
    text = page([result(tmp_path, "one.json")])
    assert "| fast | 1,500 | 900 … 2,000 | 3 | rows/s | ≥ 1,000 | yes |\n" in text
    assert "| long | 400 |  | 1 | ms | ≤ 300 | **no** |\n" in text
    assert "| known | 0.5 |  | 1 | ms |  |  |\n" in text
    assert "Machine: cores 2.  \nVersions: watchkeep 1.\n" in text


def test_results_of_one_bench_stand_together_under_its_words(tmp_path: Path):
    (tmp_path / "b.md").write_text("What limits.\n", encoding="utf-8")
    files = [result(tmp_path, "b-1.json"), result(tmp_path, "c.json", bench="c"), result(tmp_path, "b-2.json")]
    text = page(files)
    places = [text.index(part) for part in ("## b\n", "What limits.", "### b-1", "### b-2", "## c\n", "### c")]
    assert places == sorted(places)
    assert text.count("What limits.") == 1


def test_what_is_no_result_is_named(tmp_path: Path):
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UnreadableResult, match=r"x\.json"):
        page([tmp_path / "x.json"])
