"""The verbs of complaints and supervision, as an operator types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.dispatch.conftest import World
from tests.dispatch.test_scores import good_month
from watchkeep_core.errors import SettingsError
from watchkeep_dispatch.commands import app
from watchkeep_dispatch.complaints import ComplaintRefused

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


def test_a_list_from_draft_to_grants(world: World) -> None:
    drawn = json.loads(run(world, "ranking", "draw", "--period", "2020-01", "--as", "sun"))
    number = str(drawn["ranking_id"])
    assert [row["subject_id"] for row in drawn["rows"]] == ["property-co"]
    run(world, "ranking", "publish", number, code=2)  # by nobody in particular
    published = json.loads(run(world, "ranking", "publish", number, "--as", "zheng"))
    assert published["appeals_until"] > published["published_at"]
    place = ("--subject", "property-co", "--reason", "两件不属我方")
    made = str(json.loads(run(world, "ranking", "appeal", number, *place, "--as", "zhao"))["appeal_id"])
    decision = ("--upheld", "--decision", "核实属实", "--to", "red", "--as", "zheng")
    assert json.loads(run(world, "ranking", "decide", made, *decision))["list"] == "red"
    shown = run(world, "ranking", "list", "--id", number, "--format", "table")
    assert all(text in shown for text in ("red", "两件不属我方", "核实属实"))
    assert "property_quality" in run(world, "ranking", "list", "--format", "table")
    assert "property-co" in run(world, "ranking", "grants", number, "--pool", "1000", "--format", "table")


def test_credit_events_and_patrols(world: World) -> None:
    what = ("--org", "property-co", "--code", "late", "--reason", "逾期未改", "--evidence", "荣住建函〔2026〕1 号")
    day = ("--on", "2020-01-20", "--as", "sun")
    bad = json.loads(run(world, "credit", "add", "--kind", "bad", "--points", "5", *what, *day))["event_id"]
    run(world, "credit", "add", "--kind", "withdrawal", "--withdraws", str(bad), *what, *day)
    year = ("--period", world.value("SELECT to_char(now() AT TIME ZONE 'Asia/Shanghai', 'YYYY')"))
    assert [one["kind"] for one in json.loads(run(world, "credit", "export", *year))] == ["bad", "withdrawal"]
    assert "荣住建函" in run(world, "credit", "export", *year, "--format", "table")
    assert json.loads(run(world, "credit", "export", "--period", "2019-01")) == []
    patrol = ("--kind", "monthly_patrol", "--of", "community", "--heading", "责任落实", "--possible", "10")
    assert json.loads(
        run(world, "credit", "inspect", *patrol, "--subject", "garden", "--points", "9", "--on", "2020-01-20")
    )


@pytest.mark.parametrize(
    "asked",
    [
        ("indicators", *MONTH, "--area", "twon"),
        ("score", "--date", "2026-11-30", "--area", "twon"),
        ("report", *MONTH, "--area", "twon"),
        ("ranking", "draw", "--period", "2020-01", "--area", "twon"),
        ("complaints", "study", "--month", "2026-11", "--area", "twon"),
        ("complaints", "list", "--community", "twon"),
        ("protected", *MONTH, "--community", "twon"),
        ("held-back", "--community", "twon"),
        ("rota", "load", "--org", "twon"),
        ("ledger", "list", "--area", "twon"),
    ],
)
def test_a_slip_in_a_name_is_no_empty_answer(world: World, asked: tuple[str, ...]) -> None:
    with pytest.raises(SettingsError, match=r"--(area|community|org): 'twon' is not in the register"):
        run(world, *asked)


def test_tables_for_people(world: World) -> None:
    good_month(world)
    day = ("--date", "2026-12-01", "--format", "table")
    assert "83.3 %" in run(world, "indicators", *MONTH, *day)
    assert "合格" in run(world, "score", *MONTH, *day)
    assert "building" in run(world, "protected", *MONTH, *day)


def test_a_report_says_of_which_area_and_where_it_cannot_be_written(world: World, tmp_path: Path) -> None:
    town = run(world, "report", *MONTH, "--area", "town")
    assert "镇 · 2026-11-01 – 2026-11-30" in town
    study = ("complaints", "study", "--month", "2026-11", "--format", "html", "--language", "en")
    assert "2026-11-01 – 2026-11-30" in run(world, *study)
    run(world, "report", *MONTH, "--language", "fr", code=2)
    with pytest.raises(SettingsError, match=r"--out: .*No such file"):
        run(world, "report", *MONTH, "--out", str(tmp_path / "nowhere" / "report.html"))


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
    excel = "工单编号,受理时间,小区,诉求内容,事项\nA3,2026/3/5 9:05,花园小区,车堵门,"
    file.write_text(f"{excel}占用消防车通道\n", encoding="gb18030")
    (error,) = json.loads(run(world, *arguments, code=1))["errors"]
    assert "do you mean 占用消防通道" in error["error"]
    file.write_text(f"{excel}占用消防通道\n", encoding="gb18030")
    assert json.loads(run(world, *arguments, "--dry-run"))["errors"] == []
    assert "A1" not in run(world, "complaints", "list", "--format", "table")
    with pytest.raises(ComplaintRefused, match="source: 'phone' is none of"):
        run(world, "complaints", "import", str(file), "--source", "phone")
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
