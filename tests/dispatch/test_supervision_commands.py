"""The verbs of complaints and supervision, as an operator types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.dispatch.conftest import World
from tests.dispatch.test_scores import good_month
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch.commands import app

MONTH = ("--period", "2026-11")


def run(world: World, *arguments: str, code: int = 0) -> str:
    url = world.database.url("watchkeep_dispatch")
    done = CliRunner().invoke(app, [*arguments, "--database-url", url], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout


def test_supervision(world: World) -> None:
    good_month(world)
    scored = json.loads(run(world, "score", "--date", "2026-12-01", *MONTH))
    assert [(one["subject"], one["orders"]) for one in scored["scores"]] == [("property-co", 12)]
    assert json.loads(run(world, "score", "--date", "2026-11-30"))["period"] == "2026-11"
    day = ("--date", "2026-12-01")
    (found,) = json.loads(run(world, "indicators", *MONTH, *day))
    assert found["counts"]["on_time_n"] == 10
    assert len(json.loads(run(world, "behind", *MONTH, *day, "--flag", "on_time_n"))) == 10
    assert "物业服务监督月报" in run(world, "report", *MONTH, *day)
    assert json.loads(run(world, "protected", *MONTH, *day, "--community", "lake")) == []
    assert "property_quality" in json.loads(run(world, "schemes", "list"))["packaged"]
    event = (
        "--org",
        "property-co",
        "--kind",
        "bad",
        "--code",
        "late",
        "--reason",
        "x",
        "--evidence",
        "1",
        "--on",
        "2026-11-01",
    )
    assert json.loads(run(world, "credit", "add", *event, "--as", "sun"))["event_id"]
    assert json.loads(run(world, "ranking", "list")) == []
    for wrong in (
        ("score", "--date", "today"),
        ("report", "--period", "soon"),
        ("credit", "add", *event, "--as", "nobody"),
    ):
        with pytest.raises(SettingsError, match=r"--(date|period|as)"):
            run(world, *wrong)


@pytest.mark.slow
def test_complaints(world: World, tmp_path: Path) -> None:
    file = tmp_path / "12345.csv"
    file.write_text("工单编号,受理时间,小区,诉求内容\nA1,2026-11-20 08:30,花园小区,灯不亮\n", encoding="utf-8")
    arguments = ("complaints", "import", str(file), "--source", "hotline_12345")
    assert json.loads(run(world, *arguments, "--dry-run"))["taken"] == 0
    assert json.loads(run(world, *arguments))["taken"] == 1
    assert [one["channel_no"] for one in json.loads(run(world, "complaints", "list", "--open"))] == ["A1"]
    file.write_text("工单编号,受理时间,小区,诉求内容\nA2,昨天,花园小区,灯不亮\n", encoding="utf-8")
    (error,) = json.loads(run(world, *arguments, code=1))["errors"]
    assert (error["line"], error["column"]) == (2, "受理时间")
    assert "月度研判" in run(world, "complaints", "study", "--month", "2026-11", "--format", "html")
    sheet = tmp_path / "labels.pdf"
    labels = (
        "complaints",
        "labels",
        "--community",
        "garden",
        "--public-url",
        "https://wk.example.cn",
        "--out",
        str(sheet),
    )
    assert json.loads(run(world, *labels))["labels"] == 6
    assert sheet.read_bytes().startswith(b"%PDF-")
